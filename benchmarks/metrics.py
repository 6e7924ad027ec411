"""All metrics tables of a million persons: computed in full, and again after one more day.

Sample exports go through the pipeline once. What the metrics then read (facts, persons, tags) is
laid side by side so many times, each copy with persons, dealers, staff, cars and records of its
own; then dbt builds and tests the selector `metrics`, in a process of its own. What a population
counts as a whole, such as the sizes of pools, is not multiplied.

    python -m benchmarks.metrics [--people 1000000]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.pipeline import run_pipeline, watched

if TYPE_CHECKING:
    import duckdb


DAYS, SEED = 46, 7  # so many days are some thirty events a person
COPIES = 10  # a tenth of the persons goes through the pipeline
_OF_METRICS = ("models/intermediate/metrics/", "models/marts/metrics/")
# vocabularies and what is one for all copies, although they are named like keys
_SHARED = {"tag_id", "series_code", "model_code", "course_code", "component"}
_NAMES = {"vin", "order_no", "mobile", "unionid", "mentor_codes"}


@dataclass(frozen=True)
class Built:
    """What one build of the metrics took, and what it read.

    `seconds` is wall time and `processor_seconds` of all cores; those of models and of tests are
    wall time on their threads, so that two at a time count twice.
    """

    seconds: float
    processor_seconds: float
    model_seconds: float
    test_seconds: float
    slowest: tuple[tuple[str, float], ...]
    tables: int
    events: int
    persons: int


def is_key(column: str) -> bool:
    """Whether a text column names something that every copy has of its own."""
    if column.startswith("_") or column in _SHARED:
        return False
    return column in _NAMES or column.endswith(("_id", "_key", "_code", "_codes"))


def inputs_of(manifest: dict[str, Any]) -> list[str]:
    """The tables that metrics read and do not make: schema.name, views resolved into tables."""
    nodes = manifest["nodes"]

    def is_metric(name: str) -> bool:
        node = nodes.get(name, {})
        path = str(node.get("original_file_path", ""))
        return node.get("name") != "dim_tags" and path.startswith(_OF_METRICS)

    def tables(name: str) -> Iterator[str]:
        if name not in nodes:
            return
        node = nodes[name]
        if node["config"].get("materialized") == "view":
            for parent in node["depends_on"]["nodes"]:
                yield from tables(parent)
        elif node["resource_type"] == "model" and not is_metric(name):
            yield f"{node['schema']}.{node['name']}"

    found = {
        table
        for name, node in nodes.items()
        if node["resource_type"] == "model" and is_metric(name)
        for parent in node["depends_on"]["nodes"]
        for table in tables(parent)
    }
    return sorted(found)


def multiply(connection: "duckdb.DuckDBPyConnection", table: str, copies: int) -> None:
    """Lay the rows of a table side by side, the keys of every copy but the first marked."""
    columns = connection.execute(f"describe {table}").fetchall()
    keys = [name for name, kind, *_ in columns if kind == "VARCHAR" and is_key(name)]
    if not keys:
        return
    marked = ", ".join(
        f"replace({name}, ';', '#' || copy || ';') || '#' || copy as {name}" for name in keys
    )
    # ruff: noqa: S608  # names of our own models
    connection.execute(
        f"insert into {table} by name select rows.* replace ({marked})"
        f" from {table} as rows, range(1, {copies}) as copies(copy)"
    )


def enlarge(home: Path, copies: int) -> None:
    """Multiply what the metrics of a home read."""
    from zhongtai.settings import load_settings
    from zhongtai.transform import parse_project
    from zhongtai.warehouse import open_build

    settings = load_settings(home=home)
    manifest = json.loads(parse_project(settings).read_text("utf-8"))
    with open_build(settings) as build:
        for table in inputs_of(manifest):
            multiply(build, table, copies)


def one_day_more(home: Path) -> datetime:
    """Repeat the events of the last day a day later, and move as-of; returns it (naive UTC)."""
    from zhongtai.settings import load_settings
    from zhongtai.warehouse import open_build

    with open_build(load_settings(home=home)) as build:
        build.execute(
            "insert into intermediate.int_events by name"
            " select events.* replace (occurred_at + interval 1 day as occurred_at)"
            " from intermediate.int_events as events, meta.run_context"
            " where occurred_at >= as_of - interval 1 day and occurred_at < as_of"
        )
        ((as_of,),) = build.execute("select as_of from meta.run_context").fetchall()
        later: datetime = as_of + timedelta(days=1)
        build.execute("update meta.run_context set as_of = ?", [later])
    return later


def build_metrics(home: Path) -> Built:
    """Run the selector of the metrics over the working file as it is."""
    from zhongtai.database import connect
    from zhongtai.embedded_server import stop_embedded_server
    from zhongtai.runs import finish_run, start_run
    from zhongtai.settings import load_settings
    from zhongtai.transform import run_dbt
    from zhongtai.warehouse import open_build

    settings = load_settings(home=home)
    with connect(settings) as connection:
        run = start_run(connection, "bench")
        connection.commit()
        started, worked = time.perf_counter(), time.process_time()
        report = run_dbt(settings, run, "metrics")
        seconds, processor = time.perf_counter() - started, time.process_time() - worked
        finish_run(connection, run, "built")
        connection.commit()
    stop_embedded_server(settings)
    models = [node for node in report.nodes if node.resource_type == "model"]
    of_models, of_all = (sum(n.seconds for n in nodes) for nodes in (models, report.nodes))
    slowest = sorted(((n.node, n.seconds) for n in models), key=lambda node: -node[1])
    with open_build(settings, read_only=True) as build:
        ((events, persons),) = build.execute(
            "select (select count(*) from intermediate.int_events),"
            " (select count(*) from profiles.dim_users)"
        ).fetchall()
    return Built(
        seconds,
        processor,
        of_models,
        of_all - of_models,
        tuple(slowest[:10]),
        len(models),
        events,
        persons,
    )


def measure(people: int, copies: int = COPIES) -> dict[str, Any]:
    """Seconds and peak memory of the metrics in full, and of the build a day later."""
    from zhongtai.generate.exports import generate

    # a short path: PostgreSQL's socket must fit into 107 characters
    with tempfile.TemporaryDirectory(prefix="zt-bench-") as name:
        folder = Path(name)
        home = folder / "home"
        made = generate(folder / "world", people=people // copies, days=DAYS, seed=SEED)
        landing, as_of = folder / "world" / "landing", datetime.fromisoformat(made.as_of)
        watched(run_pipeline, home, landing, as_of)
        watched(enlarge, home, copies)
        full, full_peak = watched(build_metrics, home)
        watched(one_day_more, home)
        delta, delta_peak = watched(build_metrics, home)
    return {"full": full, "full_mb": full_peak, "delta": delta, "delta_mb": delta_peak}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    print(measure(parser.parse_args().people))  # noqa: T201
