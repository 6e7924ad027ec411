"""The benchmarks run, and every ratio is one of two times of the same run."""

import gzip
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks are not installed

from benchmarks import __main__ as bench
from benchmarks import metrics, tags
from benchmarks.measurements import Breakdown, Measurement
from benchmarks.pipeline import Stopwatch, hold_back, prepare_floor, read_with_duckdb
from benchmarks.report import Circumstances, describe_circumstances, keep_part, render_page
from zhongtai.contracts import load_contracts


def measurement(seconds: float, budget: float | None, peak: float | None = None) -> Measurement:
    return Measurement("x", seconds, "floor", 2.0, budget, peak, 100.0 if peak else None)


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (measurement(4.0, 2.0), "PASS"),
        (measurement(4.1, 2.0), "OVER"),
        (measurement(9.0, None), "—"),
        (measurement(1.0, 2.0, 99.0), "PASS"),
        (measurement(1.0, 2.0, 101.0), "OVER"),
    ],
)
def test_time_and_memory_are_judged_by_their_budgets(row: Measurement, verdict: str) -> None:
    assert row.verdict == verdict


def test_every_format_that_sources_deliver_is_measured() -> None:
    assert {one.description for one in bench.ingest.FORMATS.values()} == {
        "jsonl", "jsonl.gz", "csv gbk", "csv gb18030", "csv gz quoted", "utf-16 with tabs",
        "xlsx", "xls", "adf",
    }  # fmt: skip
    contracts = load_contracts(Path(__file__).parents[2])
    measured = {contracts[one.entity].format for one in bench.ingest.FORMATS.values()}
    assert measured == {contract.format for contract in contracts.values()}


def test_explaining_is_measured_against_what_a_person_waits_for() -> None:
    ((row,), _) = bench.PARTS["explain"](bench.QUICK)
    assert "20,000 records" in row.name
    assert (row.floor_seconds, row.budget_ratio) == (0.3, 1.0)
    assert 0 < row.seconds < 60


@pytest.mark.parametrize("part", ["ingest", "components"])
def test_every_entry_has_a_floor_that_was_measured_with_it(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, float]] = []
    module = {"ingest": bench.ingest, "components": bench.components}[part]
    measure = module.measure

    def keep(*arguments: object) -> dict[str, float]:
        seen.append(measure(*arguments))
        return seen[-1]

    monkeypatch.setattr(module, "measure", keep)
    rows, _ = bench.PARTS[part](bench.QUICK)
    assert len(rows) == len(seen) >= 3
    floor = "floor_seconds" if part == "ingest" else "scipy_seconds"
    for row, measured in zip(rows, seen, strict=True):
        assert row.floor_seconds == measured[floor] > 0
        assert row.ratio == measured["ours_seconds"] / measured[floor]


def test_the_identity_stage_is_measured_in_full_and_by_its_delta() -> None:
    (full, delta), _ = bench.PARTS["identity"](bench.QUICK)
    assert full.budget_mb == delta.budget_mb == 6 * 1024
    assert delta.floor_seconds == full.seconds > 0


def circumstances(machine: str) -> Circumstances:
    began = datetime(2026, 1, 2, tzinfo=UTC)
    return Circumstances(machine, 0.5, "Python 3", "bench", ("rows 1 (default 2)",), began)


def test_the_page_shows_each_entry_beside_its_floor_and_where_it_was_measured(
    tmp_path: Path,
) -> None:
    part = Breakdown("Full run", (("ingest", 3.0), ("check", 1.0)), (("model.a", 0.5),), 7, 2.0)
    store = tmp_path / "kept.json"
    keep_part(store, "pipeline", [measurement(5.0, 2.0)], [part], circumstances("3 cores"))
    page = render_page(json.loads(store.read_text("utf-8")), ["pipeline"])
    assert "| x | 5.00 | floor | 2.00 | 2.50× | ≤ 2× | — | OVER |" in page
    assert "| ingest | 3.00 | 75% |" in page
    assert "| `model.a` | 0.50 |" in page
    for said in ("3 cores", "load 0.5", "rows 1 (default 2)", "Python 3", "2026-01-02"):
        assert said in page


def test_measuring_one_part_again_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    store = tmp_path / "kept.json"
    for name, seconds, machine in (("a", 1.0, "one"), ("b", 2.0, "two"), ("a", 3.0, "three")):
        keep_part(store, name, [measurement(seconds, None)], [], circumstances(machine))
    page = render_page(json.loads(store.read_text("utf-8")), ["b", "a", "never measured"])
    assert page.index("## B") < page.index("| x | 2.00 |") < page.index("- two;")
    assert page.index("- two;") < page.index("## A") < page.index("| x | 3.00 |")
    assert "| x | 1.00 |" not in page
    assert "one;" not in page


def test_circumstances_name_the_machine_and_the_libraries() -> None:
    where = describe_circumstances("bench", [])
    assert "cores" in where.machine
    for library in ("Python", "duckdb", "dbt-core", "apache-airflow"):
        assert library in where.versions


def test_the_stopwatch_gives_publishing_what_it_reports() -> None:
    watch = Stopwatch()
    for message in ("ingest", "ingest: 1 of 2 files", "build staging", "publish", "postgres"):
        watch.note(message)
    steps = watch.steps(watch.marks[-1][1] + 2.0)
    assert [step for step, _ in steps] == ["start", "ingest", "build staging", "publish"]
    assert steps[-1][1] == 2.0


def test_the_delta_is_taken_from_the_full_delivery_and_the_floor_counts_what_it_read(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "landing" / "app" / "events"
    folder.mkdir(parents=True)
    lines = [f'{{"n": {n}}}\n'.encode() for n in range(100)]
    (folder / "1.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[:50])))
    (folder / "2.jsonl").write_bytes(b"".join(lines[50:]))
    (folder / "broken.jsonl.gz").write_bytes(gzip.compress(b"".join(lines))[:20])
    assert hold_back(tmp_path / "landing", tmp_path / "aside", 0.05) == (5, 100)
    assert (folder / "2.jsonl").read_bytes() == b"".join(lines[50:95])
    delta = tmp_path / "aside" / "app" / "events" / "delta" / "delta.jsonl"
    assert delta.read_bytes() == b"".join(lines[95:])
    (folder / "broken.jsonl.gz").rename(folder / "sheet.xlsx")
    (folder / "names.csv").write_bytes("a,b\n王,1\n".encode("gb18030"))
    readers, files = prepare_floor(tmp_path / "landing", tmp_path / "clean")
    seconds, read = read_with_duckdb(readers, tmp_path / "floor")
    assert seconds > 0
    assert (read, files) == (3, 4)


def test_previews_are_measured_against_their_limits_and_checked_against_sql() -> None:
    (preview, pairs), _ = bench.PARTS["preview"](bench.QUICK)
    assert "2,000 persons × 200 tags" in preview.name
    assert (preview.floor_seconds, pairs.floor_seconds) == (0.1, 15)
    assert "19,900 pairs" in pairs.name
    assert 0 < preview.seconds < 60


def test_tags_take_few_statements_together_and_one_each_for_themselves() -> None:
    measured = tags.measure(events=3000, persons=100, tags=22)
    statements = set(measured["statements"])
    assert {"int_tags__events", "int_tags__events_by_happened_on", "dim_user_tags"} <= statements
    assert len(statements) <= 11, "22 tags share them"
    assert 0 < measured["together_seconds"] < measured["alone_seconds"]
    assert measured["peak_gb"] > 0
    # one person in a hundred did something, and of a few others a window moved
    assert 0 < measured["delta_persons"] < 50
    assert measured["delta_seconds"] > 0


def test_the_tags_of_the_benchmark_are_of_many_kinds() -> None:
    declared = tags.declare(200)
    assert declared[:100] == tags.declare(100), "half of them is half of the work"
    assert len({tag["kind"] for tag in declared}) >= 10


def test_copies_of_the_metrics_input_are_worlds_of_their_own() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "create table orders as select 'O1' as order_no, 'u1' as one_id, 'S1' as series_code,"
            " '已交车' as status, 7 as price_fen, 'D1' as _delivery_id, 'M1;M2' as mentor_codes"
        )
        connection.execute("create table days as select date '2026-01-01' as date, 'a' as name")
        for table in ("orders", "days"):
            metrics.multiply(connection, table, 3)
        assert connection.execute("from orders order by order_no").fetchall() == [
            ("O1", "u1", "S1", "已交车", 7, "D1", "M1;M2"),
            ("O1#1", "u1#1", "S1", "已交车", 7, "D1", "M1#1;M2#1"),
            ("O1#2", "u1#2", "S1", "已交车", 7, "D1", "M1#2;M2#2"),
        ]
        assert connection.execute("select count(*) from days").fetchall() == [(1,)]


def test_metrics_are_measured_over_the_tables_that_they_read_and_do_not_make() -> None:
    def node(path: str, reads: list[str], made: str = "table") -> dict[str, object]:
        name = Path(path).stem
        return {
            "name": name, "schema": "s", "original_file_path": f"models/{path}.sql",
            "resource_type": "model", "config": {"materialized": made},
            "depends_on": {"nodes": reads},
        }  # fmt: skip

    nodes = {
        "seed": {"resource_type": "seed", "config": {}, "name": "rates"},
        "fact": node("intermediate/facts/fact", ["staged"]),
        "staged": node("staging/staged", ["source.raw"]),
        "view": node("intermediate/tags/view", ["held", "seed"], "view"),
        "held": node("marts/profiles/held", []),
        "dim_tags": node("marts/metrics/dim_tags", []),
        "inner": node("intermediate/metrics/inner", ["fact", "view", "seed", "source.raw"]),
        "shown": node("marts/metrics/shown", ["inner", "dim_tags"]),
    }
    found = metrics.inputs_of({"nodes": nodes})
    assert found == ["s.dim_tags", "s.fact", "s.held"]
