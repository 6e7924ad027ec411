"""What is compared with what, and from which probability two rows are one person."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from zhongtai.contracts.document import Section
from zhongtai.errors import ConfigurationError

HINT = "docs/matching.md describes the format; seeds/matching/persons.yml is an example"
# The kinds of comparison and how many columns each reads; None: one or more.
KINDS: dict[str, int | None] = {
    "text": 1,
    "date": 1,
    "list": 1,
    "mobile": 1,
    "chinese_name": 1,
    "place": None,
}
_COMPARISON_KEYS = (
    "name",
    "column",
    "columns",
    "kind",
    "term_frequencies",
    "similar",
    "edits",
    "format",
)
_KEYS = (
    "name",
    "key",
    "comparisons",
    "blocking",
    "max_block",
    "max_pairs",
    "max_component",
    "population",
    "sufficient",
    "stricter",
    "thresholds",
    "training",
)


@dataclass(frozen=True)
class Comparison:
    """How one attribute of two rows is compared; the levels of a kind are in `levels`."""

    name: str
    kind: str
    columns: tuple[str, ...]
    term_frequencies: bool = False
    similar: tuple[float, ...] = ()  # text: Jaro-Winkler similarities, from the highest down
    edits: tuple[int, ...] = ()  # text: Damerau-Levenshtein distances, from the lowest up
    format: str | None = None  # date: how a text is read, strptime


@dataclass(frozen=True)
class Thresholds:
    """Probabilities: joined from `accept`, reviewed from `review`, not even kept below `floor`."""

    accept: float = 0.99
    review: float = 0.8
    floor: float = 0.05


@dataclass(frozen=True)
class Training:
    """How a model is trained where no labels are given."""

    certain: tuple[tuple[str, ...], ...] = ()  # blocks that hardly ever hold two persons
    recall: float = 0.8  # the share of true pairs that `certain` finds
    sessions: tuple[tuple[str, ...], ...] = ()  # blocks of expectation maximisation
    pairs: int = 4_000_000  # random pairs that chance agreement is measured on


# Per comparison the levels that are good enough; all of its comparisons must hold.
Sufficiency = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Stricter:
    """What must agree besides where the column `where` is true of either row of a pair."""

    where: str
    sufficient: tuple[Sufficiency, ...]


@dataclass(frozen=True)
class Declaration:
    """A whole matching task. `population` is the number of rows that a model is meant for.

    Where `sufficient` is not empty a pair may be joined only if one of its entries holds: a
    family agrees in nearly everything, and weights do not know that its phone, address and
    surname are one agreement. `stricter` asks for more from rows that are known to be doubtful.
    """

    name: str
    key: str
    comparisons: tuple[Comparison, ...]
    blocking: tuple[tuple[str, ...], ...]
    max_block: int = 200
    max_pairs: int = 20_000_000
    max_component: int = 1000
    population: int | None = None
    sufficient: tuple[Sufficiency, ...] = ()
    stricter: Stricter | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    training: Training = field(default_factory=Training)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the input that are read, the key first, none twice."""
        named = (column for comparison in self.comparisons for column in comparison.columns)
        doubtful = [self.stricter.where] if self.stricter else []
        return tuple(dict.fromkeys((self.key, *named, *doubtful)))

    @property
    def content_hash(self) -> str:
        """The hash of what a trained model depends on: the comparisons."""
        content = [asdict(comparison) for comparison in self.comparisons]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_declaration(file: Path) -> Declaration:
    """Read a declaration. Raises ConfigurationError with file and line where it is wrong."""
    top = Section.of_file(file, "the matching declaration", HINT)
    top.expect_keys(_KEYS)
    declaration = Declaration(
        name=top.text("name", file.stem),
        key=top.text("key"),
        comparisons=tuple(_read_comparison(part) for part in top.sections("comparisons")),
        blocking=_read_blocks(top, "blocking"),
        max_block=_at_least_two(top, "max_block", 200),
        max_pairs=_at_least_two(top, "max_pairs", 20_000_000),
        max_component=_at_least_two(top, "max_component", 1000),
        population=_at_least_two(top, "population", 0) if "population" in top else None,
        sufficient=tuple(_read_sufficiency(part) for part in top.sections("sufficient")),
        stricter=_read_stricter(top.section("stricter")) if "stricter" in top else None,
        thresholds=_read_thresholds(top),
        training=_read_training(top),
    )
    check_declaration(declaration, str(file))
    return declaration


def check_declaration(declaration: Declaration, where: str = "the declaration") -> None:
    """Raise ConfigurationError where the parts of a declaration do not fit each other."""
    from zhongtai.identity.matching.features import block_features

    names = [comparison.name for comparison in declaration.comparisons]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"{where}: two comparisons are called {name!r}", hint=HINT)
    if not names or not declaration.blocking:
        missing = "comparison" if not names else "blocking rule"
        raise ConfigurationError(f"{where}: no {missing}, expected at least one", hint=HINT)
    _check_sufficient(declaration, where)
    known = block_features(declaration)
    training = declaration.training
    for rule in (*declaration.blocking, *training.certain, *training.sessions):
        for reference in rule:
            if reference not in known:
                raise ConfigurationError(
                    f"{where}: a rule blocks on {reference!r}, expected one of"
                    f" {', '.join(sorted(known))}",
                    hint=HINT,
                )
    for reference in (r for rule in (*training.certain, *training.sessions) for r in rule):
        if known[reference].is_list:
            raise ConfigurationError(
                f"{where}: training blocks on the list {reference!r}, expected single values",
                hint=HINT,
            )
    limits = declaration.thresholds
    if not 0 <= limits.floor <= limits.review <= limits.accept <= 1:
        raise ConfigurationError(
            f"{where}: the thresholds are floor {limits.floor}, review {limits.review} and accept"
            f" {limits.accept}, expected 0 ≤ floor ≤ review ≤ accept ≤ 1",
            hint=HINT,
        )


def _check_sufficient(declaration: Declaration, where: str) -> None:
    from zhongtai.identity.matching.levels import level_labels

    labels = {name: set(of.values()) for name, of in level_labels(declaration).items()}
    stricter = declaration.stricter.sufficient if declaration.stricter else ()
    for entry in (*declaration.sufficient, *stricter):
        for name, levels in entry:
            wrong = [level for level in levels if level not in labels.get(name, set())]
            if name not in labels or wrong:
                expected = labels.get(name, labels)
                raise ConfigurationError(
                    f"{where}: 'sufficient' says {', '.join(wrong) if name in labels else name!r},"
                    f" expected one of {', '.join(sorted(expected))}",
                    hint=HINT,
                )


def _read_sufficiency(part: Section) -> Sufficiency:
    return tuple((name, part.texts(name)) for name in part.keys())  # noqa: SIM118


def _read_stricter(part: Section) -> Stricter:
    part.expect_keys(("where", "sufficient"))
    entries = tuple(_read_sufficiency(entry) for entry in part.sections("sufficient"))
    return Stricter(part.text("where"), entries)


def _read_comparison(part: Section) -> Comparison:
    part.expect_keys(_COMPARISON_KEYS)
    kind = part.choice("kind", KINDS)
    columns = part.texts("columns") if "columns" in part else (part.text("column"),)
    expected = KINDS[kind]
    if not columns or (expected is not None and len(columns) != expected):
        raise part.error(f"{kind!r} compares {expected or 'some'} column(s), found {len(columns)}")
    comparison = Comparison(
        name=part.text("name", columns[0]),
        kind=kind,
        columns=columns,
        term_frequencies=part.flag("term_frequencies"),
        similar=tuple(_numbers(part, "similar", 0, 1)),
        edits=tuple(int(number) for number in _numbers(part, "edits", 1, 5)),
        format=part.text("format") if "format" in part else None,
    )
    _check_options(part, comparison)
    return comparison


_OPTIONS = {
    "term_frequencies": ("text", "chinese_name"),
    "similar": ("text",),
    "edits": ("text",),
    "format": ("date",),
}


def _check_options(part: Section, comparison: Comparison) -> None:
    for option, kinds in _OPTIONS.items():
        if option in part and comparison.kind not in kinds:
            raise part.error_at(
                option, f"{option!r} goes with {' and '.join(kinds)}, not with {comparison.kind}"
            )
    if comparison.similar and comparison.edits:
        raise part.error_at("edits", "a text takes 'similar' or 'edits', not both")
    if list(comparison.similar) != sorted(comparison.similar, reverse=True):
        raise part.error_at("similar", "similarities go from the highest down")
    if list(comparison.edits) != sorted(comparison.edits):
        raise part.error_at("edits", "distances go from the lowest up")


def _read_blocks(part: Section, key: str) -> tuple[tuple[str, ...], ...]:
    value = part.value(key) if key in part else []
    is_right = isinstance(value, list) and all(
        isinstance(rule, list) and rule and all(isinstance(item, str) for item in rule)
        for rule in value
    )
    if not is_right:
        raise part.error_at(key, f"{key!r} must be a list of lists such as [name.text, dob.value]")
    return tuple(tuple(rule) for rule in value)


def _read_thresholds(top: Section) -> Thresholds:
    if "thresholds" not in top:
        return Thresholds()
    part = top.section("thresholds")
    part.expect_keys(("accept", "review", "floor"))
    default = Thresholds()
    return Thresholds(
        accept=_number(part, "accept", default.accept),
        review=_number(part, "review", default.review),
        floor=_number(part, "floor", default.floor),
    )


def _read_training(top: Section) -> Training:
    if "training" not in top:
        return Training()
    part = top.section("training")
    part.expect_keys(("certain", "recall", "sessions", "pairs"))
    default = Training()
    return Training(
        certain=_read_blocks(part, "certain"),
        recall=_number(part, "recall", default.recall),
        sessions=_read_blocks(part, "sessions"),
        pairs=_at_least_two(part, "pairs", default.pairs),
    )


def _number(part: Section, key: str, default: float) -> float:
    if key not in part:
        return default
    value = part.value(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise part.error_at(key, f"{key!r} is {value!r}, expected a number from 0 to 1")
    return float(value)


def _numbers(part: Section, key: str, low: float, high: float) -> list[float]:
    value = part.value(key) if key in part else []
    is_right = isinstance(value, list) and all(
        isinstance(item, int | float) and low <= item <= high for item in value
    )
    if not is_right:
        raise part.error_at(key, f"{key!r} must be a list of numbers from {low} to {high}")
    return list(value)


def _at_least_two(part: Section, key: str, default: int) -> int:
    number = part.integer(key, default)
    if number < 2:
        raise part.error_at(key, f"{key!r} is {number}, expected 2 or more")
    return number
