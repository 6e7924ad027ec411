"""How long `zhongtai explain` takes on a published map of 10 M records, each question anew.

Four records a person, three values that chain them, some links refused, some persons merged
before. The map is written by the product itself; every question opens it again, as a command does.

    python -m benchmarks.explain [--records 10000000] [--questions 200]
"""

import argparse
import hashlib
import json
import math
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zhongtai.identity import Declaration

PROJECT = Path(__file__).parents[1]
_PER_PERSON = 4
# How far the other record of a refused link is, in records.
_APART = 4 * 997
_RETIRED = "u_0188a0b1c2d37"

# Keys are spread, so that the records of a person lie far from each other.
_KEY = "'L' || lpad(((({i}) * 7368787) % {records})::varchar, 12, '0')"
_ONE_ID = "'u_0199a0b1c2d37' || left(md5((({i}) // 4)::varchar), 19)"
_VALUE = "'+861' || lpad((({i}) // 4 * 3 + {place})::varchar, 10, '0')"
_PAIR = (
    "'crm' as source, 'leads' as entity, {key} as record_key,"
    " 'crm' as other_source, 'leads' as other_entity, {other} as other_record_key"
)


def write_map(folder: Path, records: int) -> float:
    """A published map of that many records in `folder`; returns the seconds of writing it."""
    import duckdb

    from zhongtai.identity.declaration import load_declaration
    from zhongtai.identity.review_pairs import create_review_pairs
    from zhongtai.identity.state import write_state
    from zhongtai.identity.traces import trace_queries

    # ruff: noqa: S608  # numbers of our own
    with duckdb.connect(folder / "build.duckdb") as connection:
        connection.execute("set memory_limit = '6GB'")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"set temp_directory = '{folder}'")
        for schema in ("identity", "intermediate"):
            connection.execute(f"create schema {schema}")
        for statement in _tables(records):
            connection.execute(statement)
        create_review_pairs(connection)
        traces = trace_queries(load_declaration(PROJECT), "bench")
        started = time.perf_counter()
        write_state(connection, folder / "map", traces)
        return time.perf_counter() - started


def _tables(records: int) -> list[str]:
    key, other = (
        _KEY.format(i=f"{i} % {records}", records=records) for i in ("i", f"(i + {_APART})")
    )
    one_id = _ONE_ID.format(i="i")
    moment = "timestamp '2026-01-01'"
    told = "'mobile' as identifier_type, '' as identifier_scope"
    edges = " union all ".join(
        f"select 'crm' as source, 'leads' as entity, {key} as record_key, {told},"
        f" {_VALUE.format(i='i', place=place)} as identifier_value, {moment} as first_seen_at,"
        f" {moment} as last_seen_at, 1::bigint as record_count, false as is_verified,"
        " true as is_edge, null::varchar as reason"
        f" from range({records}) as t(i) where i % 4 in ({place}, {place + 1})"
        for place in range(3)
    )
    retired = f"'{_RETIRED}' || left(md5(i::varchar), 19)"
    return [
        f"create table identity.record_map as select 'crm' as source, 'leads' as entity,"
        f" {key} as record_key, {one_id} as one_id, 'mobile' as linked_by, {moment} as linked_at,"
        f" {moment} as valid_from from range({records}) as t(i)",
        f"create table intermediate.int_identity_evidence as {edges}",
        "create table intermediate.int_identity_records as select source, entity, record_key,"
        " null::varchar as name, null::varchar as hint from identity.record_map limit 0",
        f"create table identity.refused_links as select {_PAIR.format(key=key, other=other)},"
        " 'mobile' as identifier_type, 'different_name' as reason, 'r' as run_id"
        f" from range(0, {records}, 50) as t(i)",
        f"create table identity.shared_values as select {told}, '+86000' as identifier_value,"
        " 'hub' as sharing, null::bigint as holders where false",
        "create table identity.kept_evidence as select source, entity, record_key, 'mobile' as"
        " identifier_type, '' as identifier_value from identity.record_map limit 0",
        f"create table identity.past_map as select 'crm' as source, 'leads' as entity,"
        f" {key} as record_key, {retired} as one_id, {moment} - interval 90 day as valid_from,"
        f" {moment} as valid_to from range(0, {records}, 40) as t(i)",
        f"create table identity.redirects as select {retired} as retired_one_id,"
        f" {one_id} as one_id, {moment} as since from range(0, {records}, 40) as t(i)",
        f"create table identity.changes as select {moment} as changed_at, 'new' as change,"
        f" {one_id} as one_id, null::varchar as previous_one_id, 4::bigint as record_count,"
        f" 'first' as reason, 'r' as run_id from range(0, {records}, 4) as t(i) union all"
        f" select {moment}, 'merge', {one_id}, {retired}, 1, 'joined', 'r'"
        f" from range(0, {records}, 40) as t(i)",
        "create table identity.standing_decisions as select 'merge' as kind,"
        f" {_PAIR.format(key=key, other=other)}, {moment} as since from range(0) as t(i)",
    ]


def measure(records: int, questions: int = 200, seed: int = 7) -> dict[str, object]:
    """Seconds of explaining pairs, refused pairs, persons and retired ids: median, p95, worst.

    Raises AssertionError where an answer is not what was written.
    """
    from zhongtai.identity.declaration import load_declaration

    records -= records % _PER_PERSON
    declaration, draw = load_declaration(PROJECT), random.Random(seed)  # noqa: S311
    with tempfile.TemporaryDirectory(prefix="zhongtai-bench-") as name:
        folder = Path(name)
        written = write_map(folder, records)
        # loading the libraries is not measured
        _ask(folder / "map", declaration, 0, 0, records)
        seconds = []
        for number in range(questions):
            first = draw.randrange(0, records, 200)
            started = time.perf_counter()
            is_right = _ask(folder / "map", declaration, number, first, records)
            seconds.append(time.perf_counter() - started)
            if not is_right:
                raise AssertionError(f"question {number} about record {first}: wrong answer")
    seconds.sort()
    return {
        "records": records,
        "questions": questions,
        "median_seconds": round(seconds[len(seconds) // 2], 4),
        "p95_seconds": round(seconds[math.ceil(len(seconds) * 0.95) - 1], 4),
        "worst_seconds": round(seconds[-1], 4),
        "written_seconds": round(written, 1),
    }


def _ask(folder: Path, declaration: "Declaration", number: int, first: int, records: int) -> bool:
    """Ask a question of one of four kinds; whether the answer is right."""
    from zhongtai.identity.explanations import explain_pair
    from zhongtai.identity.persons import explain_person
    from zhongtai.identity.published_map import open_folder

    one, kind = _name(first, records), number % 4
    with open_folder(folder) as published:
        if kind == 0:
            pair = explain_pair(published, declaration, one, _name(first + 3, records))
            return pair.is_one_person and len(pair.path) == _PER_PERSON - 1
        if kind == 1:
            stranger = _name((first + _APART) % records, records)
            pair = explain_pair(published, declaration, one, stranger)
            return not pair.is_one_person and bool(pair.refused)
        # as md5 of DuckDB writes it
        digest = hashlib.md5(str(first).encode(), usedforsecurity=False).hexdigest()
        person = explain_person(
            published, declaration, one if kind == 2 else _RETIRED + digest[:19]
        )
        return len(person.records) == _PER_PERSON and bool(person.history)


def _name(number: int, records: int) -> str:
    return f"crm:leads:L{number * 7368787 % records:012}"


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--questions", type=int, default=200)
    options = parser.parse_args()
    print(json.dumps(measure(options.records, options.questions)))  # noqa: T201


if __name__ == "__main__":
    main()
