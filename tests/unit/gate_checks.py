"""The checks that hold a candidate or end a build, asked of the tables of a bench."""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import yaml
from metrics_bench import Bench

from zhongtai.quality.reconciliation import _EQUALITIES
from zhongtai.quality.suites import Suite, load_suites

ROOT = Path(__file__).resolve().parents[2]
Named = Iterator[tuple[str, str]]


def broken_checks(bench: Bench, models: Iterable[str]) -> list[str]:
    """The critical expectations and dbt tests that the rows of these models break, by name.

    What needs a table that the bench does not have is left out, and so is how many rows there are.
    """
    found = []
    for model in models:
        relation = bench.project.relation(model)
        checks = [*_expected(model, relation), *_tested(bench, model, relation)]
        found += [f"{model}: {name}" for name, query in checks if _finds(bench, query)]
    return found


def broken_equalities(bench: Bench) -> list[str]:
    """The equalities of the reconciliation that do not hold."""
    return [
        one.name
        for one in _EQUALITIES
        if _finds(bench, f"select 1 where ({one.left}) is distinct from ({one.right})")
    ]


def _finds(bench: Bench, query: str) -> bool:
    try:
        return bool(bench.query(f"select 1 from ({query}) as offending limit 1"))
    except duckdb.CatalogException:
        return False


@cache
def _suites() -> dict[str, Suite]:
    return {suite.table: suite for suite in load_suites(ROOT)}


def _expected(model: str, relation: str) -> Named:
    suite = _suites().get(relation)
    for one in suite.expectations if suite else ():
        if one.severity != "critical":
            continue
        if "unexpected_rows_query" in one.kwargs:
            query = one.kwargs["unexpected_rows_query"].replace("\\:", ":")
            yield one.name, query.format(batch=relation)
        elif "value_set" in one.kwargs:
            column, values = one.kwargs["column"], one.kwargs["value_set"]
            yield one.name, _not_among(relation, column, values)
        elif one.type.endswith("to_be_unique"):
            columns = one.kwargs.get("column_list") or [one.kwargs["column"]]
            yield one.name, _repeated(relation, columns)


def _tested(bench: Bench, model: str, relation: str) -> Named:
    path = bench.project.nodes[model]["original_file_path"]
    file = bench.project.root / "dbt_project" / Path(path).with_suffix(".yml")
    declared = yaml.safe_load(file.read_text("utf-8"))["models"][0]
    for test in declared.get("data_tests", ()):
        yield from _query(bench, relation, test, None)
    for column in declared.get("columns", ()):
        for test in column.get("data_tests", ()):
            yield from _query(bench, relation, test, column["name"])


def _query(bench: Bench, relation: str, test: Any, column: str | None) -> Named:
    name, said = next(iter(test.items())) if isinstance(test, dict) else (test, {})
    given = said.get("arguments", {})
    nulls = f"select 1 from {relation} where"
    if name == "holds":
        condition = given["condition"].replace("{model}", relation)
        yield f"holds {given['condition']}", f"{nulls} not ({condition})"
    elif name in ("is_unique", "unique"):
        yield f"{name} {column}", _repeated(relation, [column or ""])
    elif name == "unique_key":
        yield f"{name} {given['columns']}", _repeated(relation, given["columns"])
        name = "never_null"
    if name in ("never_null", "not_null"):
        columns = given.get("columns") or [column]
        yield f"{name} {columns}", f"{nulls} {' or '.join(f'{c} is null' for c in columns)}"
    elif name == "accepted_values":
        yield f"{name} {column}", _not_among(relation, column or "", given["values"])
    elif name == "ratios_are_sound":
        columns = [str(row["column_name"]) for row in bench.query(f"describe {relation}")]
        for ratio in (c[:-4] for c in columns if c.endswith("_den")):
            yield (
                f"{name} {ratio}",
                (
                    f"{nulls} not coalesce({ratio}_num between 0 and {ratio}_den, false)"
                    f" or ({ratio}_den = 0) != ({ratio} is null)"
                ),
            )


def _repeated(relation: str, columns: list[str]) -> str:
    key = ", ".join(columns)
    known = f"select {key} from {relation} where ({key}) is not null"
    return f"{known} group by {key} having count(*) > 1"


def _not_among(relation: str, column: str, values: list[str]) -> str:
    known = ", ".join(f"'{value}'" for value in values)
    return f"select 1 from {relation} where {column} not in ({known})"
