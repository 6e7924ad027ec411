"""Measure everything against its floor, print a table and write docs/benchmarks.md.

python -m benchmarks [--people 100000] [--only ingest components identity …] [--quick]
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import (
    components,
    erasure,
    explain,
    identity,
    ingest,
    matching,
    metrics,
    pipeline,
    preview,
    tags,
)
from benchmarks.measurements import Breakdown, Measurement
from benchmarks.report import (
    PAGE,
    STORE,
    describe_circumstances,
    keep_part,
    print_table,
    render_page,
)

INGEST_BUDGET = 2.0
COMPONENTS_BUDGET, COMPONENTS_MB = 1.5, 6 * 1024
IDENTITY_DELTA_BUDGET, IDENTITY_SECONDS = 0.05, 150
MATCHING_BUDGET = 1.3
EXPLAIN_SECONDS = 0.3
PREVIEW_SECONDS, PAIRS_SECONDS = 0.1, 15
TAGS_SECONDS, TAGS_MB, ONE_TAG_SECONDS = 60, 6 * 1024, 0.2
ERASURE_SECONDS = 600
METRICS_SECONDS, METRICS_MB, METRICS_DELTA_BUDGET = 180, 8 * 1024, 0.10
Results = tuple[list[Measurement], list[Breakdown]]


@dataclass(frozen=True)
class Sizes:
    """How much each part measures."""

    people: int
    rows: int
    records: int
    rounds: int


QUICK = Sizes(people=100, rows=2000, records=20_000, rounds=1)


def measure_ingest(sizes: Sizes) -> Results:
    """Each format into Parquet against DuckDB's own reader."""
    with tempfile.TemporaryDirectory(prefix="zhongtai-bench-") as name:
        folder = Path(name)
        found = [
            ingest.measure(case, folder, sizes.rounds)
            for case in ingest.make_cases(folder, sizes.rows, [])
        ]
    return [_ingest_row(measured) for measured in found], []


def _ingest_row(measured: dict[str, Any]) -> Measurement:
    return Measurement(
        f"ingest {measured['case']}, {measured['rows']:,} rows",
        measured["ours_seconds"],
        "DuckDB's reader on the same rows in clean UTF-8 → Parquet",
        measured["floor_seconds"],
        INGEST_BUDGET,
        note=f"{measured['delivered_mb']} MB delivered; processor time"
        f" {measured['processor_ratio']}×; read, counted and written, ledger apart",
    )


def measure_components(sizes: Sizes) -> Results:
    """Identity components against scipy: of a world that holds a chain and a star, and of those.

    The budget is that of the world. Of a chain or a star alone what is kept for the next run, which
    the floor does not write, weighs more than what is computed.
    """
    rows = []
    for shape in components.SHAPES:
        records = sizes.records if shape == "world" else sizes.records // 10
        measured: dict[str, Any] = components.measure(shape, records, sizes.records * 8 // 5)
        rows.append(
            Measurement(
                f"components, {shape} of {records:,} records",
                measured["ours_seconds"],
                "scipy connected_components, numbering the texts included",
                measured["scipy_seconds"],
                COMPONENTS_BUDGET if shape == "world" else None,
                measured["ours_peak_gb"] * 1024,
                COMPONENTS_MB,
                f"{measured['ours_components']:,} components, the same as scipy's",
            )
        )
    return rows, []


def measure_identity(sizes: Sizes) -> Results:
    """The deterministic identity stage in full, against its limit for 10 M records; its delta."""
    measured: dict[str, Any] = identity.measure(sizes.records)
    full, delta = measured["full"], measured["delta"]
    note = f"{full['persons']:,} persons"
    by_processor = f"{measured['processor_ratio']:.3f}× by processor time"
    touched = f"{delta['touched']:,} records touched; {by_processor}"
    limit = IDENTITY_SECONDS * sizes.records / 10_000_000
    return [
        Measurement(
            f"identity, {sizes.records:,} records",
            full["seconds"],
            f"limit, {IDENTITY_SECONDS} s for 10,000,000 records",
            limit,
            1.0,
            full["peak_gb"] * 1024,
            COMPONENTS_MB,
            note,
        ),
        Measurement(
            "identity, delta of 1%",
            delta["seconds"],
            "the full stage",
            full["seconds"],
            IDENTITY_DELTA_BUDGET,
            delta["peak_gb"] * 1024,
            COMPONENTS_MB,
            touched,
        ),
    ], []


def measure_matching(sizes: Sizes) -> Results:
    """Fuzzy matching against plain Splink on the same pairs."""
    measured: dict[str, Any] = matching.measure(sizes.records // 10)
    return [
        Measurement(
            f"matching of {measured['clusters']:,} clusters",
            measured["ours_seconds"],
            "Splink's predict on the same blocked pairs, features and pairs given",
            measured["splink_seconds"],
            MATCHING_BUDGET,
            measured["ours_peak_gb"] * 1024,
            COMPONENTS_MB,
            f"{measured['compared']:,} pairs compared, {measured['kept']:,} kept by both;"
            f" {measured['processor_ratio']:.2f}× by processor time",
        )
    ], []


def measure_explain(sizes: Sizes) -> Results:
    """Questions about persons of a large published map, against what a person waits for."""
    measured: dict[str, Any] = explain.measure(sizes.records)
    return [
        Measurement(
            f"explain, p95 of {measured['questions']} questions, {measured['records']:,} records",
            measured["p95_seconds"],
            "the limit itself",
            EXPLAIN_SECONDS,
            1.0,
            note=f"median {measured['median_seconds']} s; each opens the map anew;"
            f" writing the map took {measured['written_seconds']} s",
        )
    ], []


def measure_preview(sizes: Sizes) -> Results:
    """Exact previews of five clauses over 200 tags, and all pairs of tags, against their limits."""
    measured: dict[str, Any] = preview.measure(sizes.records // 10)
    persons = f"{measured['persons']:,} persons"
    return [
        Measurement(
            f"preview of 5 clauses, p95 of {measured['previews']}, {persons} × 200 tags",
            measured["p95_seconds"],
            "the limit itself",
            PREVIEW_SECONDS,
            1.0,
            note=f"median {measured['median_seconds']} s, of the processor p95"
            f" {measured['p95_processor_seconds']} s; exact, with examples and who would enter"
            f" and leave; the bare count by SQL takes {measured['sql_p95_seconds']} s;"
            f" writing the bitmaps took {measured['written_seconds']} s",
        ),
        Measurement(
            f"overlap of {measured['pairs']:,} pairs of tags, {persons}",
            measured["pairs_seconds"],
            "the limit itself",
            PAIRS_SECONDS,
            1.0,
            note=f"of the processor {measured['pairs_processor_seconds']} s",
        ),
    ], []


def measure_tags(sizes: Sizes) -> Results:
    """Two hundred tags in shared scans, against each for itself and against their limits."""
    # a million persons and thirty million events beside ten million records
    events, persons = sizes.records * 3, sizes.records // 10
    measured: dict[str, Any] = tags.measure(events, persons)
    together = measured["together_seconds"]
    peak = measured["peak_gb"] * 1024
    name = f"{measured['tags']} tags, {events:,} events, {persons:,} persons"
    return [
        Measurement(
            name,
            together,
            "limit",
            TAGS_SECONDS,
            1.0,
            peak,
            TAGS_MB,
            f"processor {measured['together_processor_seconds']:.0f} s; "
            + "; ".join(f"{m.removeprefix('int_tags__')} {s}" for m, s in _costly(measured)),
        ),
        Measurement(
            name, together, "the same tags, a statement each", measured["alone_seconds"], None
        ),
        Measurement(
            "one tag more",
            measured["one_more_seconds"],
            "limit",
            ONE_TAG_SECONDS,
            1.0,
            note="half of the tags beside all of them, by the tag; of the processor"
            f" {measured['one_more_processor_seconds']:.2f} s",
        ),
        Measurement(
            f"the same tags, an hour and 1% of persons later: {measured['delta_persons']:,} anew",
            measured["delta_seconds"],
            "all of them in full",
            measured["delta_full_seconds"],
            None,
            measured["delta_peak_gb"] * 1024,
            TAGS_MB,
            f"processor {measured['delta_processor_seconds']:.1f} s of"
            f" {measured['delta_full_processor_seconds']:.1f} s; without tags that everyone's"
            " values cut, which are computed for everyone",
        ),
    ], []


def _costly(measured: dict[str, Any]) -> list[tuple[str, float]]:
    return sorted(measured["statements"].items(), key=lambda item: -item[1])[:4]


def _spent(built: metrics.Built) -> str:
    return (
        f"processor {built.processor_seconds:.0f} s; on their threads models"
        f" {built.model_seconds:.0f} s, tests {built.test_seconds:.0f} s"
    )


def measure_metrics(sizes: Sizes) -> Results:
    """All metrics tables in full against their limit, and after one more day against that."""
    # a million persons beside ten million records, with some thirty events each
    measured: dict[str, Any] = metrics.measure(max(sizes.records // 10, 2000))
    full, delta = measured["full"], measured["delta"]
    what = f"metrics, {full.events:,} events, {full.persons:,} persons"
    limit = METRICS_SECONDS * sizes.records / 10_000_000
    return [
        Measurement(
            f"{what}, {full.tables} models with their tests",
            full.seconds,
            f"limit, {METRICS_SECONDS} s for 1,000,000 persons",
            limit,
            1.0,
            measured["full_mb"],
            METRICS_MB,
            _spent(full),
        ),
        Measurement(
            f"metrics, {delta.events - full.events:,} more events, a day later",
            delta.seconds,
            "the full build",
            full.seconds,
            METRICS_DELTA_BUDGET,
            measured["delta_mb"],
            METRICS_MB,
            f"every table is computed anew; {_spent(delta)}",
        ),
    ], [
        Breakdown(name, (("dbt", built.seconds),), built.slowest, built.tables, built.seconds)
        for name, built in (("Metrics in full", full), ("Metrics a day later", delta))
    ]


def measure_pipeline(sizes: Sizes) -> Results:
    """A full run and a delta run."""
    return pipeline.measure(sizes.people)


def measure_erasure(sizes: Sizes) -> Results:
    """Persons erased one by one from a home of their own, against the limit for a million."""
    # half a million people of the sample, with the silent ones, are a million profiles
    rounds = erasure.measure(max(sizes.records // 20, 100))
    return [_erasure_row(one) for one in rounds], [
        Breakdown(f"Erasure with {one.snapshots} kept", _erasure_steps(one.erased), (), 0, 0.0)
        for one in rounds
    ]


def _erasure_row(one: erasure.Round) -> Measurement:
    own, server = (sum(part[at] for part in one.erased.parts.values()) for at in (1, 2))
    return Measurement(
        f"erasure of one person, {one.profiles:,} profiles, kept snapshots: {one.snapshots}",
        one.erased.seconds,
        f"limit, {ERASURE_SECONDS} s for 1,000,000 profiles",
        ERASURE_SECONDS * one.profiles / 1_000_000,
        1.0,
        one.peak_mb,
        note=f"processor {own:.0f} s, PostgreSQL's {server:.0f} s; {one.person.records} records of"
        f" {one.person.entities} entities, {one.raw_rows:,} raw rows, {one.rows_of_persons:,} rows"
        f" of persons in a snapshot; of {one.gigabytes:.0f} GB {one.holders[0]} files held one of"
        f" {len(one.person.values)} values before, {one.holders[1]} one of anybody erased"
        f" afterwards; the run before took {one.run_seconds:.0f} s",
    )


def _erasure_steps(erased: erasure.Erased) -> tuple[tuple[str, float], ...]:
    return tuple(
        (f"{part}; processor {used[1]:.1f} s, PostgreSQL's {used[2]:.1f} s", used[0])
        for part, used in erased.parts.items()
    )


PARTS: dict[str, Callable[[Sizes], Results]] = {
    "ingest": measure_ingest,
    "components": measure_components,
    "identity": measure_identity,
    "matching": measure_matching,
    "explain": measure_explain,
    "preview": measure_preview,
    "tags": measure_tags,
    "metrics": measure_metrics,
    "pipeline": measure_pipeline,
    "erasure": measure_erasure,
}
# hours and forty gigabytes: only by `--only`
AT_REQUEST = ("erasure",)
DEFAULT = [name for name in PARTS if name not in AT_REQUEST]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen parts, each kept on the page when done; a quick run is only printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--people", type=int, default=100_000, help="of the pipeline's exports")
    parser.add_argument("--rows", type=int, default=300_000, help="of each ingested file")
    parser.add_argument("--records", type=int, default=10_000_000, help="of the identity graph")
    parser.add_argument("--rounds", type=int, default=3, help="of ingest; the best counts")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=DEFAULT)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works")
    options = parser.parse_args(arguments)
    sizes = Sizes(options.people, options.rows, options.records, options.rounds)
    given = list(sys.argv[1:] if arguments is None else arguments)
    reduced = [
        f"{name} {getattr(options, name):,} (default {parser.get_default(name):,})"
        for name in ("people", "rows", "records", "rounds")
        if getattr(options, name) != parser.get_default(name)
    ]
    console = Console(width=None if sys.stdout.isatty() else 200)
    rows: list[Measurement] = []
    for name in options.only:
        console.print(f"measuring {name} …")
        where = describe_circumstances(" ".join(["python -m benchmarks", *given]), reduced)
        found, broken_down = PARTS[name](QUICK if options.quick else sizes)
        rows += found
        print_table(found, console)
        if not options.quick:
            keep_part(STORE, name, found, broken_down, where)
            PAGE.write_text(
                render_page(json.loads(STORE.read_text("utf-8")), tuple(PARTS)), "utf-8"
            )
    console.rule()
    print_table(rows, console)
    if not options.quick:
        console.print(f"written: {PAGE.relative_to(PAGE.parents[1])}")


if __name__ == "__main__":
    main()
