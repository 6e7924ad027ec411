"""Commissions and referral metrics are what the plain-Python ledgers say, on random worlds."""

from collections import Counter
from collections.abc import Hashable, Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metrics_bench import Bench, Project
from money_cases import draw_world, fill_money, money_project

from reference.commission import commission, entries
from reference.ltv import customers, ltv, predictions
from reference.money import MoneyExports
from reference.referral import Visit, brought, members_monthly, ranking, reward_entries, visits

Counts = dict[Hashable, Counter[str]]
WORLDS = 40


@pytest.fixture(scope="module")
def project() -> Project:
    return money_project()


def counted(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> Counts:
    """The whole numbers of a table, after checking that its ratios agree with them."""
    found: Counts = {}
    for row in rows:
        for name in (name[:-4] for name in row if name.endswith("_den")):
            hits, anchors = row[f"{name}_num"], row[f"{name}_den"]
            assert row[name] == (hits / anchors if anchors else None)
        key = tuple(row[key] for key in keys)
        assert key not in found
        found[key] = Counter(
            {name: n for name, n in row.items() if isinstance(n, int) and name not in keys}
        )
    return found


def assert_same(found: Counts, expected: Counts) -> None:
    assert found.keys() == expected.keys()
    wrong = {
        (key, name): (found[key][name], measures[name])
        for key, measures in expected.items()
        for name in measures.keys() | found[key].keys()
        if found[key][name] != measures[name]
    }
    assert wrong == {}


def merged(parts: Sequence[Counts]) -> Counts:
    """The tables of worlds that share no key."""
    found = {key: counts for part in parts for key, counts in part.items()}
    assert len(found) == sum(len(part) for part in parts)
    return found


def draw_worlds(seed: int) -> list[MoneyExports]:
    """Many small worlds for one bench; one of them has codes of nobody."""
    strangers = ["nobody"]
    return [
        draw_world(f"w{n}", seed * WORLDS + n, strangers if n == 0 else ()) for n in range(WORLDS)
    ]


@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_money_is_what_the_ledgers_say_to_the_fen(project: Project, seed: int) -> None:
    worlds, bench = draw_worlds(seed), Bench(project)
    fill_money(bench, worlds)
    keys = ["month", "staff_id", "component"]
    expected = merged([commission(world) for world in worlds])
    assert_same(counted(bench.build("metrics_commission_monthly"), keys), expected)
    assert {key[2] for key in expected} == {"first_deal", "repurchase", "referral", "value_added"}
    total: Counter[str] = sum(expected.values(), Counter())
    assert min(total[name] for name in ("reversed_fen", "reassignment_count")) > 0
    ledger = {
        (e.component, e.event, e.adviser, e.reverses, e.fen, e.at)
        for w in worlds
        for e in entries(w)
    }
    rows = bench.build("fct_commission_accruals")
    assert len(rows) == len(ledger)
    assert {
        (
            *(row["component"], row["order_no"] or row["sale_id"], row["staff_id"]),
            *(row["reverses_id"] is not None, row["accrued_fen"], row["accrued_at"]),
        )
        for row in rows
    } == ledger


@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_the_referral_programme_is_what_its_definitions_say(project: Project, seed: int) -> None:
    worlds, bench = draw_worlds(seed), Bench(project)
    fill_money(bench, worlds)
    rows = bench.build("fct_referral_rewards")
    booked = sorted(entry for world in worlds for entry in reward_entries(world))
    columns = ("reward_id", "entry", "entered_at", "due_fen", "paid_fen")
    assert sorted(tuple(row[c] for c in columns) for row in rows) == booked
    assert {entry[1] for entry in booked} >= {"due", "paid", "refused", "withdrawn", "clawback"}
    expected = merged([members_monthly(world) for world in worlds])
    keys = ["month", "member_kind", "department"]
    assert_same(counted(bench.build("metrics_referral_member_monthly"), keys), expected)
    total: Counter[str] = sum(expected.values(), Counter())
    assert total["member_conversion_90d_num"] > 0
    assert min(total.values()) > 0
    bought: dict[tuple[date, str], Counter[str]] = {}
    came: list[Visit] = []
    for world in worlds:
        bought |= brought(world)
        came += visits(world)
    board = counted(bench.build("metrics_referral_ranking_monthly"), ["month", "member_code"])
    assert_same(board, ranking(bought, came))


@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_lifetime_value_is_what_every_customer_brought(project: Project, seed: int) -> None:
    worlds, bench = draw_worlds(seed), Bench(project)
    fill_money(bench, worlds)
    everybody = [customers(world) for world in worlds]
    expected: Counts = {}
    for world, own in zip(worlds, everybody, strict=True):
        for key, counts in ltv(world, own).items():
            expected.setdefault(key, Counter()).update(counts)
    rows = {(row["month"], row["region"]): row for row in bench.build("metrics_ltv_monthly")}
    found = counted(list(rows.values()), ["month", "region"])
    for counts in found.values():
        for name in [name for name in counts if name.startswith("ltv_pred_")]:
            del counts[name]
    assert_same(found, expected)
    everyone = [customer for own in everybody for customer in own]
    foreseen = predictions(worlds[0], everyone)
    assert {test for _value, test in foreseen.values()} == {(0, 0), (0, 1), (1, 1)}
    for key, (value, test) in foreseen.items():
        row = rows[key]
        assert (row["ltv_pred_coverage_num"], row["ltv_pred_coverage_den"]) == test
        shown = [row[f"ltv_pred_36m{end}_fen"] for end in ("", "_low", "_high")]
        if value is None:
            assert shown == [None] * 3
        else:
            assert shown == pytest.approx(value, abs=5)
