"""The compiled models of tags run on DuckDB alone, with the macros that dbt would give them."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

    from zhongtai.tags import Tags

PROJECT = Path(__file__).resolve().parents[1]
WIDE, HELD = "dim_user_tags", "int_tags__held"
KEPT = ("int_tags__fingerprints", "int_tags__stale")
_MACROS = (
    "tags/*",
    "schema/local_date",
    "metrics/iso_weekday",
    "engine/seconds_since_1970",
)


class Dbt:
    """The project's macros as dbt renders them for DuckDB; as_of is in run_context.

    `is_incremental` is what the macro of that name says. What the model rendered last says of
    itself is in `config`, and its name is `this`.
    """

    def __init__(self) -> None:
        import jinja2

        self.is_incremental = False
        self.config: dict[str, Any] = {}
        self.this = ""
        self._templates: dict[str, jinja2.Template] = {}
        self.environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701  # SQL
        self.environment.globals.update(
            ref=lambda name: name,
            source=lambda schema, name: f"{schema}.{name}",
            as_of=lambda: "(select as_of from run_context)",
            dbt=SimpleNamespace(datediff=lambda a, b, part: f"date_diff('{part}', {a}, {b})"),
            config=self._configure,
            is_incremental=lambda: self.is_incremental,
            this=_Named(self),
        )
        folder = PROJECT / "dbt_project" / "macros"
        files = sorted(f for pattern in _MACROS for f in folder.glob(f"{pattern}.sql"))
        # a macro sees those that were there before it: the second time it sees all
        for file in files * 2:
            module = self.environment.from_string(file.read_text("utf-8")).module
            names = (f"duckdb__{file.stem}", f"default__{file.stem}", file.stem)
            self.environment.globals[file.stem] = next(
                getattr(module, name) for name in names if hasattr(module, name)
            )

    def render(self, name: str, text: str) -> str:
        """The SQL of a model."""
        self.this, self.config = name, {}
        if text not in self._templates:
            self._templates[text] = self.environment.from_string(text)
        return self._templates[text].render()

    def _configure(self, **config: Any) -> str:
        self.config = config
        return ""


class _Named:
    """The model that is rendered, by its name."""

    def __init__(self, dbt: Dbt) -> None:
        self._dbt = dbt

    def __str__(self) -> str:
        return self._dbt.this


def ordered_models(tags: "Tags") -> dict[str, str]:
    """The text of each generated model, after what it reads."""
    from zhongtai.tags import render_models

    models = {p.stem: text for p, text in render_models(tags).items() if p.suffix == ".sql"}
    # what selects and scores answer is summed up before anybody can be stale, and scanned is what
    # is gathered
    answers = ("int_tags__sql_", "int_tags__scores")
    steps = (*answers, *KEPT, "int_tags__gathered_", "int_tags__", WIDE, HELD)
    models.pop("dim_tags")

    def step(name: str) -> int:
        if name in (*KEPT, WIDE, HELD):
            return steps.index(name)
        return next(n for n, start in enumerate(steps) if name.startswith(start))

    return {name: models[name] for name in sorted(models, key=step)}


def compiled_statements(tags: "Tags", dbt: Dbt) -> dict[str, str]:
    """Model -> its select in a full computation, each after what it reads."""
    return {name: dbt.render(name, text) for name, text in ordered_models(tags).items()}


class Build:
    """The generated models of some tags, made in a connection as dbt makes them, run after run.

    The facts are there, as are the persons and run_context; the default schema is intermediate.
    """

    def __init__(self, connection: "duckdb.DuckDBPyConnection", dbt: Dbt) -> None:
        self.connection = connection
        self._dbt = dbt

    def run(self, models: Mapping[str, str]) -> dict[str, tuple[float, float]]:
        """Compute what changed since the last run, all of it in the first.

        `models` are those of `ordered_models`. Returns by model seconds, and seconds of processors.
        """
        from zhongtai.tags import increments

        ((as_of,),) = self.connection.execute("select as_of from run_context").fetchall()
        digests = increments.digest_models(models, "", as_of)
        increments.prepare(self.connection, digests)
        took = {}
        for name, text in models.items():
            started, worked = time.perf_counter(), time.process_time()
            self._make(name, text)
            took[name] = time.perf_counter() - started, time.process_time() - worked
        increments.keep(self.connection, digests, as_of)
        return took

    def _make(self, name: str, text: str) -> None:
        self._dbt.is_incremental = False
        select = self._dbt.render(name, text)
        kind = self._dbt.config.get("materialized", "table")
        if kind != "incremental" or not self._is_there(name):
            made = "view" if kind == "view" else "table"
            self.connection.execute(f"create or replace {made} {name} as {select}")
            return
        self._dbt.is_incremental = True
        select, hook = self._dbt.render(name, text), str(self._dbt.config["pre_hook"])
        self.connection.execute(self._dbt.render(name, hook))
        self.connection.execute(f"insert into {name} by name {select}")

    def _is_there(self, name: str) -> bool:
        query = "select 1 from duckdb_tables() where table_name = ?"
        return self.connection.execute(query, [name]).fetchone() is not None


def create_fact(connection: "duckdb.DuckDBPyConnection", name: str) -> None:
    """An empty table of a fact with the columns that tags may read."""
    from zhongtai.tags.facts import FACTS
    from zhongtai.tags.queries import SQL_TYPES

    fact = FACTS[name]
    columns = {"one_id": "varchar", fact.time: "timestamp"}
    columns |= {column: SQL_TYPES[kind] for column, kind in fact.columns.items()}
    listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"create or replace table {fact.model} ({listed})")
