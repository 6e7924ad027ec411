"""metrics_dual_link_daily: who can be reached by phone and by WeCom, day by day."""

from datetime import date, datetime, timedelta
from random import Random

import pytest
from metrics_bench import AS_OF, Bench, as_utc, only, ratio
from users_cases import Row, compiled, give_dealers

from reference.links import Links, dual_links

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
LAST = date(2026, 8, 31)
NAMES = ("customers", "phone_link_rate_num", "wecom_link_rate_num", "dual_link_rate_num")
WORLDS = 200


@pytest.fixture
def bench() -> Bench:
    return Bench(compiled())


def lead(key: str = "L1", at: str | datetime = "2026-08-01T10:00", **values: object) -> Row:
    at = as_utc(at) if isinstance(at, str) else at
    row = {"lead_id": key, "status": "有效", "created_at": at, "dealer_code": "D1", "person": "u1"}
    return row | {"is_connected": None, "first_contacted_at": None} | values


def call(at: str | datetime, lead_id: str = "L1", **values: object) -> Row:
    at = as_utc(at) if isinstance(at, str) else at
    row = {"lead_id": lead_id, "followed_up_at": at, "is_connected": True, "method": "电话"}
    return row | values


def friend(added: str | datetime, deleted: str | datetime | None = None, **values: object) -> Row:
    times = [as_utc(at) if isinstance(at, str) else at for at in (added, deleted)]
    row = {"added_at": times[0], "deleted_at": times[1], "dealer_code": "D1", "person": "u1"}
    return row | {"staff_id": "S-D1"} | values


def give(bench: Bench, links: Links) -> None:
    """Stage the rows; staff S-<dealer> works at the dealer."""
    dealers = {row["dealer_code"] for row in [*links.leads, *links.orders, *links.wecom]} - {None}
    give_dealers(bench, dict.fromkeys(sorted(dealers), "华东"))
    bench.given("stg_workforce__staff", [
        {"record_key": f"S-{dealer}", "staff_id": f"S-{dealer}", "dealer_code": dealer}
        for dealer in sorted(dealers)
    ])  # fmt: skip
    for entity, source, rows in (
        ("leads", "crm", links.leads),
        ("orders", "dms", links.orders),
        ("wecom_contacts", "crm", links.wecom),
    ):
        keyed = {f"{entity}{number}": row for number, row in enumerate(rows)}
        left_out = {"person", *(["dealer_code"] if entity == "wecom_contacts" else [])}
        staged = [
            {"record_key": key, **{n: v for n, v in row.items() if n not in left_out}}
            for key, row in keyed.items()
        ]
        bench.given(f"stg_{source}__{entity}", staged)
        persons = {key: row["person"] for key, row in keyed.items() if row["person"]}
        bench.persons(source, entity, persons)
    bench.given("stg_crm__follow_ups", [
        {"record_key": f"F{number}", "follow_up_id": f"F{number}", **row}
        for number, row in enumerate(links.follow_ups)
    ])  # fmt: skip


def rows_of(bench: Bench, links: Links) -> dict[int, Row]:
    """The rows of dealer D1 by day of August."""
    give(bench, links)
    rows = bench.build("metrics_dual_link_daily")
    return {row["date"].day: row for row in rows if row["dealer_code"] == "D1"}


def test_links_hold_from_the_day_they_are_made_to_the_day_they_end(bench: Bench) -> None:
    links = Links([lead()], [call("2026-08-02T10:00")], [],
                  [friend("2026-08-03T00:00", "2026-08-06T00:00")])  # fmt: skip
    rows = rows_of(bench, links)
    assert sorted(rows) == list(range(1, 32))
    shown = {day: tuple(rows[day][name] for name in NAMES) for day in (1, 2, 3, 5, 6, 31)}
    assert shown == {
        1: (1, 0, 0, 0),
        2: (1, 1, 0, 0),
        3: (1, 1, 1, 1),
        5: (1, 1, 1, 1),
        6: (1, 1, 0, 0),
        31: (1, 1, 0, 0),
    }
    assert [day for day, row in rows.items() if row["wecom_added"]] == [3]
    assert [day for day, row in rows.items() if row["wecom_deleted"]] == [6]
    assert ratio(rows[5], "dual_link_rate") == (1, 1)


@pytest.mark.parametrize(
    ("links", "reached"),
    [
        pytest.param(Links([lead()], [call("2026-08-02", method="企微")]), 0, id="no-call"),
        pytest.param(Links([lead()], [call("2026-08-02", is_connected=False)]), 0, id="no-answer"),
        pytest.param(
            Links([lead(first_contacted_at=as_utc("2026-08-02"), is_connected=True)]),
            1,
            id="the-first-contact-was-answered",
        ),
        pytest.param(
            Links([lead(first_contacted_at=as_utc("2026-08-02"), is_connected=False)]),
            0,
            id="the-first-contact-was-not",
        ),
    ],
)
def test_only_an_answered_call_is_a_link_by_phone(bench: Bench, links: Links, reached: int) -> None:
    assert rows_of(bench, links)[31]["phone_link_rate_num"] == reached


def test_a_call_of_one_dealer_is_no_link_of_another(bench: Bench) -> None:
    links = Links([lead(), lead("L2", dealer_code="D2")], [call("2026-08-02", "L2")])
    assert rows_of(bench, links)[31]["phone_link_rate_num"] == 0


def test_two_colleagues_are_one_link_until_the_last_is_deleted(bench: Bench) -> None:
    links = Links([lead()], [], [], [
        friend("2026-08-02", "2026-08-05"), friend("2026-08-03", "2026-08-09"),
    ])  # fmt: skip
    rows = rows_of(bench, links)
    assert [rows[day]["wecom_link_rate_num"] for day in (2, 3, 5, 8, 9)] == [1, 1, 1, 1, 0]


def test_a_contact_without_a_lead_or_order_is_counted_as_won_and_is_no_customer(
    bench: Bench,
) -> None:
    rows = rows_of(bench, Links(wecom=[friend("2026-08-02T12:00")]))
    row = only(list(rows.values()))
    assert (row["customers"], row["wecom_added"], row["dual_link_rate"]) == (0, 1, None)


def draw(seed: int) -> Links:
    """A small world of its own two dealers."""
    random = Random(seed)  # noqa: S311  # repeatable, not secret
    pick, found = random.choice, Links()

    def moment() -> datetime:
        hours = pick([0, 0, 0, 5, 13])
        return AS_OF - random.randrange(30) * DAY - hours * 3600 * SECOND + pick([-1, 0]) * SECOND

    def who() -> Row:
        people = [f"w{seed}u{number}" for number in range(3)]
        return {"person": pick([*people, None]), "dealer_code": pick([f"W{seed}a", f"W{seed}b"])}

    for number in range(random.randrange(1, 5)):
        connected, at = pick([True, False, None]), pick([moment(), None])
        row = lead(f"w{seed}L{number}", moment(), is_connected=connected, first_contacted_at=at)
        found.leads.append(row | who())
    for _ in range(random.randrange(4)):
        chosen = pick(found.leads)["lead_id"]
        connected = pick([True, False])
        found.follow_ups.append(
            call(moment(), chosen, is_connected=connected, method=pick(["电话", "企微"]))
        )
    for number in range(random.randrange(3)):
        times = {"small_ordered_at": pick([moment(), None]), "large_ordered_at": moment()}
        found.orders.append({"order_no": f"w{seed}O{number}", **times} | who())
    for _ in range(random.randrange(5)):
        row = friend(moment(), pick([moment(), None])) | who()
        found.wecom.append(row | {"staff_id": f"S-{row['dealer_code']}"})
    return found


def test_links_are_counted_as_the_definitions_say(bench: Bench) -> None:
    days = [LAST - n * DAY for n in (0, 1, 2, 10, 20, 28)]
    every, expected = Links(), {}
    for seed in range(WORLDS):
        world = draw(seed)
        expected |= dual_links(world, days, AS_OF)
        for name, rows in vars(world).items():
            getattr(every, name).extend(rows)
    give(bench, every)
    rows = bench.build("metrics_dual_link_daily")
    names = [*NAMES, "wecom_added", "wecom_deleted"]
    found = {(r["date"], r["dealer_code"]): {n: r[n] for n in names} for r in rows}
    assert len(found) == len(rows)
    assert {k: row for k, row in found.items() if k[0] in days and any(row.values())} == {
        key: {name: counts[name] for name in names} for key, counts in expected.items()
    }
    assert min(sum(c[name] for c in expected.values()) for name in names) > 10
