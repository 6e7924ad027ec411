"""metrics_tag_daily: who came and went since the day began, and the drift of it in the gate."""

import math
import random
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from tag_histories import START, Day, Life, Warehouse

from zhongtai.quality.drift.bands import Day as Weekday
from zhongtai.quality.drift.bands import Seen
from zhongtai.quality.drift.history import History
from zhongtai.quality.drift.judgement import find_deviations
from zhongtai.quality.drift.limits import load_limits
from zhongtai.quality.drift.measures import FIXED
from zhongtai.quality.drift.tags import measure_tags
from zhongtai.settings import load_settings
from zhongtai.tags import load_tags
from zhongtai.tags.health import _scans_of
from zhongtai.tags.plan import plan_scans

PROJECT = Path(__file__).parents[2]
_NUMBERS = (
    "value, users, users_entered, users_stayed, users_left, coverage_num, tag_entered, tag_stayed,"
    " tag_left, churn_num, churn_den"
)


def local_date(as_of: datetime) -> date:
    return (as_of + timedelta(hours=8)).date()


def count_changes(
    before: set[tuple[str, str, str]], now: set[tuple[str, str, str]], tag: str
) -> set[tuple[object, ...]]:
    """What metrics_tag_daily has to say of a tag, from who had what and has what."""
    had = {(person, value) for person, of, value in before if of == tag}
    has = {(person, value) for person, of, value in now if of == tag}
    had_any, has_any = {p for p, _ in had}, {p for p, _ in has}
    of_tag = (
        len(has_any),
        len(has_any - had_any),
        len(has_any & had_any),
        len(had_any - has_any),
        len({p for p, _ in had - has}),
        len(had_any),
    )
    rows = set()
    for value in {v for _, v in had | has}:
        one, other = {p for p, v in has if v == value}, {p for p, v in had if v == value}
        of_value = (len(one), len(one - other), len(one & other), len(other - one))
        rows.add((value, *of_value, *of_tag))
    if not has:
        rows.add(("(none)", 0, 0, 0, 0, *of_tag))
    return rows


@pytest.mark.parametrize("seed", range(8))
def test_who_came_and_went_since_the_day_began(seed: int) -> None:
    life, warehouse = Life(seed), Warehouse()
    as_of, published = START, {}
    for _ in range(25):
        as_of += timedelta(hours=life.draw.choice([5, 11, 24, 30]))
        life.live()
        warehouse.run(life, as_of)
        published[as_of] = (life.held(), dict(life.redirects))
        began = datetime.combine(local_date(as_of), datetime.min.time()) - timedelta(hours=8)
        earlier = [moment for moment in published if moment < began]
        before = published[max(earlier)][0] if earlier else set()
        # a person is counted under the id of now
        before = {(life.redirects.get(p, p), tag, value) for p, tag, value in before}
        for tag in ("recent", "stage", "vip"):
            today = f"date = '{local_date(as_of)}' and tag_id = '{tag}'"
            assert set(warehouse.days(today, _NUMBERS)) == count_changes(before, life.held(), tag)
    days = {local_date(moment) for moment in published}
    assert {row[0] for row in warehouse.days("tag_id = 'stage'", "date")} == days
    # the history of this tag is shorter
    oldest = min(row[0] for row in warehouse.days("tag_id = 'recent'", "date"))
    assert (max(days) - oldest).days <= 6


def test_a_number_is_one_value_and_shifts_by_its_magnitude() -> None:
    warehouse = Warehouse()
    persons = [f"u_{number:03}" for number in range(100)]
    tags = [("visits", "v1", "metric", "integer", 400), ("models", "v1", "list", "list", 400)]

    def publish(days: int, visits: int) -> list[tuple[object, ...]]:
        held = {(person, "visits", str(visits)) for person in persons}
        held |= {(person, "models", value) for person in persons for value in ("a", "b")}
        warehouse.publish(Day(persons, held, tags), START + timedelta(days=days))
        return warehouse.days(
            f"date = '{local_date(START + timedelta(days=days))}' and tag_id = 'visits'",
            "value, users, users_stayed, churn, stability_index",
        )

    assert publish(0, 5) == [("(any)", 100, 0, None, None)]
    ((value, users, stayed, churn, stability),) = publish(1, 6)
    assert (value, users, stayed, churn) == ("(any)", 100, 100, 0.0)
    assert stability == pytest.approx(0.0)
    ((_, _, _, churn, stability),) = publish(2, 60)
    assert churn == 0.0
    assert stability > 1
    models = warehouse.days(f"tag_id = 'models' and date = '{date(2026, 1, 3)}'", "value, users")
    assert models == [("a", 100), ("b", 100)]


def test_the_stability_index_is_that_of_the_textbook() -> None:
    warehouse = Warehouse()
    persons = [f"u_{number:04}" for number in range(1000)]
    tags = [("stage", "v1", "rule", "text", 400)]
    before = Counter({"a": 600, "b": 300, "(none)": 100})
    now = Counter({"a": 500, "b": 350, "c": 50, "(none)": 100})
    for day, counts in enumerate((before, now)):
        values = [value for value, number in sorted(counts.items()) for _ in range(number)]
        held = {(p, "stage", v) for p, v in zip(persons, values, strict=True) if v != "(none)"}
        warehouse.publish(Day(persons, held, tags), START + timedelta(days=day))
    expected = 0.0
    for value in ("a", "b", "c", "(none)"):
        one, other = ((c[value] + 0.5) / (1000 + 0.5 * 4) for c in (now, before))
        expected += (one - other) * math.log(one / other)
    ((found,),) = set(warehouse.days("date = '2026-01-02'", "stability_index"))
    assert found == pytest.approx(expected)


class Gate:
    """The drift check over tags, day after day; what it does not hold is published."""

    def __init__(self, seed: int = 1) -> None:
        self.draw = random.Random(seed)  # noqa: S311  # no secret
        self.warehouse = Warehouse()
        self.warehouse.connection.execute("create schema metrics")
        self.limits = load_limits(load_settings(project_dir=PROJECT), FIXED)
        self.values: dict[str, list[Seen]] = {}
        self.persons = [f"u_{number:04}" for number in range(900)]
        self.owners = set(self.persons[:600])
        self.days = 0

    def live(self, *, version: str = "v1", is_broken: bool = False) -> tuple[list[str], list[str]]:
        """A day; what of tags would hold its candidate, and what only warns."""
        self.days += 1
        born = range(len(self.persons), len(self.persons) + self.draw.randint(0, 15))
        self.persons += [f"u_{number:04}" for number in born]
        self.owners ^= set(self.draw.sample(self.persons, 12))
        held = {(p, "owner", "true") for p in self.owners if not is_broken or p < "u_0080"}
        held |= {(p, "band", self.draw.choice("高中低")) for p in self.persons[::2]}
        tags = [("owner", version, "rule", "boolean", 400), ("band", "v1", "rule", "text", 400)]
        as_of = START + timedelta(days=self.days)
        self.warehouse.publish(Day(self.persons, held, tags), as_of)
        self.warehouse.connection.execute(
            "create or replace table metrics.metrics_tag_daily as from main.metrics_tag_daily"
        )
        measured = measure_tags(self.warehouse.connection)
        history = History(self.days - 1, "s", True, {}, self.values)
        today = Weekday(as_of.weekday())
        out = [
            [str(d) for d in find_deviations(self.limits, measured, history, today, young=young)]
            for young in (False, True)
        ]
        if not out[0]:
            for name, value in measured.items():
                self.values.setdefault(name, []).insert(0, Seen(value, as_of.weekday()))
        return out[0], out[1]


def test_ordinary_days_raise_no_alarm_not_even_the_first_ones() -> None:
    gate = Gate()
    told = [gate.live() for _ in range(25)]
    assert told == [([], [])] * 25
    assert {name.split(".")[1] for name in gate.values} == {"coverage", "stability", "churn"}


def test_a_tag_that_most_persons_lose_holds_the_candidate_and_is_told_with_numbers() -> None:
    gate = Gate()
    for _ in range(15):
        gate.live()
    held, _ = gate.live(is_broken=True)
    assert any(told.startswith("tags.coverage.owner@v1 0.0") for told in held)
    assert any(told.startswith("tags.churn.owner@v1 0.8") for told in held)
    assert all("expected" in told and "lately" in told for told in held)
    assert not any("band" in told for told in held)


def test_in_the_first_days_a_lost_tag_only_warns() -> None:
    gate = Gate()
    for _ in range(5):
        gate.live()
    held, warned = gate.live(is_broken=True)
    assert held == []
    assert any(told.startswith("tags.coverage.owner@v1") for told in warned)


def test_a_rule_that_changed_on_purpose_begins_anew() -> None:
    gate = Gate()
    for _ in range(15):
        gate.live()
    assert gate.live(version="v2", is_broken=True) == ([], [])


def test_few_persons_are_not_measured() -> None:
    gate = Gate()
    gate.persons, gate.owners = gate.persons[:100], set(gate.persons[:50])
    gate.live()
    assert gate.values == {}


def test_the_costs_of_a_tag_are_those_of_the_statements_behind_it() -> None:
    tags = load_tags(PROJECT)
    scans = dict(_scans_of(tags, plan_scans(tags)))
    assert [scan.model for scan in scans["test_driven"]] == ["int_tags__test_drives"]
    # a composite tag rests on what its parts rest on
    parts = {scan.model for scan in scans["contactable_by_wecom"]}
    assert parts
    assert parts <= {scan.model for scan in scans["contactable_by_both"]}
