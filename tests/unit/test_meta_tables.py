"""The tables about the platform itself, over hand-made ledgers."""

from datetime import date
from typing import Any

import pytest
from metrics_bench import AS_OF, Bench, Project, as_utc, compile_project, only

from zhongtai.settings import load_settings


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return compile_project(load_settings(home=tmp_path_factory.mktemp("metrics"), threads=2))


@pytest.fixture
def bench(project: Project) -> Bench:
    return Bench(project)


def snapshot(number: int, state: str, **values: object) -> dict[str, Any]:
    row = {"snapshot_id": f"S{number}", "run_id": f"R{number}", "state": state, "as_of": AS_OF}
    return row | {"created_at": as_utc(f"2026-09-0{number}"), "identity_version": "v"} | values


def test_a_snapshot_lists_itself_as_the_published_one(bench: Bench) -> None:
    bench.given(
        "meta.snapshots",
        [snapshot(1, "published", published_at=AS_OF), snapshot(2, "held", because="too few")],
    )
    bench.given(
        "meta.gate_measures",
        [
            {"run_id": "R1", "measure": "identity.persons", "value": 7.0},
            {"run_id": "R1", "measure": "metrics.rows_loaded", "value": 70.0},
            {"run_id": "R1", "measure": "metrics.complaints", "value": 1.0},
        ],
    )
    this = {"snapshot_id": "S3", "run_id": "R3", "as_of": AS_OF, "created_at": as_utc("2026-09-03")}
    bench.given("meta.next_snapshot", [this])
    bench.given("identity.version", [{"identity_version": "v3"}])
    bench.given("dim_users", [{"one_id": "u1"}, {"one_id": "u2"}])
    bench.given(
        "meta.deliveries",
        [{"delivery_id": "1", "rows_loaded": 5}, {"delivery_id": "2", "rows_loaded": 6}],
    )
    found = {row["snapshot_id"]: row for row in bench.build("meta_snapshots")}
    states = {name: (row["state"], row["rows_loaded"], row["users"]) for name, row in found.items()}
    assert states == {
        "S1": ("superseded", 70, 7),
        "S2": ("held", None, None),
        "S3": ("published", 11, 2),
    }
    assert found["S3"] == this | {
        "state": "published",
        "identity_version": "v3",
        "rows_loaded": 11,
        "users": 2,
        "content_hash": None,
        "because": None,
        "published_at": None,
    }
    assert found["S1"]["published_at"] == AS_OF


def test_a_source_is_late_when_nothing_came_within_its_limit(bench: Bench) -> None:
    day = {"source": "crm", "owner": "o", "fresh_within_minutes": 24 * 60}
    bench.given("meta.contracts", [day | {"entity": e} for e in ("a", "b", "c")])
    came = {"a": "2026-08-31T00:00", "b": "2026-08-30T23:59:59"}
    bench.given(
        "meta.deliveries",
        [
            {"source": "crm", "entity": e, "status": "loaded", "delivered_at": as_utc(at)}
            for e, at in came.items()
        ],
    )
    found = {row["entity"]: row["status"] for row in bench.build("meta_freshness")}
    assert found == {"a": "fresh", "b": "late", "c": "never"}


def test_nothing_is_delivered_after_the_moment_it_is_seen_from(bench: Bench) -> None:
    bench.given(
        "meta.contracts",
        [{"source": "crm", "entity": "a", "owner": "o", "fresh_within_minutes": 60}],
    )
    bench.given(
        "meta.deliveries",
        [
            {"source": "crm", "entity": "a", "status": "loaded", "delivered_at": as_utc(at)}
            for at in ("2026-08-01", "2026-11-21")
        ],
    )
    found = only(bench.build("meta_freshness"))
    assert (found["last_delivered_at"], found["status"]) == (AS_OF, "fresh")


def test_the_quarantine_is_counted_per_file_and_reason(bench: Bench) -> None:
    at = as_utc("2026-08-31T23:59")
    file = {"source": "crm", "entity": "leads", "file": "x.csv", "loaded_at": at}
    bench.given("meta.deliveries", [file | {"delivery_id": d} for d in ("1", "2")])
    row = {"level": "row", "rule": "r", "reason": "no key", "replayed_rows": 0}
    bench.given(
        "meta.quarantine",
        [row | {"delivery_id": "1", "rows": 2}, row | {"delivery_id": "2", "rows": 3}],
    )
    found = only(bench.build("meta_quarantine_daily"))
    assert (found["date"], found["rows"]) == (date(2026, 8, 31), 5)


def test_tags_set_on_a_value_that_several_persons_share_are_quarantined(bench: Bench) -> None:
    """The earlier version of a row counts in its own file, as any row that was delivered."""
    at = as_utc("2026-08-31T23:59")
    file = {"source": "crm", "entity": "manual_tags", "loaded_at": at, "status": "loaded"}
    counted = {"rows_in": 2, "rows_loaded": 2, "rows_quarantined": 0, "rows_duplicate": 0}
    bench.given(
        "meta.deliveries",
        [file | counted | {"delivery_id": d, "file": f"{d}.csv"} for d in ("first", "second")],
    )
    shared, own = {"标识值": "13812345678"}, {"标识值": "13912345678"}
    bench.given(
        "raw.crm__manual_tags__every_row",
        [
            row | {"标识类型": "mobile", "_delivery_id": d}
            for d in ("first", "second")
            for row in (shared, own)
        ],
    )
    known = {"identifier_type": "mobile", "is_shared": False}
    bench.given(
        "bridge_user_identifiers",
        [
            known | {"identifier_value": "+8613812345678", "one_id": "u1"},
            known | {"identifier_value": "+8613812345678", "one_id": "u2"},
            known | {"identifier_value": "+8613912345678", "one_id": "u3"},
        ],
    )
    found = bench.build("meta_ledger")
    assert [(r["rows_in"], r["rows_loaded"], r["rows_quarantined"]) for r in found] == [
        (2, 1, 1),
        (2, 1, 1),
    ]
    reasons = bench.build("meta_quarantine_daily")
    assert sorted((r["file"], r["rule"], r["rows"]) for r in reasons) == [
        ("first.csv", "shared_value", 1),
        ("second.csv", "shared_value", 1),
    ]


def test_a_value_that_is_refused_is_counted_in_its_column(bench: Bench) -> None:
    rows = [
        {"record_key": "1", "_issues": ["mobile: scientific_notation", "gender: unknown_value"]},
        {"record_key": "2", "_issues": ["mobile: scientific_notation"]},
        {"record_key": "3", "_issues": ["mobile: masked"]},
        {"record_key": "4", "_issues": []},
        {"record_key": "5", "_issues": None},
    ]
    bench.given("stg_crm__contacts", rows)
    bench.given("stg_dms__orders", [{"record_key": "1", "_issues": ["vin: wrong_length"]}])
    found = bench.build("meta_value_issues")
    assert sorted(tuple(row.values()) for row in found) == [
        ("crm", "contacts", "gender", "unknown_value", False, 1, 5),
        ("crm", "contacts", "mobile", "masked", True, 1, 5),
        ("crm", "contacts", "mobile", "scientific_notation", True, 2, 5),
        ("dms", "orders", "vin", "wrong_length", True, 1, 1),
    ]


def test_issues_of_every_staged_entity_are_told(bench: Bench) -> None:
    staged = {name for name in bench.project.nodes if name.startswith("stg_")}
    assert len(staged) >= 35
    for name in staged:
        bench.given(name, [{"record_key": "1", "_issues": ["column: issue"]}])
    found = {f"stg_{r['source']}__{r['entity']}" for r in bench.build("meta_value_issues")}
    assert found == staged
