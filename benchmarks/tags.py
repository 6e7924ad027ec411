"""Two hundred tags over 30 M events of a million persons, in shared scans and each for itself.

A mix as a carmaker declares it: most tags count events in windows, some look at days, at values of
a column, at sequences, at other tags. Tables are made as dbt makes them, without dbt.

    python -m benchmarks.tags [--events 30000000] [--persons 1000000]
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.tag_models import KEPT, Build, Dbt, create_fact, ordered_models
from zhongtai.tags.staleness import PROFILE_COLUMNS

if TYPE_CHECKING:
    import duckdb

AS_OF = "2026-03-31 16:00:00"
MEMORY = "4500MB"
_EVENTS = (
    "view_series", "view_config", "compare_series", "click_finance", "submit_inquiry",
    "book_test_drive", "view_content", "like_content", "share_content", "app_start",
)  # fmt: skip
_WINDOWS = (7, 14, 30, 60, 90, 180)
# a few persons do most: the square of an even draw
_DRAW = (
    "'u_' || md5(cast(cast(floor(pow(hash({i}) / 18446744073709551616.0, 2) * {persons}) as bigint)"
    " as varchar))"
)


def declare(number: int) -> list[dict[str, Any]]:
    """That many declarations; the first of them are the same for any number."""
    found: list[dict[str, Any]] = []
    kinds = _kinds()
    while len(found) < number:
        body = next(kinds)
        found.append({
            "id": f"tag_{len(found):03}", "name": {"zh": "名", "en": "Name"},
            "description": "说明", "status": "published", **body,
        })  # fmt: skip
    return found


def _kinds() -> Iterator[dict[str, Any]]:
    """Endless bodies: of twenty tags fourteen count, the others are of the costlier kinds."""
    flag, text = {"value_type": "boolean"}, {"value_type": "text"}
    for turn in range(1000):
        event, other = _EVENTS[turn % 10], _EVENTS[(turn * 3 + 1) % 10]
        days = _WINDOWS[turn % 6]
        for place in range(8):
            window = {"within_days": _WINDOWS[(turn + place) % 6]}
            where = {"where": {"event": _EVENTS[(turn + place) % 10]}}
            times = {"times": {"at_least": 1 + turn % 5 + place}}
            yield {"kind": "rule", **flag, "rule": {"did": "events", **where, **window, **times}}
        for place in range(3):
            yield {"kind": "rule", **flag, "rule": {"all": [
                {"did": "events", "where": {"event": event, "source": "app"}, "within_days": days},
                {"did_not": "events", "where": {"event": other},
                 "within_days": _WINDOWS[(turn + place) % 6]},
            ]}}  # fmt: skip
        bands = {"bands": [{"value": "低", "at_most": 2}, {"value": "高"}]}
        body = {"fact": "events", "where": {"event": event}, "within_days": days}
        yield {"kind": "metric", **text, "measure": {"take": "count", **body}, **bands}
        yield {"kind": "metric", **text, **bands,
               "measure": {"take": "sum", "of": "amount_fen", **body}}  # fmt: skip
        yield {"kind": "metric", "value_type": "integer",
               "measure": {"take": "days_since_last", **body}}  # fmt: skip
        yield {"kind": "metric", **text, "measure": {"take": "active_days", **body}, **bands}
        yield {"kind": "share", "value_type": "number", "share": {
            "fact": "events", "within_days": days, "part": {"event": event}}}  # fmt: skip
        yield {"kind": "preference", **text, "prefer": {
            "of": "series_code", "tie": "latest", **body}}  # fmt: skip
        yield _seldom(turn, event, other, body)
        for back in (3, 12):
            yield {"kind": "composite", **flag, "rule": {"any": [
                {"tag": f"tag_{turn * 20 + place:03}", "is": True} for place in range(back - 2)
            ]}}  # fmt: skip


def _seldom(turn: int, event: str, other: str, body: dict[str, Any]) -> dict[str, Any]:
    choices: list[dict[str, Any]] = [
        {"kind": "sequence", "value_type": "boolean", "sequence": {"within_days": 90, "steps": [
            {"did": "events", "where": {"event": event}},
            {"did": "events", "where": {"event": other}, "within_days_of_previous": 7}]}},
        {"kind": "first_last", "value_type": "text",
         "measure": {"take": "first", "of": "source", "fact": "events"}},
        {"kind": "list", "value_type": "list", "list": {**body, "of": "series_code"}},
        {"kind": "rfm", "value_type": "text", "rfm": {
            "fact": "events", "money": "amount_fen", "within_days": 180, "cut_by": "quantile",
            "cuts": {"recency": 0.5, "frequency": 0.5, "money": 0.8}}},
        {"kind": "distribution", "value_type": "shares",
         "distribution": {**body, "of": "dealer_code", "top": 3}},
    ]  # fmt: skip
    return choices[turn % len(choices)]


def make_events(file: Path, events: int, persons: int) -> None:
    """A database with that many events in the order of time, and everyone in dim_users."""
    import duckdb

    one_id = _DRAW.format(i="i", persons=persons)
    nothing = ", ".join(f"null::varchar as {name}" for name in PROFILE_COLUMNS)
    kinds = ", ".join(f"'{event}'" for event in _EVENTS)
    with duckdb.connect(file) as connection:
        connection.execute(f"set memory_limit = '{MEMORY}'")
        create_fact(connection, "events")
        # ruff: noqa: S608  # numbers of our own
        connection.execute(
            "insert into int_events by name select"
            f" {one_id} as one_id,"
            f" timestamp '{AS_OF}' - to_seconds(cast((({events} - i) / {events}) * 34560000"
            " as bigint)) as occurred_at,"
            " ['app', 'miniprogram', 'website'][cast(1 + hash(i, 1) % 3 as integer)] as source,"
            f" [{kinds}][cast(1 + hash(i, 2) % 10 as integer)] as event,"
            " 'S' || hash(i, 3) % 12 as series_code,"
            " 'D' || hash(i, 4) % 200 as dealer_code,"
            " cast(hash(i, 5) % 100000 as bigint) as amount_fen"
            f" from range({events}) as t(i)"
        )
        connection.execute(
            "create table dim_users as select"
            f" 'u_' || md5(cast(i as varchar)) as one_id, {nothing} from range({persons}) as t(i)"
        )
        connection.execute(
            "create table int_users__first_records as"
            " select one_id, one_id as record from dim_users"
        )


def measure(events: int, persons: int, tags: int = 200) -> dict[str, Any]:
    """Seconds and peak memory of all tags together, of half of them, and of each for itself.

    The delta is the second run of all together, after one person in a hundred did something.
    """
    with tempfile.TemporaryDirectory(prefix="zhongtai-bench-") as name:
        file = Path(name) / "tags.duckdb"
        make_events(file, events, persons)
        together = _apart(run_together, file, tags)
        half = _apart(run_together, file, tags // 2)
        delta = _apart(run_delta, file, tags)
        alone = _apart(run_alone, file, tags)
    more = tags - tags // 2
    return {
        "events": events,
        "persons": persons,
        "tags": tags,
        "together_seconds": together["seconds"],
        "together_processor_seconds": together["processor_seconds"],
        "statements": together["statements"],
        "peak_gb": together["peak_gb"],
        "one_more_seconds": (together["seconds"] - half["seconds"]) / more,
        "one_more_processor_seconds": (together["processor_seconds"] - half["processor_seconds"])
        / more,
        "delta_seconds": delta["seconds"],
        "delta_processor_seconds": delta["processor_seconds"],
        "delta_full_seconds": delta["full_seconds"],
        "delta_full_processor_seconds": delta["full_processor"],
        "delta_peak_gb": delta["peak_gb"],
        "delta_persons": delta["persons"],
        "alone_seconds": alone["seconds"],
    }


def run_together(file: Path, number: int) -> dict[str, Any]:
    """All tags in the plan that the product makes of them."""
    with _open(file) as connection:
        return _build(Build(connection, Dbt()), _compile(declare(number)))


def run_delta(file: Path, number: int) -> dict[str, Any]:
    """All tags, an hour after a full computation, in which one person in a hundred did something.

    The hour is the last before a local midnight, so that the day stays the same.
    """
    # where everyone's values cut the bands of a tag, the wide table is always computed in full
    declared = [d for d in declare(number) if d.get("rfm", {}).get("cut_by") != "quantile"]
    models = _compile(declared)
    with _open(file) as connection:
        connection.execute(f"update run_context set as_of = timestamp '{AS_OF}' - interval 2 hour")
        build = Build(connection, Dbt())
        full = _build(build, models)
        connection.execute(
            "create table told as select distinct on (one_id) * replace"
            f" (timestamp '{AS_OF}' - interval 90 minute as occurred_at)"
            " from int_events where hash(one_id) % 100 = 0 order by one_id, occurred_at"
        )
        connection.execute(
            "create or replace view int_events as from data.int_events union all by name from told"
        )
        connection.execute(f"update run_context set as_of = timestamp '{AS_OF}' - interval 1 hour")
        found = _build(build, models)
        stale = connection.execute("select count(distinct one_id) from int_tags__stale").fetchall()
        of_all = {"full_seconds": full["seconds"], "full_processor": full["processor_seconds"]}
        return {**found, **of_all, "persons": stale[0][0]}


def run_alone(file: Path, number: int) -> dict[str, Any]:
    """Each tag as if it were the only one; composites are left out, they read no events."""
    seconds = 0.0
    for declared in declare(number):
        if declared["kind"] != "composite":
            models = _compile([declared])
            # nothing that only the next run would need
            own = {name: text for name, text in models.items() if name not in KEPT}
            with _open(file) as connection:
                seconds += _build(Build(connection, Dbt()), own)["seconds"]
    return {"seconds": seconds}


def _compile(declared: list[dict[str, Any]]) -> dict[str, str]:
    from zhongtai.tags import load_tags

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seeds" / "tags" / "bench.yml"
        file.parent.mkdir(parents=True)
        group = {"group": "bench", "title": "量", "owner": "量", "tags": declared}
        file.write_text(yaml.safe_dump(group, allow_unicode=True, sort_keys=False), "utf-8")
        return ordered_models(load_tags(Path(folder)))


@contextmanager
def _open(file: Path) -> Iterator["duckdb.DuckDBPyConnection"]:
    """An empty database beside the events."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(f"set memory_limit = '{MEMORY}'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"set temp_directory = '{file.parent}'")
        connection.execute(f"attach '{file}' as data (read_only)")
        connection.execute("create schema intermediate; set search_path = 'intermediate'")
        for table in ("int_events", "dim_users", "int_users__first_records"):
            connection.execute(f"create view {table} as from data.{table}")
        connection.execute(f"create table run_context as select timestamp '{AS_OF}' as as_of")
        yield connection


def _build(build: Build, models: Mapping[str, str]) -> dict[str, Any]:
    """Seconds, and of processors in all and for each statement."""
    took = build.run(models)
    processor = {name: round(worked, 3) for name, (_, worked) in took.items()}
    return {
        "seconds": sum(seconds for seconds, _ in took.values()),
        "processor_seconds": sum(processor.values()),
        "statements": processor,
    }


def _apart(function: Any, file: Path, number: int) -> dict[str, Any]:
    """Run it in a process of its own, for its peak memory."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_with_peak, function, file, number).result()


def _with_peak(function: Any, file: Path, number: int) -> dict[str, Any]:
    found: dict[str, Any] = function(file, number)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return {**found, "peak_gb": round(peak, 2)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=30_000_000)
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--tags", type=int, default=200)
    options = parser.parse_args()
    print(json.dumps(measure(options.events, options.persons, options.tags), indent=2))  # noqa: T201
