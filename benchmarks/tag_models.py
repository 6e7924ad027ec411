"""The compiled models of tags run on DuckDB alone, with the macros that dbt would give them."""

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import jinja2

    from zhongtai.tags import Tags

PROJECT = Path(__file__).resolve().parents[1]
LAST = ("int_tags__measures", "dim_user_tags", "int_tags__held")
_MACROS = (
    "tags/*",
    "schema/local_date",
    "metrics/iso_weekday",
    "engine/seconds_since_1970",
)


def macro_environment() -> "jinja2.Environment":
    """Jinja with the project's macros as dbt renders them for DuckDB; as_of is in run_context."""
    import jinja2

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


def compiled_statements(tags: "Tags", environment: "jinja2.Environment") -> dict[str, str]:
    """Model -> its select, each after what it reads: the scans, then what joins them."""
    from zhongtai.tags import render_models

    models = {p.stem: text for p, text in render_models(tags).items() if p.suffix == ".sql"}
    scans = [name for name in models if name.startswith("int_tags__") and name not in LAST]
    return {name: environment.from_string(models[name]).render() for name in (*scans, *LAST)}


def create_fact(connection: "duckdb.DuckDBPyConnection", name: str) -> None:
    """An empty table of a fact with the columns that tags may read."""
    from zhongtai.tags.facts import FACTS
    from zhongtai.tags.queries import SQL_TYPES

    fact = FACTS[name]
    columns = {"one_id": "varchar", fact.time: "timestamp"}
    columns |= {column: SQL_TYPES[kind] for column, kind in fact.columns.items()}
    listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"create or replace table {fact.model} ({listed})")
