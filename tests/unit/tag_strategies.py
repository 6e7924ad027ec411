"""Random declarations of tags, and random people and facts, around the edges of every window."""

from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st

# naive UTC as facts are; midnight in China
AS_OF = datetime.fromisoformat("2026-03-31T16:00:00")
PEOPLE = ("u_1", "u_2", "u_3", "u_4", "u_5")
DAYS = (1, 2, 7, 30)
TEXTS: dict[str, dict[str, tuple[str, ...]]] = {
    "events": {"source": ("app", "website"), "event": ("view", "click", "book"),
               "series_code": ("S1", "s1", "S2")},
    "leads": {"channel_1": ("官网", "展厅"), "status": ("有效", "无效")},
    "orders": {"series_code": ("S1", "S2")},
    "service_visits": {"dealer_code": ("D1", "D2", "D\"3")},
}  # fmt: skip
NUMBERS = {"events": ("amount_fen",), "orders": ("price_fen",), "service_visits": ("amount_fen",)}
FLAGS = {"leads": ("is_test",), "orders": ("is_cancelled",), "service_visits": ("is_rework",)}
TIMES = {"leads": ("visited_at",), "orders": ("delivered_at",)}
Spec = dict[str, Any]
World = tuple[dict[str, Spec], dict[str, list[Spec]]]


class Dice:
    """A world by chance: hypothesis draws the seed only, else most of what it draws is empty."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  # worlds, no secrets

    def one(self, *choices: Any) -> Any:
        return self._random.choice(choices)

    def maybe(self, *choices: Any) -> Any:
        return None if self._random.random() < 0.15 else self._random.choice(choices)

    def moment(self, latest: int = 2) -> datetime:
        """An instant on, just before or just after an edge of a window, or anywhere near."""
        days = self.one(*range(-latest, 9), *DAYS, 29, 31, 60)
        shift = self.one(0, 0, 1, -1, 8 * 3600, -3600 * 5)
        return AS_OF - timedelta(days=days) + timedelta(seconds=shift)

    def fact(self, fact: str) -> Spec:
        row: Spec = {"one_id": self.maybe(*PEOPLE, *PEOPLE[:2]), "at": self.moment()}
        row |= {column: self.maybe(*texts) for column, texts in TEXTS[fact].items()}
        row |= {column: self.maybe(*range(-3, 6)) for column in NUMBERS.get(fact, ())}
        row |= {column: self.maybe(True, False) for column in FLAGS.get(fact, ())}
        row |= {column: self.maybe(self.moment(latest=40)) for column in TIMES.get(fact, ())}
        return row

    def set_tag(self) -> Spec:
        value = self.one("甲", "7", "2.5", "2026-01-31", "否")
        return {
            "one_id": self.one(*PEOPLE),
            "at": self.moment(),
            "tag_id": f"tag_{self.one(*range(6))}",
            "value": value,
            "is_set": value != "否",
        }

    def person(self) -> Spec:
        days = (
            date(1990, 2, 28), date(1992, 2, 29), date(2000, 4, 1), date(2001, 4, 8),
            date(1999, 3, 31), date(2026, 4, 1), date(2026, 4, 2), date(1985, 12, 31),
        )  # fmt: skip
        return {
            "birth_date": self.maybe(*days),
            "gender": self.maybe("男", "女"),
            "is_owner": self.maybe(True, False),
            "record_count": self.one(1, 2, 3, 4),
            "first_seen_at": self.maybe(self.moment()),
        }

    def world(self) -> World:
        # some worlds are nearly empty, most are not
        most = self.one(1, 8, 20, 40)
        happened = {
            fact: [self.fact(fact) for _ in range(self._random.randint(0, most))] for fact in TEXTS
        }
        for fact in ("manual_tags", "imported_tags"):
            rows = [self.set_tag() for _ in range(12)]
            # a person has one value of a tag: the models below see to it
            happened[fact] = list({(r["one_id"], r["tag_id"]): r for r in rows}.values())
        return {one_id: self.person() for one_id in PEOPLE}, happened


def worlds() -> st.SearchStrategy[World]:
    return st.integers(0, 2**32 - 1).map(lambda seed: Dice(seed).world())


def text_tests(texts: tuple[str, ...]) -> st.SearchStrategy[Any]:
    one, some = st.sampled_from(texts), st.lists(st.sampled_from(texts), min_size=1, max_size=2)
    return (
        one
        | some
        | one.map(lambda text: {"is_not": text})
        | some.map(lambda found: {"not_in": found})
        | st.booleans().map(lambda known: {"known": known})
    )


def number_tests() -> st.SearchStrategy[Spec]:
    names = ("is", "is_not", "at_least", "at_most", "at_most_if_any", "more_than", "less_than")
    simple = st.tuples(st.sampled_from(names), st.integers(-1, 4)).map(lambda t: {t[0]: t[1]})
    return simple | st.integers(0, 2).map(lambda low: {"between": [low, low + 2]})


def date_tests() -> st.SearchStrategy[Spec]:
    days = st.sampled_from([AS_OF.date() - timedelta(days=n) for n in (-3, -1, 0, 1, 30)])
    plain = st.tuples(st.sampled_from(("at_least", "less_than", "is")), days)
    relative = st.tuples(
        st.sampled_from(
            ("within_last_days", "within_next_days", "longer_ago_than_days",
             "further_ahead_than_days", "anniversary_within_days")
        ),
        st.sampled_from((0, 1, 7, 30, 364)),
    )  # fmt: skip
    return (plain | relative).map(lambda t: {t[0]: t[1]})


@st.composite
def wheres(draw: st.DrawFn, fact: str) -> Spec:
    tests: dict[str, st.SearchStrategy[Any]] = {c: text_tests(t) for c, t in TEXTS[fact].items()}
    tests |= {column: number_tests() for column in NUMBERS.get(fact, ())}
    tests |= {column: st.booleans() for column in FLAGS.get(fact, ())}
    tests |= {
        column: date_tests().filter(
            lambda test: next(iter(test)) in ("at_least", "less_than", "is")
        )
        for column in TIMES.get(fact, ())
    }
    tests |= {"local_hour": number_tests(), "local_weekday": st.integers(1, 7)}
    chosen = draw(st.lists(st.sampled_from(sorted(tests)), unique=True, max_size=2))
    return {"where": {column: draw(tests[column]) for column in chosen}} if chosen else {}


@st.composite
def windows(draw: st.DrawFn) -> Spec:
    day = st.sampled_from([date(2026, 3, n) for n in (1, 24, 30, 31)])
    near = st.sampled_from([0, 1, 2, 7])
    return draw(
        st.just({})
        | st.sampled_from(DAYS).map(lambda n: {"within_days": n})
        | st.sampled_from(DAYS).map(lambda n: {"more_than_days_ago": n})
        | near.map(lambda n: {"between_days_ago": [n, n + 5]})
        | day.map(lambda d: {"since": d})
        | day.map(lambda d: {"since": date(2026, 3, 1), "until": d})
    )


@st.composite
def measures(draw: st.DrawFn, key: str) -> Spec:
    fact = draw(st.sampled_from(sorted(TEXTS)))
    takes = ["count", "active_days", "distinct", "days_since_first", "days_since_last", "first"]
    takes += ["sum", "min", "max", "average", "last"] if fact in NUMBERS else []
    take = draw(st.sampled_from(takes))
    spec = {key: take, "fact": fact, **draw(wheres(fact)), **draw(windows())}
    if take in ("distinct", "first"):
        spec["of"] = draw(st.sampled_from(sorted(TEXTS[fact])))
    elif take in ("sum", "min", "max", "average", "last"):
        spec["of"] = NUMBERS[fact][0]
    if take in ("count", "sum") and draw(st.booleans()):
        spec["per"] = draw(st.sampled_from(sorted(TEXTS[fact])))
    return spec


@st.composite
def sequences(draw: st.DrawFn, *, tail: bool) -> Spec:
    spec: Spec = {**draw(windows()), "steps": []}
    if draw(st.booleans()):
        spec["each_within_days"] = draw(st.sampled_from(DAYS))
    if draw(st.booleans()):
        spec["span_days"] = draw(st.sampled_from(DAYS))
    kinds = st.sampled_from(sorted(TEXTS))
    for number in range(draw(st.integers(2, 4))):
        if number and draw(st.booleans()):
            fact = draw(kinds)
            spec["steps"].append({"without": fact, **draw(wheres(fact))})
        fact = draw(kinds)
        step = {"did": fact, **draw(wheres(fact))}
        if number and draw(st.booleans()):
            step["within_days_of_previous"] = draw(st.sampled_from(DAYS))
        spec["steps"].append(step)
    if tail and draw(st.booleans()):
        fact = draw(kinds)
        step = {"without": fact, **draw(wheres(fact))}
        if draw(st.booleans()):
            step["for_days"] = draw(st.sampled_from(DAYS))
        spec["steps"].append(step)
    return spec


@st.composite
def dids(draw: st.DrawFn) -> Spec:
    key = draw(st.sampled_from(("did", "did", "did_not", "did_not_although_active")))
    fact = draw(st.sampled_from(sorted(TEXTS)))
    spec = {key: fact, **draw(wheres(fact)), **draw(windows())}
    if key == "did_not_although_active" and "where" not in spec:
        spec["where"] = {"local_weekday": 2}
    if key == "did" and draw(st.booleans()):
        spec["times"] = draw(number_tests())
        if draw(st.booleans()):
            spec["per"] = draw(st.sampled_from(sorted(TEXTS[fact])))
    return spec


@st.composite
def attributes(draw: st.DrawFn) -> Spec:
    name = draw(st.sampled_from(("gender", "is_owner", "record_count", "first_seen_at", "age")))
    tests: dict[str, st.SearchStrategy[Spec]] = {
        "gender": st.sampled_from(({"is": "男"}, {"not_in": ["女"]}, {"known": False})),
        "is_owner": st.sampled_from(({"is": True}, {"is": False}, {"is_not": True})),
        "record_count": number_tests(),
        "first_seen_at": date_tests(),
        "age": st.sampled_from(({"at_least": 26}, {"between": [0, 25]}, {"known": True})),
    }
    if draw(st.integers(0, 5)) == 0:
        days = draw(st.sampled_from((0, 1, 7, 364)))
        return {"profile": "birth_date", "anniversary_within_days": days}
    return {"profile": name, **draw(tests[name])}


@st.composite
def compared_measures(draw: st.DrawFn) -> Spec:
    if draw(st.booleans()):
        fact = draw(st.sampled_from(sorted(TIMES)))
        spec = {"measure": draw(st.sampled_from(("first", "last", "min", "max"))), "fact": fact}
        return {**spec, "of": TIMES[fact][0], **draw(windows()), **draw(date_tests())}
    spec = draw(measures("measure").filter(lambda m: m["measure"] != "first"))
    return {**spec, **draw(number_tests())}


def conditions() -> st.SearchStrategy[Spec]:
    """Conditions over facts and the profile, nested two deep."""
    simple = dids() | attributes() | compared_measures() | sequences(tail=True).map(
        lambda steps: {"did_in_order": steps}
    )  # fmt: skip
    return joined(simple)


def joined(simple: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
    once = (
        simple
        | st.lists(simple, min_size=1, max_size=3).map(lambda parts: {"all": parts})
        | st.lists(simple, min_size=1, max_size=3).map(lambda parts: {"any": parts})
        | simple.map(lambda part: {"not": part})
    )
    return once | once.map(lambda part: {"not": part})


@st.composite
def of_tags(draw: st.DrawFn, before: list[Spec]) -> Spec:
    tag = draw(st.sampled_from(before))
    tests: dict[str, st.SearchStrategy[Spec]] = {
        "boolean": st.booleans().map(lambda value: {"is": value}),
        "text": st.sampled_from(({"is": "S1"}, {"in": ["甲", "低"]}, {"is_not": "S1"})),
        "integer": number_tests(),
        "number": st.sampled_from(({"at_least": 0.5}, {"between": [0, 0.5]})),
        "date": date_tests(),
        "list": st.sampled_from(
            ({"contains": "S1"}, {"contains_any": ["S1", "app"]}, {"contains_all": ["S1", "S2"]})
        ),
        "shares": st.just({"known": False}),
    }
    kind = draw(tests[tag["value_type"]] | st.booleans().map(lambda known: {"known": known}))
    return {"tag": tag["id"], **kind}


@st.composite
def spreads(draw: st.DrawFn) -> Spec:
    fact = draw(st.sampled_from(sorted(TEXTS)))
    columns = [*sorted(TEXTS[fact]), *FLAGS.get(fact, ()), "local_weekday"]
    spec = {"fact": fact, "of": draw(st.sampled_from(columns)), **draw(wheres(fact))}
    spec |= draw(windows())
    if fact in NUMBERS and draw(st.booleans()):
        spec["by"] = NUMBERS[fact][0]
    if draw(st.booleans()):
        spec["at_least"] = draw(st.integers(1, 3))
    return spec


@st.composite
def bands(draw: st.DrawFn, limits: tuple[float, ...]) -> Spec:
    names = ("低", "中", "高")
    if draw(st.booleans()):
        quantiles = [
            {"value": "低", "at_most_quantile": 0.3},
            {"value": "中", "at_most_quantile": 0.8},
        ]
        return {"bands": [*quantiles, {"value": "高"}], "otherwise": "无"}
    chosen = sorted(draw(st.lists(st.sampled_from(limits), unique=True, min_size=1, max_size=2)))
    listed = [{"value": n, "at_most": limit} for n, limit in zip(names, chosen, strict=False)]
    return {"bands": [*listed, *([{"value": "高"}] if draw(st.booleans()) else [])]}


@st.composite
def metrics(draw: st.DrawFn) -> Spec:
    spec = draw(measures("take").filter(lambda m: m["take"] != "first"))
    if draw(st.booleans()):
        return {"kind": "metric", "value_type": "text", "measure": spec, **draw(bands((0, 1, 3)))}
    kind = "number" if spec["take"] == "average" else "integer"
    return {"kind": "metric", "value_type": kind, "measure": spec}


@st.composite
def firsts(draw: st.DrawFn) -> Spec:
    fact = draw(st.sampled_from(sorted(TEXTS)))
    is_time = fact in TIMES and draw(st.booleans())
    of = TIMES[fact][0] if is_time else draw(st.sampled_from(sorted(TEXTS[fact])))
    spec = {"take": draw(st.sampled_from(("first", "last"))), "fact": fact, "of": of}
    spec |= {**draw(wheres(fact)), **draw(windows())}
    return {"kind": "first_last", "value_type": "date" if is_time else "text", "measure": spec}


@st.composite
def parts(draw: st.DrawFn) -> Spec:
    fact = draw(st.sampled_from(sorted(NUMBERS)))
    spec = {"fact": fact, **draw(wheres(fact)), **draw(windows())}
    spec["part"] = draw(wheres(fact)).get("where", {"local_weekday": 3})
    if draw(st.booleans()):
        spec |= {"take": "sum", "of": NUMBERS[fact][0]}
    if draw(st.booleans()):
        spec["at_least"] = 2
    if draw(st.booleans()):
        limits = draw(bands((0, 0.25, 0.5)))
        return {"kind": "share", "value_type": "text", "share": spec, **limits}
    return {"kind": "share", "value_type": "number", "share": spec}


@st.composite
def rfms(draw: st.DrawFn) -> Spec:
    fact = draw(st.sampled_from(sorted(NUMBERS)))
    spec = {"fact": fact, "money": NUMBERS[fact][0], **draw(wheres(fact)), **draw(windows())}
    spec["cut_by"] = draw(st.sampled_from(("limits", "mean", "quantile")))
    if spec["cut_by"] == "limits":
        spec["cuts"] = {"recency_days": 7, "frequency": 2, "money": 1}
    if spec["cut_by"] == "quantile":
        share = st.sampled_from((0.2, 0.5, 0.8))
        spec["cuts"] = {k: draw(share) for k in ("recency", "frequency", "money")}
    otherwise = {"otherwise": "无"} if draw(st.booleans()) else {}
    return {"kind": "rfm", "value_type": "text", "rfm": spec, **otherwise}


@st.composite
def layered(draw: st.DrawFn, kind: str, tests: st.SearchStrategy[Spec]) -> Spec:
    whens = draw(st.lists(tests, min_size=1, max_size=3))
    listed = [{"value": n, "when": w} for n, w in zip("甲乙丙", whens, strict=False)]
    otherwise = {"otherwise": "丁"} if draw(st.booleans()) else {}
    key = "stages" if kind == "lifecycle" else "values"
    return {"kind": kind, "value_type": "text", key: listed, **otherwise}


def ruled(kind: str, tests: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
    groups = st.sampled_from(({}, {}, {"exclusive_group": "one"}, {"exclusive_group": "two"}))
    body = {"kind": kind, "value_type": "boolean"}
    return st.tuples(tests, groups).map(lambda t: {**body, "rule": t[0], **t[1]})


def bodies() -> st.SearchStrategy[Spec]:
    """What a tag that reads no other tag may be."""
    top = st.sampled_from(({}, {"top": 1}, {"top": 2}))
    tie = st.sampled_from(("latest", "alphabetical"))
    given = st.sampled_from(("boolean", "integer", "date"))
    ttl = st.sampled_from(({}, {"ttl_days": 7}))
    origin = st.sampled_from(("crm.manual_tags", "seeds/tag_imports.csv"))
    return st.one_of(
        ruled("rule", conditions()),
        layered("rule", conditions()),
        layered("lifecycle", conditions()),
        metrics(), firsts(), parts(), rfms(),
        st.tuples(spreads(), tie).map(lambda t: {
            "kind": "preference", "value_type": "text", "prefer": {**t[0], "tie": t[1]}}),
        st.tuples(spreads(), top).map(lambda t: {
            "kind": "list", "value_type": "list", "list": {**t[0], **t[1]}}),
        st.tuples(spreads(), top).map(lambda t: {
            "kind": "distribution", "value_type": "shares", "distribution": {**t[0], **t[1]}}),
        given.flatmap(lambda kind: sequences(tail=kind != "integer").map(lambda steps: {
            "kind": "sequence", "value_type": kind, "sequence": steps})),
        st.sampled_from((0.1, 0.5, 1.0)).map(lambda share: {
            "kind": "control", "value_type": "boolean",
            "control": {"salt": "spring", "share": share}}),
        st.just({"kind": "control", "value_type": "text", "control": {"salt": "arms", "arms": [
            {"value": "甲", "share": 0.3}, {"value": "乙", "share": 0.3}]}}),
        st.tuples(st.sampled_from(("boolean", "text")), ttl).map(lambda t: {
            "kind": "manual", "value_type": t[0], **t[1]}),
        st.tuples(st.sampled_from(("boolean", "text", "integer", "number", "date")), ttl, origin)
        .map(lambda t: {"kind": "import", "value_type": t[0], "import": {"from": t[2]}, **t[1]}),
    )  # fmt: skip


@st.composite
def declarations(draw: st.DrawFn, least: int = 3, most: int = 6) -> list[Spec]:
    """Tags in the order declared; composites read those before them."""
    declared: list[Spec] = []
    for number in range(draw(st.integers(least, most))):
        if declared and draw(st.integers(0, 3)) == 0:
            reads = joined(of_tags(declared))
            body = draw(ruled("composite", reads) | layered("composite", reads))
        else:
            body = draw(bodies())
        declared.append({"id": f"tag_{number}", **body})
    return declared
