"""What each kind of tag declares beside conditions: bands, lists, shares, RFM, splits."""

import math
import re

from zhongtai.contracts.document import Section
from zhongtai.tags.comparisons import typed
from zhongtai.tags.facts import Fact
from zhongtai.tags.model import (
    Arm,
    Band,
    Banded,
    Converted,
    Given,
    Measured,
    Rfm,
    Rule,
    Share,
    Split,
    ValueType,
)
from zhongtai.tags.selections import (
    WINDOW_KEYS,
    measure_type,
    read_column,
    read_days,
    read_fact,
    read_measure,
    read_sequence,
    read_where,
    read_window,
)
from zhongtai.tags.wants import (
    TIES,
    Comparison,
    Distribution,
    Filter,
    Measure,
    Preference,
    Score,
    ValueList,
    Window,
)

RFM_CUTS = ("limits", "mean", "quantile")
GIVES = {"boolean": "completed", "integer": "reached", "date": "last_on"}
_SALT = re.compile(r"[a-z0-9_-]+")
_BY_VALUE_KEYS = ("fact", "of", "by", "where", *WINDOW_KEYS, "at_least")


def read_banded(section: Section, key: str = "measure") -> Banded:
    """A measure (or a share) and the bands that cut it, from the lowest up."""
    if key == "share":
        measure: Measure | Share = read_share(section.section(key))
        is_number = True
    else:
        measure = read_measure(section.section(key), take_key="take")
        is_number = measure_type(measure) in ("integer", "number")
    if "bands" in section and not is_number:
        raise section.error_at("bands", "bands need a measure that is a number")
    bands, by_quantile = _read_bands(section)
    otherwise = section.text("otherwise") if "otherwise" in section else None
    if otherwise is not None and not bands:
        raise section.error_at("otherwise", "'otherwise' needs bands")
    return Banded(measure, bands, otherwise, by_quantile)


def read_preference(section: Section, _: ValueType) -> Given:
    """The most frequent value of a column, with the rule for ties said in so many words."""
    body = section.section("prefer")
    body.expect_keys((*_BY_VALUE_KEYS, "tie"))
    return Given(Preference(*_read_values(body), body.choice("tie", TIES)))


def read_list(section: Section, _: ValueType) -> Given:
    """The values of a column that a person shows often enough, in the order of the alphabet."""
    body = section.section("list")
    body.expect_keys((*_BY_VALUE_KEYS, "top"))
    return Given(ValueList(*_read_values(body), _top(body)))


def read_distribution(section: Section, _: ValueType) -> Given:
    """The share of each value of a column in the facts of a person that know it."""
    body = section.section("distribution")
    body.expect_keys((*_BY_VALUE_KEYS, "top"))
    return Given(Distribution(*_read_values(body), _top(body)))


def _read_values(
    section: Section,
) -> tuple[str, str, str | None, tuple[Filter, ...], Window, int]:
    """What every kind says of the values of a column: the fact, the column and what counts."""
    fact = read_fact(section, "fact")
    return (
        fact.name,
        _value_column(section, fact),
        _read_by(section, fact),
        read_where(section, fact),
        read_window(section),
        _at_least(section),
    )


def read_share(section: Section) -> Share:
    """`part` narrows the facts down that `where` makes the whole of; both counted or summed."""
    section.expect_keys(("fact", "take", "of", "where", *WINDOW_KEYS, "part", "at_least"))
    fact = read_fact(section, "fact")
    take = section.choice("take", ("count", "sum"), "count")
    if (take == "sum") != ("of" in section):
        raise section.error_at("take", "'of' names what is summed: it goes with sum, and only so")
    of = _number_column(section, "of", fact) if take == "sum" else None
    where, window = read_where(section, fact), read_window(section)
    part = read_where(section, fact, "part")
    if not part:
        raise section.error("'part' is missing: which facts are the part of the whole")
    whole = Measure(fact.name, take, of, where, window)
    narrowed = Measure(fact.name, take, of, _sorted_filters((*where, *part)), window)
    return Share(narrowed, whole, _at_least(section))


def read_rfm(section: Section, _: ValueType) -> Rfm:
    """Recency, frequency and money over one fact table, and where high begins for each."""
    body = section.section("rfm")
    body.expect_keys(("fact", "money", "where", *WINDOW_KEYS, "cut_by", "cuts"))
    fact = read_fact(body, "fact")
    money = _number_column(body, "money", fact)
    where, window = read_where(body, fact), read_window(body)
    cut_by = body.choice("cut_by", RFM_CUTS)
    return Rfm(
        Measure(fact.name, "days_since_last", None, where, window),
        Measure(fact.name, "count", None, where, window),
        Measure(fact.name, "sum", money, where, window),
        cut_by,
        _read_cuts(body, cut_by),
        section.text("otherwise") if "otherwise" in section else None,
    )


def read_split(section: Section, value_type: ValueType) -> Split:
    """`salt` and either one `share` (a boolean tag) or `arms` with value and share (a text)."""
    body = section.section("control")
    body.expect_keys(("salt", "share", "arms"))
    salt = body.text("salt")
    if not _SALT.fullmatch(salt):
        raise body.error_at("salt", f"{salt!r} is no salt: small letters, digits, - and _")
    if ("share" in body) == ("arms" in body):
        raise body.error("a control group has 'share' (who is in it) or 'arms', one of them")
    if "share" in body:
        if value_type != "boolean":
            raise body.error_at("share", "one 'share' makes a boolean tag; a text needs 'arms'")
        return Split(salt, (Arm(True, _share(body)),))
    arms = []
    for part in body.sections("arms"):
        part.expect_keys(("value", "share"))
        arms.append(Arm(typed(part, "value", part.value("value"), value_type), _share(part)))
    if math.fsum(arm.share for arm in arms) > 1 + 1e-9 or not arms:
        raise body.error_at("arms", "the shares of the arms must not exceed 1 together")
    if len({arm.value for arm in arms}) < len(arms):
        raise body.error_at("arms", "each arm needs a value of its own")
    return Split(salt, tuple(arms))


def read_slot(section: Section, value_type: ValueType) -> Given:
    """The score (a number) or the band (a text) of a model in fct_user_scores."""
    body = section.section("predict")
    body.expect_keys(("model", "give"))
    give = body.choice("give", ("score", "band"))
    expected = "number" if give == "score" else "text"
    if value_type != expected:
        raise body.error_at("give", f"the {give} is {expected}, value_type says {value_type}")
    return Given(Score(body.text("model"), give))


def read_steps(section: Section, value_type: ValueType) -> Given:
    """A sequence: whether it was completed, how many steps were reached, or when last completed."""
    if value_type not in GIVES:
        raise section.error_at(
            "value_type", f"a sequence is {', '.join(GIVES)}; value_type says {value_type}"
        )
    return Given(read_sequence(section.section("sequence"), GIVES[value_type]))


def read_set(section: Section, fact_name: str, value_type: ValueType) -> Rule:
    """A tag whose values are set from outside: rows of `fact_name` that name the tag.

    With `ttl_days` a value ends so many days after it was set, whatever expiry it came with.
    """
    ttl = read_days(section, "ttl_days") if "ttl_days" in section else None
    window = Window(from_days=ttl)
    own = Filter("tag_id", Comparison("is", section.text("id")))
    if value_type == "boolean":
        is_set = Filter("is_set", Comparison("is", True))
        return Measured(
            Measure(fact_name, "count", where=_sorted_filters((own, is_set)), window=window),
            Comparison("at_least", 1),
        )
    return Converted(Measure(fact_name, "last", "value", (own,), window), value_type)


def _read_bands(section: Section) -> tuple[tuple[Band, ...], bool]:
    bands: list[Band] = []
    used: set[str] = set()
    for part in section.sections("bands"):
        part.expect_keys(("value", "at_most", "at_most_quantile"))
        keys = [key for key in ("at_most", "at_most_quantile") if key in part]
        used.update(keys)
        if len(used) > 1:
            raise part.error("bands end at values or at quantiles, not at both")
        limit = float(str(typed(part, keys[0], part.value(keys[0]), "number"))) if keys else None
        below = bands[-1].at_most if bands else -math.inf
        if below is None or (limit is not None and limit <= below):
            raise part.error("bands go from the lowest up; only the last may lack 'at_most'")
        if keys == ["at_most_quantile"] and not 0 < (limit or 0) < 1:
            raise part.error_at("at_most_quantile", "a quantile lies between 0 and 1")
        bands.append(Band(part.text("value"), limit))
    return tuple(bands), used == {"at_most_quantile"}


def _read_cuts(body: Section, cut_by: str) -> tuple[float, ...]:
    if cut_by == "mean":
        if "cuts" in body:
            raise body.error_at("cuts", "the means are computed: no 'cuts' beside cut_by mean")
        return ()
    cuts = body.section("cuts")
    keys = ("recency_days", "frequency", "money") if cut_by == "limits" else (
        "recency", "frequency", "money",
    )  # fmt: skip
    cuts.expect_keys(keys)
    found = tuple(float(str(typed(cuts, key, cuts.value(key), "number"))) for key in keys)
    if cut_by == "quantile" and not all(0 < cut < 1 for cut in found):
        raise cuts.error("a quantile lies between 0 and 1")
    return found


def _read_by(section: Section, fact: Fact) -> str | None:
    return _number_column(section, "by", fact) if "by" in section else None


def _number_column(section: Section, key: str, fact: Fact) -> str:
    column = read_column(section, key, fact)
    if fact.types[column] != "integer":
        raise section.error_at(key, f"{column} is a {fact.types[column]}, a sum needs a number")
    return column


def _value_column(section: Section, fact: Fact) -> str:
    column = read_column(section, "of", fact)
    if fact.types[column] in ("time", "date"):
        raise section.error_at("of", f"{column} is a {fact.types[column]}: no value that recurs")
    return column


def _at_least(section: Section) -> int:
    return read_days(section, "at_least") if "at_least" in section else 1


def _top(section: Section) -> int | None:
    return read_days(section, "top") if "top" in section else None


def _share(section: Section) -> float:
    share = float(str(typed(section, "share", section.value("share"), "number")))
    if not 0 < share <= 1:
        raise section.error_at("share", "'share' lies above 0 and is at most 1")
    return share


def _sorted_filters(filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
    return tuple(sorted(filters, key=lambda f: f.column))
