"""metrics_behaviour_rule_weekly: more than ten views and a finance click, against its claim."""

from collections.abc import Sequence
from csv import DictReader
from datetime import date, datetime, timedelta
from random import Random

import pytest
from metrics_bench import AS_OF, Bench, as_utc, only, ratio
from users_cases import Row, compiled, event, give_events
from yaml import safe_load

from reference.behaviour import Behaviour, behaviour_rule, difference, wilson

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
T0 = AS_OF - 20 * DAY  # the click that completes the rule
WORLDS = 240
STEPS = [timedelta(0), SECOND, DAY, 2 * DAY, 7 * DAY - SECOND, 7 * DAY]


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


def give_answers(
    bench: Bench,
    visits: list[tuple[str, datetime]],
    calls: list[tuple[str, datetime]],
    held_out: Sequence[str] = (),
) -> None:
    """Visits and contacts of persons, every other contact a follow-up; who is in the hold-out."""
    arrived = [{"record_key": f"V{n}", "arrived_at": at} for n, (_who, at) in enumerate(visits)]
    bench.given("stg_dms__store_visits", [row | {"visit_id": row["record_key"]} for row in arrived])
    bench.persons("dms", "store_visits", {f"V{n}": who for n, (who, _at) in enumerate(visits)})
    keys = [f"C{number}" for number in range(len(calls))]
    bench.given(
        "stg_crm__leads", [{"record_key": key, "lead_id": key, "is_test": False} for key in keys]
    )
    for entity in ("leads", "owner_contacts"):
        whom = {key: who for key, (who, _at) in zip(keys, calls, strict=True)}
        bench.persons("crm", entity, whom)
    followed, called = [], []
    for number, (key, (_who, at)) in enumerate(zip(keys, calls, strict=True)):
        if number % 2:
            called.append({"record_key": key, "contact_id": key, "contacted_at": at})
        else:
            ids = {"record_key": key, "follow_up_id": key, "lead_id": key}
            followed.append(ids | {"followed_up_at": at})
    bench.given("stg_crm__owner_contacts", called)
    bench.given("stg_crm__follow_ups", followed)
    held = [{"one_id": who, "tag_id": "universal_holdout", "value": "true"} for who in held_out]
    bench.given("fct_user_tags", held)


def test_the_hold_out_of_the_rule_is_a_control_tag() -> None:
    root = compiled().root
    rows = list(DictReader((root / "seeds" / "behaviour_rules.csv").open(encoding="utf-8")))
    declared = safe_load((root / "seeds" / "tags" / "control.yml").read_text("utf-8"))["tags"]
    kinds = {tag["id"]: (tag["kind"], tag["value_type"]) for tag in declared}
    assert [kinds[row["holdout_tag"]] for row in rows] == [("control", "boolean")]


@pytest.mark.parametrize(
    ("asks", "visits", "calls", "contacted", "offered"),
    [
        pytest.param([], [], [], (0, 0), (0, 1), id="nobody-did-anything"),
        pytest.param([2 * DAY], [], [DAY], (1, 1), (1, 1), id="asks-after-a-call"),
        pytest.param([], [2 * DAY], [DAY], (1, 1), (1, 1), id="comes-after-a-call"),
        pytest.param([DAY], [], [2 * DAY], (0, 0), (1, 1), id="asks-and-is-then-called"),
        pytest.param([DAY], [], [DAY], (0, 0), (1, 1), id="at-the-same-moment"),
        pytest.param([], [], [7 * DAY], (0, 0), (0, 1), id="called-too-late"),
        pytest.param([7 * DAY], [], [DAY], (0, 1), (0, 1), id="asks-too-late"),
        pytest.param([], [7 * DAY - SECOND], [-SECOND], (0, 0), (1, 1), id="called-before"),
    ],
)
def test_a_contact_wins_what_comes_after_it_within_seven_days(
    bench: Bench,
    *,
    asks: list[timedelta],
    visits: list[timedelta],
    calls: list[timedelta],
    contacted: tuple[int, int],
    offered: tuple[int, int],
) -> None:
    give_events(bench, [*views(11), click(), *(inquiry(T0 + after) for after in asks)])
    give_answers(
        bench, [("u1", T0 + after) for after in visits], [("u1", T0 + after) for after in calls]
    )
    row = only(bench.build("metrics_behaviour_rule_weekly"))
    assert ratio(row, "contact_uplift_contacted") == contacted
    assert ratio(row, "contact_uplift_offered") == offered
    assert ratio(row, "contact_uplift_holdout") == (0, 0)
    assert row["contact_uplift"] is None


def test_who_is_held_out_is_compared_with_who_was_contacted(bench: Bench) -> None:
    persons = [f"u{number}" for number in range(6)]
    rows = [row for who in persons for row in [*views(11, person=who), click(person=who)]]
    give_events(bench, [*rows, *(inquiry(T0 + 2 * DAY, who) for who in ("u0", "u1", "u3"))])
    # u5 was held out and yet called: the lot counts
    calls = [(who, T0 + DAY) for who in ("u0", "u1", "u2", "u5")]
    give_answers(bench, [], calls, ["u3", "u4", "u5"])
    bench.connection.execute(
        "insert into profiles.fct_user_tags (one_id, tag_id, value, valid_to)"
        " values ('u0', 'universal_holdout', 'true', timestamp '2026-01-01'),"
        " ('u1', 'another_tag', 'true', null)"
    )
    row = only(bench.build("metrics_behaviour_rule_weekly"))
    assert ratio(row, "contact_uplift_contacted") == (2, 3)
    assert ratio(row, "contact_uplift_holdout") == (1, 3)
    shown = row["contact_uplift"], row["contact_uplift_low"], row["contact_uplift_high"]
    assert shown == pytest.approx(difference((2, 3), (1, 3)))
    # the example of Newcombe (1998): 56 of 70 against 48 of 80
    assert difference((56, 70), (48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


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
        seen = [*found.views.values(), *found.clicks.values()]
        moments = [at for times in seen for at in times]
        found.inquiries = [self.near(pick(moments)) for _ in range(pick([0, 0, 1, 2]))]
        if pick([True, False]):
            found.inquiries.append(pick(moments) - 30 * DAY)
        found.is_held_out = pick([True, False, False])
        for done in (found.visits, found.contacts):
            done += [pick(moments) + pick(STEPS) for _ in range(pick([0, 1, 2, 4]))]
        return found


def test_hits_precision_and_base_rate_are_what_the_definitions_say(bench: Bench) -> None:
    rows: list[Row] = []
    expected: dict[tuple[date, str], dict[str, int]] = {}
    visits: list[tuple[str, datetime]] = []
    contacts: list[tuple[str, datetime]] = []
    held_out: list[str] = []
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
            who = f"w{world}-{number}"
            rows += [inquiry(at, who) for at in person.inquiries]
            visits += [(who, at) for at in person.visits]
            contacts += [(who, at) for at in person.contacts]
            held_out += [who] * person.is_held_out
    give_events(bench, rows)
    give_answers(bench, visits, contacts, held_out)
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
        arms = [ratio(row, f"contact_uplift_{arm}") for arm in ("contacted", "holdout")]
        found_difference = [row[f"contact_uplift{end}"] for end in ("", "_low", "_high")]
        assert found_difference == pytest.approx(list(difference(arms[0], arms[1])))
    totals = {n: sum(row[n] for row in expected.values()) for n in next(iter(expected.values()))}
    assert min(totals.values()) > 20
