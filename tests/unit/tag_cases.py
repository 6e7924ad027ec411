"""People, what they did, and tags declared over them: compiled and run on DuckDB without dbt."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from zhongtai.tags import Tags, load_tags
from zhongtai.tags.facts import FACTS

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks are not installed

from benchmarks.tag_models import Dbt, compiled_statements, create_fact

AS_OF = "2026-03-31 16:00:00"
PROJECT = Path(__file__).resolve().parents[2]
HEAD = "group: trial\ntitle: 试验\nowner: 测试\ntags:\n"

_USERS = (
    "one_id varchar, name varchar, mobile varchar, email varchar, birth_date date, gender varchar,"
    " province varchar, city varchar, is_owner boolean, is_staff boolean, is_partner boolean,"
    " allows_marketing boolean, lifecycle_stage varchar, nurture_pool varchar, lead_tier varchar,"
    " source_count bigint, record_count bigint, first_seen_at timestamp, last_seen_at timestamp"
)


DBT = Dbt()


def create_tables(connection: duckdb.DuckDBPyConnection, as_of: str = AS_OF) -> None:
    """Empty facts and persons, as the compiled models read them."""
    connection.execute(f"create or replace table dim_users ({_USERS})")
    connection.execute(
        "create or replace table int_users__first_records (one_id varchar, record varchar)"
    )
    for fact in FACTS:
        create_fact(connection, fact)
    connection.execute("create schema if not exists tags")
    connection.execute("create or replace table tags.computed (as_of timestamp)")
    connection.execute(
        "create or replace table tags.fingerprints"
        " (concern varchar, one_id varchar, fingerprint ubigint)"
    )
    connection.execute(
        f"create or replace table run_context as select timestamp '{as_of}' as as_of"
    )


def add_rows(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Mapping[str, Any]]
) -> None:
    for row in rows:
        marks = ", ".join("?" for _ in row)
        connection.execute(
            f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values())
        )


def create_models(connection: duckdb.DuckDBPyConnection, tags: Tags) -> None:
    """The compiled models as views over the facts."""
    for name, sql in compiled_statements(tags, DBT).items():
        connection.execute(f"create or replace view {name} as {sql}")


def declare(folder: Path, declarations: str) -> Tags:
    """The tags of one group file with these declarations."""
    seeds = folder / "seeds" / "tags"
    seeds.mkdir(parents=True, exist_ok=True)
    (seeds / "trial.yml").write_text(HEAD + declarations, "utf-8")
    return load_tags(folder)


class World:
    """People, what they did, and the tags declared over them."""

    def __init__(self, folder: Path, declarations: str, as_of: str = AS_OF) -> None:
        self.connection = duckdb.connect()
        create_tables(self.connection, as_of)
        self.tags: Tags = declare(folder, declarations)

    def add(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        add_rows(self.connection, table, rows)

    def values(self) -> dict[str, dict[str, Any]]:
        """one_id -> tag -> value, from dim_user_tags."""
        create_models(self.connection, self.tags)
        found = self.connection.execute("from dim_user_tags").to_arrow_table().to_pylist()
        return {row.pop("one_id"): row for row in found}

    def value(self, tag_id: str) -> dict[str, Any]:
        """one_id -> value of one tag."""
        return {one_id: values[tag_id] for one_id, values in self.values().items()}

    def held(self) -> set[tuple[str, str, str]]:
        self.values()
        return set(self.connection.execute("from int_tags__held").fetchall())


def tag(tag_id: str, kind: str, value_type: str, body: str, more: str = "") -> str:
    """One published declaration; `body` holds the keys of its kind."""
    lines = "".join(f"    {line}\n" for line in f"{more}\n{body}".strip().splitlines())
    return (
        f"  - id: {tag_id}\n    name: {{zh: 名, en: Name}}\n    description: 说明。\n"
        f"    kind: {kind}\n    value_type: {value_type}\n    status: published\n{lines}"
    )


def views(
    one_id: str, series: str, times: Sequence[str], event: str = "view_series"
) -> list[dict[str, Any]]:
    return [
        {"one_id": one_id, "occurred_at": t, "event": event, "series_code": series} for t in times
    ]


def people(*one_ids: str) -> list[dict[str, Any]]:
    return [{"one_id": one_id} for one_id in one_ids]
