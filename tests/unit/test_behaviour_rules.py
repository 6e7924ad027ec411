"""metrics_behaviour_rule_weekly: more than ten views and a finance click, against its claim."""

from datetime import date, datetime, timedelta
from random import Random

import pytest
from metrics_bench import AS_OF, Bench, as_utc, only, ratio
from users_cases import Row, compiled, event, give_events

from reference.behaviour import Behaviour, behaviour_rule, wilson

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
T0 = AS_OF - 20 * DAY  # the click that completes the rule
WORLDS = 240


@pytest.fixture
def bench() -> Bench:
    return Bench(compiled())


def views(count: int, first: datetime = T0 - 10 * DAY, person: str = "u1") -> list[Row]:
    return [
        event("ViewSeries", first + n * timedelta(hours=1), person, series_code="A")
        for n in range(count)
    ]


def click(at: datetime = T0, person: str = "u1", series: str = "A") -> Row:
    return event("ClickFinance", at, person, series_code=series, plan="P12")


def inquiry(at: datetime, person: str = "u1", series: str = "A") -> Row:
    return event("SubmitInquiry", at, person, series_code=series, inquiry_id="Q1")


def hits_of(bench: Bench, *rows: Row) -> list[datetime]:
    give_events(bench, list(rows))
    found = bench.build("int_behaviour_rules__hits")
    return sorted(row["hit_at"] for row in found)


@pytest.mark.parametrize(
    ("rows", "hits"),
    [
        pytest.param([*views(11), click()], [T0], id="eleven-views-then-a-click"),
        pytest.param([*views(10), click()], [], id="ten-views-are-not-more-than-ten"),
        pytest.param(views(11), [], id="no-click"),
        pytest.param(
            [*views(10), click(T0 - DAY), *views(1, T0)], [T0], id="the-eleventh-view-after-it"
        ),
        pytest.param(
            [*views(10), event("ViewConfig", T0 - DAY, "u1", series_code="A"), click()],
            [],
            id="a-configuration-is-no-view-of-the-series",
        ),
        pytest.param(
            [*views(10), event("ViewSeries", T0 - DAY, "u1", series_code="B"), click()],
            [],
            id="views-of-two-series-do-not-add-up",
        ),
        pytest.param([*views(11), click(series="B")], [], id="a-click-on-another-series"),
        pytest.param(
            [*views(1, T0 - 30 * DAY), *views(10), click()], [], id="the-first-30-days-before"
        ),
        pytest.param(
            [*views(1, T0 - 30 * DAY + SECOND), *views(10), click()], [T0], id="a-second-younger"
        ),
        pytest.param([*views(11), click(), inquiry(T0 - DAY)], [], id="has-inquired-before"),
        pytest.param(
            [*views(11), click(), inquiry(T0 - DAY, series="B")], [], id="about-another-series"
        ),
        pytest.param([*views(11), click(), inquiry(T0 - 30 * DAY)], [], id="thirty-days-before"),
        pytest.param(
            [*views(11), click(), inquiry(T0 - 30 * DAY - SECOND)], [T0], id="longer-before"
        ),
        pytest.param([*views(11), click(), inquiry(T0)], [T0], id="inquires-at-the-same-moment"),
        pytest.param(
            [*views(40, T0 - 5 * DAY), click(), click(T0 + DAY)], [T0], id="once-in-30-days"
        ),
        pytest.param(
            [*views(11, T0 - 40 * DAY), click(T0 - 39 * DAY), *views(11), click(T0 - 9 * DAY)],
            [T0 - 39 * DAY, T0 - 9 * DAY],
            id="again-after-30-days",
        ),
    ],
)
def test_the_rule_hits_when_its_words_say_so(
    bench: Bench, rows: list[Row], hits: list[datetime]
) -> None:
    assert hits_of(bench, *rows) == hits


def test_views_of_one_person_on_two_surfaces_add_up(bench: Bench) -> None:
    rows = [*views(6), *views(5, T0 - 5 * DAY, person="u1-web"), click()]
    give_events(bench, rows)
    bench.connection.execute("update profiles.bridge_user_records set one_id = 'u1'")
    assert len(bench.build("int_behaviour_rules__hits")) == 1


@pytest.mark.parametrize(
    ("after", "counted"),
    [
        pytest.param(timedelta(0), (0, 1), id="at-the-hit"),
        pytest.param(SECOND, (1, 1), id="a-second-later"),
        pytest.param(3 * DAY, (1, 1), id="after-72-hours"),
        pytest.param(3 * DAY + SECOND, (0, 1), id="later"),
    ],
)
def test_a_hit_is_right_when_an_inquiry_follows_within_72_hours(
    bench: Bench, after: timedelta, counted: tuple[int, int]
) -> None:
    give_events(bench, [*views(11), click(), inquiry(T0 + after)])
    row = only(bench.build("metrics_behaviour_rule_weekly"))
    assert ratio(row, "rule_precision_72h") == counted
    assert (row["rule"], row["series_code"], row["claimed"]) == ("views_and_finance", "A", 0.7)


@pytest.mark.parametrize(("age", "mature"), [(3 * DAY, 1), (3 * DAY - SECOND, 0)])
def test_a_hit_counts_at_once_and_is_judged_after_72_hours(
    bench: Bench, age: timedelta, mature: int
) -> None:
    give_events(bench, [*views(11), click(AS_OF - age)])
    row = only(bench.build("metrics_behaviour_rule_weekly"))
    assert (row["rule_hits"], row["rule_precision_72h_den"]) == (1, mature)
    assert (row["rule_precision_72h_high"] is None) == (mature == 0)


def test_the_week_of_a_hit_begins_on_its_local_monday(bench: Bench) -> None:
    monday = as_utc("2026-08-10")
    give_events(
        bench,
        [
            *views(11, monday - 2 * DAY),
            click(monday - SECOND),
            *views(11, monday - 2 * DAY, "u2"),
            click(monday, "u2"),
        ],
    )
    rows = bench.build("metrics_behaviour_rule_weekly")
    assert {row["week"]: row["rule_hits"] for row in rows} == {
        date(2026, 8, 3): 1,
        date(2026, 8, 10): 1,
    }


def test_lift_compares_with_who_viewed_in_the_same_week_without_a_hit(bench: Bench) -> None:
    rows = [*views(11, T0 - DAY), click(), inquiry(T0 + DAY)]
    for number in range(5):
        rows += views(2, T0 - timedelta(hours=3), person=f"other{number}")
    rows += [inquiry(T0, "other0"), inquiry(T0 - 2 * DAY, "other1"), inquiry(T0, "other2")]
    give_events(bench, rows)
    row = only(bench.build("metrics_behaviour_rule_weekly"))
    assert ratio(row, "base_rate_72h") == (2, 4)
    assert row["lift"] == 2


class People:
    """Draws persons whose views crowd around the limits of the rule."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311  # repeatable, not secret

    def near(self, moment: datetime) -> datetime:
        limit = self.random.choice([0, 1, 3, 29, 30, 31])
        return moment + limit * DAY + self.random.choice([-1, 0, 1]) * SECOND

    def person(self, series: list[str]) -> Behaviour:
        pick, found = self.random.choice, Behaviour()
        start = AS_OF - self.random.randrange(5, 90) * DAY
        for code in series[: pick([1, 2])]:
            count = pick([3, 9, 10, 11, 12, 25])
            times = [start + timedelta(hours=pick(range(60))) for _ in range(count)]
            times[: pick([0, 1, 2])] = [self.near(start) for _ in range(2)]
            found.views[code] = times
            clicks = [self.near(pick(times)) for _ in range(pick([0, 1, 1, 2]))]
            found.clicks[code] = clicks
        done = [*found.views.values(), *found.clicks.values()]
        moments = [at for times in done for at in times]
        found.inquiries = [self.near(pick(moments)) for _ in range(pick([0, 0, 1, 2]))]
        if pick([True, False]):
            found.inquiries.append(pick(moments) - 30 * DAY)
        return found


def test_hits_precision_and_base_rate_are_what_the_definitions_say(bench: Bench) -> None:
    rows: list[Row] = []
    expected: dict[tuple[date, str], dict[str, int]] = {}
    for world in range(WORLDS):
        people, series = People(world), [f"W{world}A", f"W{world}B"]
        persons = [people.person(series) for _ in range(6)]
        expected |= behaviour_rule(persons, AS_OF)
        for number, person in enumerate(persons):
            for name, done in (("ViewSeries", person.views), ("ClickFinance", person.clicks)):
                for code, times in done.items():
                    rows += [
                        event(name, at, f"w{world}-{number}", series_code=code) for at in times
                    ]
            rows += [inquiry(at, f"w{world}-{number}") for at in person.inquiries]
    give_events(bench, rows)
    found = {
        (row["week"], row["series_code"]): row
        for row in bench.build("metrics_behaviour_rule_weekly")
    }
    assert found.keys() == expected.keys()
    assert {
        key: {name: row[name] for name in expected[key]} for key, row in found.items()
    } == expected
    for row in found.values():
        hits, anchors = ratio(row, "rule_precision_72h")
        interval = wilson(hits, anchors)
        shown = row["rule_precision_72h_low"], row["rule_precision_72h_high"]
        assert shown == (pytest.approx(interval) if interval else (None, None))
    totals = {n: sum(row[n] for row in expected.values()) for n in next(iter(expected.values()))}
    assert min(totals.values()) > 20
