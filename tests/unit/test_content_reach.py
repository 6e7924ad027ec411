"""metrics_content_reach_monthly: known readers of content, their leads and their visits."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from random import Random

import pytest
from metrics_bench import AS_OF, Bench, as_utc, only, ratio
from users_cases import Row, compiled, event, give_events, give_visits

from reference.content_reach import Reader, content_reach

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
TABLE = "metrics_content_reach_monthly"
# a leap day, the ends of a short and a long month, as-of itself
MOMENTS = ["2026-01-31T23:59:59", "2026-02-01", "2026-03-01", "2026-03-31", "2026-06-03"]
MOMENTS += ["2026-06-02T23:59:59", "2026-06-03T00:00:01", "2026-08-01", "2026-08-31T12:00"]
STEPS = [-30 * DAY, -DAY, -SECOND, timedelta(0), SECOND, DAY, 30 * DAY, 31 * DAY, 90 * DAY]


@pytest.fixture
def bench() -> Bench:
    return Bench(compiled())


def give(bench: Bench, persons: Mapping[str, Reader], valid: str = "有效") -> None:
    """Stage what persons did; likes and shares take turns."""
    events: list[Row] = []
    for who, person in persons.items():
        events += [event("ViewContent", at, who, content_id="N1") for at in person.views]
        others = zip(["LikeContent", "ShareContent"] * len(person.others), person.others)  # noqa: B905
        events += [event(name, at, who, content_id="N1") for name, at in others]
    give_events(bench, events)
    leads = [(who, at) for who, person in persons.items() for at in person.leads]
    bench.given(
        "stg_crm__leads",
        [
            {"record_key": f"L{n}", "lead_id": f"L{n}", "created_at": at, "status": valid}
            | {"is_test": False}
            for n, (_who, at) in enumerate(leads)
        ],
    )
    bench.persons("crm", "leads", {f"L{n}": who for n, (who, _at) in enumerate(leads)})
    give_visits(bench, {who: person.visits for who, person in persons.items()})


@pytest.mark.parametrize(
    ("after", "counted"),
    [(timedelta(0), (1, 1)), (30 * DAY, (1, 1)), (30 * DAY + SECOND, (0, 1)), (-SECOND, (0, 1))],
)
def test_a_lead_follows_content_within_30_days(
    bench: Bench, after: timedelta, counted: tuple[int, int]
) -> None:
    read = as_utc("2026-07-01T12:00")
    give(bench, {"u1": Reader(views=[read], leads=[read + after])})
    rows = {row["month"]: row for row in bench.build(TABLE)}
    lead_month = (read + after + timedelta(hours=8)).date().replace(day=1)
    assert ratio(rows[lead_month], "content_lead_rate") == counted


def test_a_lead_of_the_next_month_has_its_reader_in_the_denominator(bench: Bench) -> None:
    read = as_utc("2026-01-31")
    give(bench, {"u1": Reader(others=[read], leads=[as_utc("2026-03-02")])})
    rows = {row["month"]: row for row in bench.build(TABLE)}
    assert {month: ratio(row, "content_lead_rate") for month, row in rows.items()} == {
        date(2026, 1, 1): (0, 1),
        date(2026, 2, 1): (0, 1),
        date(2026, 3, 1): (1, 1),
    }
    assert [rows[date(2026, month, 1)]["content_readers"] for month in (1, 2, 3)] == [1, 0, 0]
    assert {row["content_views"] for row in rows.values()} == {0}


def test_a_lead_that_is_not_valid_was_not_won(bench: Bench) -> None:
    read = as_utc("2026-08-01")
    give(bench, {"u1": Reader(views=[read], leads=[read])}, valid="无效")
    row = only(bench.build(TABLE))
    assert (row["content_leads"], row["content_lead_rate"]) == (0, 0.0)


def draw(random: Random) -> Reader:
    """A person whose steps crowd around the limits."""
    pick, found = random.choice, Reader()
    start = as_utc(pick(MOMENTS))

    def times(most: int) -> list[datetime]:
        drawn = [start + pick(STEPS) for _ in range(random.randrange(most + 1))]
        return [at for at in drawn if at < AS_OF]

    found.views, found.others = times(3), times(1)
    found.leads, found.visits = times(3), times(2)
    return found


def test_two_hundred_worlds_count_what_the_definition_says(bench: Bench) -> None:
    expected: dict[date, Counter[str]] = {}
    everybody: dict[str, Reader] = {}
    for world in range(200):
        random = Random(world)  # noqa: S311  # repeatable, not secret
        persons = {f"w{world}-{number}": draw(random) for number in range(4)}
        everybody |= persons
        for month, counts in content_reach(list(persons.values()), AS_OF).items():
            expected.setdefault(month, Counter()).update(counts)
    give(bench, everybody)
    rows = {row.pop("month"): row for row in bench.build(TABLE)}
    assert rows.keys() == expected.keys()
    for month, row in rows.items():
        rates = {
            name: ratio(row, name) for name in ("content_lead_rate", "reader_to_visit_rate_90d")
        }
        assert rates["content_lead_rate"][1] > 0
        counts = {name: value for name, value in row.items() if isinstance(value, int)}
        assert counts == {name: expected[month][name] for name in counts}
    total: Counter[str] = sum(expected.values(), Counter())
    assert len(total) == 8
    assert min(total.values()) > 20
