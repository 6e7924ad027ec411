"""People, what they did, and tags declared over them: compiled and run on DuckDB without dbt."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2

from zhongtai.tags import Tags, load_tags, render_models
from zhongtai.tags.facts import FACTS
from zhongtai.tags.queries import SQL_TYPES

AS_OF = "2026-03-31 16:00:00"
PROJECT = Path(__file__).resolve().parents[2]
HEAD = "group: trial\ntitle: 试验\nowner: 测试\ntags:\n"

_USERS = (
    "one_id varchar, name varchar, mobile varchar, email varchar, birth_date date, gender varchar,"
    " province varchar, city varchar, is_owner boolean, is_staff boolean, is_partner boolean,"
    " allows_marketing boolean, lifecycle_stage varchar, nurture_pool varchar, lead_tier varchar,"
    " source_count bigint, record_count bigint, first_seen_at timestamp, last_seen_at timestamp"
)
_LAST = ("int_tags__measures", "dim_user_tags", "int_tags__held")
_MACROS = ("tags/*", "schema/local_date", "metrics/iso_weekday")


def jinja_environment() -> jinja2.Environment:
    """The macros that generated models call, as dbt would render them for DuckDB."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701  # SQL, not HTML
    environment.globals.update(
        ref=lambda name: name,
        as_of=lambda: "(select as_of from run_context)",
        dbt=SimpleNamespace(datediff=lambda a, b, part: f"date_diff('{part}', {a}, {b})"),
        config=lambda **_: "",
    )
    folder = PROJECT / "dbt_project" / "macros"
    files = sorted(f for pattern in _MACROS for f in folder.glob(f"{pattern}.sql"))
    # a macro sees those that were there before it: the second time it sees all
    for file in files * 2:
        module = environment.from_string(file.read_text("utf-8")).module
        names = (f"duckdb__{file.stem}", f"default__{file.stem}", file.stem)
        environment.globals[file.stem] = next(
            getattr(module, name) for name in names if hasattr(module, name)
        )
    return environment


ENVIRONMENT = jinja_environment()


def create_tables(connection: duckdb.DuckDBPyConnection, as_of: str = AS_OF) -> None:
    """Empty facts and persons, as the compiled models read them."""
    connection.execute(f"create or replace table dim_users ({_USERS})")
    for fact in FACTS.values():
        columns = {"one_id": "varchar", fact.time: "timestamp"}
        columns |= {name: SQL_TYPES[kind] for name, kind in fact.columns.items()}
        listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"create or replace table {fact.model} ({listed})")
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
    models = {p.stem: text for p, text in render_models(tags).items() if p.suffix == ".sql"}
    scans = [name for name in models if name.startswith("int_tags__") and name not in _LAST]
    for name in [*scans, *_LAST]:
        sql = ENVIRONMENT.from_string(models[name]).render()
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
