"""What docs/tags.md says a tag is, as plainly as Python can: one person after the other, by loops.

Declarations are what YAML gives; a fact is a dict with one_id and `at` (naive UTC); a person is a
dict of attributes. Nothing of the compiler is imported.
"""

# ruff: noqa: PLR0911  # one return for each word of the grammar

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

Row = Mapping[str, Any]
Spec = Mapping[str, Any]
DAY = timedelta(days=1)
CHINA = timedelta(hours=8)
CLASSES = {
    "111": "重要价值", "011": "重要唤回", "101": "重要深耕", "001": "重要挽留",
    "110": "潜力", "010": "一般维持", "100": "新客", "000": "流失",
}  # fmt: skip
OPERATORS = {
    "is", "is_not", "in", "not_in", "at_least", "more_than", "less_than", "at_most",
    "at_most_if_any", "between", "known", "within_last_days", "within_next_days",
    "longer_ago_than_days", "further_ahead_than_days", "anniversary_within_days", "contains",
    "contains_any", "contains_all",
}  # fmt: skip


class World:
    """Everyone's attributes and facts, and the moment at which one looks."""

    def __init__(
        self, persons: Mapping[str, Row], facts: Mapping[str, list[Row]], as_of: datetime
    ) -> None:
        self.persons = persons
        self.as_of = as_of
        self.today = local(as_of)
        self._facts: dict[tuple[str, str], list[Row]] = {}
        for fact, rows in facts.items():
            for row in rows:
                if row["one_id"] is not None and row["at"] < as_of:
                    self._facts.setdefault((fact, row["one_id"]), []).append(row)

    def facts(self, fact: str, one_id: str, spec: Spec) -> list[Row]:
        """The facts of a person that `where` and the window of `spec` select."""
        return [
            row
            for row in self._facts.get((fact, one_id), [])
            if self.selects(spec.get("where", {}), row) and self.in_window(spec, row["at"])
        ]

    def selects(self, where: Spec, row: Row) -> bool:
        return all(self.passes(column_of(row, column), test) for column, test in where.items())

    def passes(self, value: Any, test: Any) -> bool:
        if isinstance(test, Mapping):
            return all(self.compare(value, op, operand) for op, operand in test.items())
        return self.compare(value, "in" if isinstance(test, list) else "is", test)

    def in_window(self, spec: Spec, at: datetime) -> bool:
        if "within_days" in spec and at < self.as_of - spec["within_days"] * DAY:
            return False
        if "more_than_days_ago" in spec and at >= self.as_of - spec["more_than_days_ago"] * DAY:
            return False
        if "between_days_ago" in spec:
            near, far = spec["between_days_ago"]
            if not self.as_of - far * DAY <= at < self.as_of - near * DAY:
                return False
        return spec.get("since", date.min) <= local(at) <= spec.get("until", date.max)

    def compare(self, value: Any, operator: str, operand: Any) -> bool:
        if operator == "known":
            return (value is not None) == operand
        if value is None:
            return False
        if isinstance(value, datetime):
            value = local(value)
        return TESTS[operator](value, operand, self.today)


def local(at: datetime) -> date:
    return (at + CHINA).date()


def column_of(row: Row, column: str) -> Any:
    if column == "local_hour":
        return (row["at"] + CHINA).hour
    return local(row["at"]).isoweekday() if column == "local_weekday" else row[column]


def anniversary(day: date, year: int) -> date:
    is_leap_day = (day.month, day.day) == (2, 29)
    try:
        return day.replace(year=year)
    except ValueError:
        assert is_leap_day
        return date(year, 2, 28)


def days_to_anniversary(day: date, today: date) -> int | None:
    coming = [anniversary(day, year) for year in (today.year, today.year + 1)]
    return next(((c - today).days for c in coming if c >= today and c > day), None)


def near_anniversary(day: date, days: int, today: date) -> bool:
    left = days_to_anniversary(day, today)
    return left is not None and left <= days


TESTS: Mapping[str, Callable[[Any, Any, date], bool]] = {
    "is": lambda v, o, _: v == o,
    "is_not": lambda v, o, _: v != o,
    "in": lambda v, o, _: v in o,
    "not_in": lambda v, o, _: v not in o,
    "at_least": lambda v, o, _: v >= o,
    "more_than": lambda v, o, _: v > o,
    "less_than": lambda v, o, _: v < o,
    "at_most": lambda v, o, _: v <= o,
    "at_most_if_any": lambda v, o, _: 0 < v <= o,
    "between": lambda v, o, _: o[0] <= v <= o[1],
    "within_last_days": lambda v, o, today: 0 <= (today - v).days <= o,
    "within_next_days": lambda v, o, today: 0 <= (v - today).days <= o,
    "longer_ago_than_days": lambda v, o, today: (today - v).days > o,
    "further_ahead_than_days": lambda v, o, today: (v - today).days > o,
    "anniversary_within_days": near_anniversary,
    "contains": lambda v, o, _: o in v,
    "contains_any": lambda v, o, _: bool(set(v) & set(o)),
    "contains_all": lambda v, o, _: set(v) >= set(o),
}


def operators_of(spec: Spec) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in spec.items() if key in OPERATORS]


def holds(condition: Spec, one_id: str, world: World, tags: Mapping[str, Any]) -> bool:
    """Whether a condition holds for a person; `tags` are the values of the tags before."""
    if "all" in condition:
        return all(holds(part, one_id, world, tags) for part in condition["all"])
    if "any" in condition:
        return any(holds(part, one_id, world, tags) for part in condition["any"])
    if "not" in condition:
        return not holds(condition["not"], one_id, world, tags)
    if "profile" in condition:
        value = attribute(world.persons[one_id], condition["profile"], world.today)
        return all(world.compare(value, *test) for test in operators_of(condition))
    if "tag" in condition:
        return all(world.compare(tags[condition["tag"]], *test) for test in operators_of(condition))
    if "did_in_order" in condition:
        return bool(completions(condition["did_in_order"], one_id, world))
    if "measure" in condition:
        value = measure(condition["measure"], condition, one_id, world)
        return all(world.compare(value, *test) for test in operators_of(condition))
    return did(condition, one_id, world)


def attribute(person: Row, name: str, today: date) -> Any:
    if name != "age":
        return person[name]
    born = person["birth_date"]
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def did(condition: Spec, one_id: str, world: World) -> bool:
    if "did_not" in condition:
        return not world.facts(condition["did_not"], one_id, condition)
    if "did_not_although_active" in condition:
        fact = condition["did_not_although_active"]
        window = {key: value for key, value in condition.items() if key != "where"}
        is_active = bool(world.facts(fact, one_id, window))
        return is_active and not world.facts(fact, one_id, condition)
    number = measure("count", {**condition, "fact": condition["did"]}, one_id, world)
    return world.passes(number, condition.get("times", {"at_least": 1}))


def measure(take: str, spec: Spec, one_id: str, world: World) -> Any:
    rows = world.facts(spec["fact"], one_id, spec)
    if "per" in spec:
        values = {column_of(row, spec["per"]) for row in rows} - {None}
        parts = [[r for r in rows if column_of(r, spec["per"]) == value] for value in values]
        return max((taken(take, spec, part, world) for part in parts), default=0)
    return taken(take, spec, rows, world)


def taken(take: str, spec: Spec, rows: list[Row], world: World) -> Any:
    days = sorted(local(row["at"]) for row in rows)
    if take == "count":
        return len(rows)
    if take == "active_days":
        return len(set(days))
    if take in ("days_since_first", "days_since_last"):
        return (world.today - days[0 if take.endswith("first") else -1]).days if days else None
    known = [(row["at"], column_of(row, spec["of"])) for row in rows]
    known = sorted((at, value) for at, value in known if value is not None)
    values = [value for _, value in known]
    if take == "distinct":
        return len(set(values))
    if take == "sum":
        return sum(values)
    if not values:
        return None
    return {
        "min": min(values),
        "max": max(values),
        "first": values[0],
        "last": values[-1],
        "average": sum(values) / len(values) if take == "average" else None,
    }[take]


def scores(spec: Spec, one_id: str, world: World) -> dict[str, tuple[int, datetime]]:
    """value -> its number (or sum) and when it was last selected, over all that the person has."""
    found: dict[str, tuple[int, datetime]] = {}
    selected = world.facts(spec["fact"], one_id, spec)
    for row in selected:
        value = column_of(row, spec["of"])
        if value is not None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            score, last = found.get(text, (0, row["at"]))
            more = (row[spec["by"]] or 0) if "by" in spec else 1
            found[text] = score + more, max(last, row["at"])
    return found


def preferred(spec: Spec, one_id: str, world: World) -> str | None:
    found = scores(spec, one_id, world)
    ranked = sorted(found)
    if spec["tie"] == "latest":
        ranked.sort(key=lambda value: found[value][1], reverse=True)
    ranked.sort(key=lambda value: found[value][0], reverse=True)
    best = ranked[:1]
    return best[0] if best and found[best[0]][0] >= spec.get("at_least", 1) else None


def strongest(found: Mapping[str, tuple[int, datetime]], top: int | None) -> list[str]:
    return sorted(found, key=lambda value: (-found[value][0], value))[:top]


def listed(spec: Spec, one_id: str, world: World) -> list[str] | None:
    found = scores(spec, one_id, world)
    chosen = strongest(found, spec.get("top"))
    return sorted(v for v in chosen if found[v][0] >= spec.get("at_least", 1)) or None


def shares(spec: Spec, one_id: str, world: World) -> str | None:
    found = {v: s for v, s in scores(spec, one_id, world).items() if s[0] > 0}
    whole = sum(score for score, _ in found.values())
    if whole < spec.get("at_least", 1):
        return None
    entries = [
        f"{json.dumps(value, ensure_ascii=False)}:"
        f"{math.floor(float(found[value][0]) * 10000 / whole + 0.5) / 10000}"
        for value in strongest(found, spec.get("top"))
    ]
    return f"{{{','.join(entries)}}}"


def share(spec: Spec, one_id: str, world: World) -> float | None:
    rows = world.facts(spec["fact"], one_id, spec)
    part = [row for row in rows if world.selects(spec["part"], row)]
    take = spec.get("take", "count")
    whole = taken(take, spec, rows, world)
    return taken(take, spec, part, world) / whole if whole >= spec.get("at_least", 1) else None


def chains(spec: Spec, one_id: str, world: World) -> list[list[datetime]]:
    """Every choice of moments that takes the person through the first steps, of any length."""
    steps: list[Spec] = []
    between: list[list[Spec]] = []
    absent: list[Spec] = []
    for step in spec["steps"]:
        if "without" in step:
            absent.append(step)
        else:
            steps.append(step)
            between.append(absent)
            absent = []
    found: list[list[datetime]] = [[]]
    for chain in found:
        if len(chain) < len(steps):
            step = steps[len(chain)]
            rows = world.facts(step["did"], one_id, {"where": step.get("where", {})})
            moments = sorted({r["at"] for r in rows if world.in_window(spec, r["at"])})
            barriers = [
                row["at"]
                for part in between[len(chain)]
                for row in world.facts(part["without"], one_id, {"where": part.get("where", {})})
            ]
            gap = step.get("within_days_of_previous", spec.get("each_within_days"))
            span = spec.get("span_days")
            found += [[*chain, at] for at in moments if may_follow(chain, at, gap, span, barriers)]
    return found


def may_follow(
    chain: list[datetime],
    at: datetime,
    gap: int | None,
    span: int | None,
    barriers: Iterable[datetime],
) -> bool:
    if not chain:
        return True
    if at <= chain[-1] or (gap is not None and at > chain[-1] + gap * DAY):
        return False
    if span is not None and at > chain[0] + span * DAY:
        return False
    return not any(chain[-1] < barrier < at for barrier in barriers)


def completions(spec: Spec, one_id: str, world: World) -> list[datetime]:
    """When the last step of each completion was."""
    steps = [step for step in spec["steps"] if "did" in step]
    after: list[Spec] = []
    for step in reversed(spec["steps"]):
        if "did" in step:
            break
        after.append(step)
    for_days = max((step.get("for_days", 0) for step in after), default=0)
    followers = [
        row["at"]
        for step in after
        for row in world.facts(step["without"], one_id, {"where": step.get("where", {})})
    ]
    found = []
    for chain in chains(spec, one_id, world):
        if len(chain) == len(steps):
            end = chain[-1] + for_days * DAY
            if for_days and end > world.as_of:
                continue
            if not any(chain[-1] < f and (not for_days or f < end) for f in followers):
                found.append(chain[-1])
    return found


def quantile(values: list[Any], share_of_all: float) -> Any:
    """The smallest value that at least this share of the values does not exceed."""
    number = math.ceil(len(values) * Fraction(str(share_of_all)))
    return sorted(values)[max(number, 1) - 1]


def banded(spec: Spec, values: Mapping[str, Any]) -> dict[str, Any]:
    """Every person's value by its band, where there are bands."""
    bands = spec.get("bands")
    if not bands:
        return {o: local(v) if isinstance(v, datetime) else v for o, v in values.items()}
    known = [value for value in values.values() if value is not None]
    limits = [
        quantile(known, band["at_most_quantile"])
        if "at_most_quantile" in band and known
        else band.get("at_most", math.inf)
        for band in bands
    ]

    def name(value: Any) -> Any:
        if value is None:
            return spec.get("otherwise")
        fitting = [b["value"] for b, limit in zip(bands, limits, strict=True) if value <= limit]
        return fitting[0] if fitting else None

    return {one_id: name(value) for one_id, value in values.items()}


def rfm(spec: Spec, otherwise: Any, world: World) -> dict[str, Any]:
    dimensions = {}
    for one_id in world.persons:
        rows = world.facts(spec["fact"], one_id, spec)
        if rows:
            summed = sum(row[spec["money"]] or 0 for row in rows)
            last = max(local(row["at"]) for row in rows)
            dimensions[one_id] = ((world.today - last).days, len(rows), summed)
    cuts = rfm_cuts(spec, list(dimensions.values()))
    found = dict.fromkeys(world.persons, otherwise)
    for one_id, (recency, frequency, money) in dimensions.items():
        highs = recency <= cuts[0], frequency >= cuts[1], money >= cuts[2]
        found[one_id] = CLASSES["".join(str(int(high)) for high in highs)]
    return found


def rfm_cuts(spec: Spec, rows: list[tuple[int, int, int]]) -> tuple[Any, ...]:
    if spec["cut_by"] == "limits":
        return tuple(spec["cuts"][key] for key in ("recency_days", "frequency", "money"))
    columns = list(zip(*rows, strict=True)) or [(0,), (0,), (0,)]
    if spec["cut_by"] == "mean":
        return tuple(sum(column) / len(column) for column in columns)
    recency, frequency, money = (spec["cuts"][k] for k in ("recency", "frequency", "money"))
    return (
        quantile(list(columns[0]), round(1 - recency, 9)),
        quantile(list(columns[1]), frequency),
        quantile(list(columns[2]), money),
    )


def place(salt: str, one_id: str) -> float:
    return int(hashlib.md5(f"{salt}:{one_id}".encode()).hexdigest()[:8], 16) / 2**32  # noqa: S324


def arm(spec: Spec, one_id: str) -> Any:
    if "share" in spec:
        return place(spec["salt"], one_id) < spec["share"]
    end = 0.0
    for part in spec["arms"]:
        end = round(end + part["share"], 9)
        if place(spec["salt"], one_id) < end:
            return part["value"]
    return None


def sequence(spec: Spec, value_type: str, one_id: str, world: World) -> Any:
    if value_type == "integer":
        return max(len(chain) for chain in chains(spec, one_id, world))
    ends = completions(spec, one_id, world)
    if value_type == "boolean":
        return bool(ends)
    return local(max(ends)) if ends else None


def set_value(tag: Spec, fact: str, one_id: str, world: World) -> Any:
    window = {"within_days": tag["ttl_days"]} if "ttl_days" in tag else {}
    rows = world.facts(fact, one_id, {"where": {"tag_id": tag["id"]}, **window})
    if tag["value_type"] == "boolean":
        return any(row["is_set"] for row in rows)
    text = taken("last", {"of": "value"}, rows, world)
    return parsed(text, tag["value_type"])


def parsed(text: str | None, value_type: str) -> Any:
    if text is None or value_type == "text":
        return text
    readers: dict[str, Callable[[str], Any]] = {
        "integer": int, "number": float, "date": date.fromisoformat,
    }  # fmt: skip
    try:
        return readers[value_type](text)
    except ValueError:
        return None


def evaluate(declared: list[Spec], world: World) -> dict[str, dict[str, Any]]:
    """one_id -> tag -> value, of tags that are declared after those they read."""
    values: dict[str, dict[str, Any]] = {one_id: {} for one_id in world.persons}
    groups: dict[str, set[str]] = {}
    for tag in declared:
        taken_by = groups.setdefault(tag.get("exclusive_group", ""), set())
        for one_id, value in of_everyone(tag, world, values).items():
            is_late = "exclusive_group" in tag and one_id in taken_by
            values[one_id][tag["id"]] = False if is_late else value
            if "exclusive_group" in tag and value:
                taken_by.add(one_id)
    return values


def of_everyone(
    tag: Spec, world: World, before: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any]:
    if "measure" in tag:
        spec = tag["measure"]
        raw = {o: measure(spec["take"], spec, o, world) for o in world.persons}
        return banded(tag, raw)
    if "share" in tag:
        return banded(tag, {o: share(tag["share"], o, world) for o in world.persons})
    if "rfm" in tag:
        return rfm(tag["rfm"], tag.get("otherwise"), world)
    return {o: of_person(tag, o, world, before[o]) for o in world.persons}


def of_person(tag: Spec, one_id: str, world: World, before: Mapping[str, Any]) -> Any:
    if "rule" in tag:
        return holds(tag["rule"], one_id, world, before)
    for key in ("values", "stages"):
        if key in tag:
            layers = tag[key] if key == "values" else tag[key][::-1]
            held = (la["value"] for la in layers if holds(la["when"], one_id, world, before))
            return next(held, tag.get("otherwise"))
    single: dict[str, Callable[[Spec, str, World], Any]] = {
        "prefer": preferred, "list": listed, "distribution": shares,
    }  # fmt: skip
    for key, compute in single.items():
        if key in tag:
            return compute(tag[key], one_id, world)
    if "sequence" in tag:
        return sequence(tag["sequence"], tag["value_type"], one_id, world)
    if "control" in tag:
        return arm(tag["control"], one_id)
    if tag["kind"] == "manual":
        return set_value(tag, "manual_tags", one_id, world)
    source = {"crm.manual_tags": "manual_tags", "seeds/tag_imports.csv": "imported_tags"}
    return set_value(tag, source[tag["import"]["from"]], one_id, world)
