"""Splink on our own connection: its settings from a declaration, its tables temporary."""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zhongtai.identity.matching.declaration import Declaration
from zhongtai.identity.matching.levels import Level, levels_of, missing_condition
from zhongtai.identity.matching.model import Model, Weighed

if TYPE_CHECKING:
    import duckdb
    from splink import DuckDBAPI, Linker


@contextmanager
def open_linker(
    connection: "duckdb.DuckDBPyConnection", table: str, settings: dict[str, Any]
) -> "Iterator[Linker]":
    """A Splink linker over a temp table of the connection.

    Memory limit, threads, temporary directory and transaction are those of the connection; every
    table that Splink creates is temporary and dropped at the end, also after an error.
    """
    from splink import Linker

    api = _temporary_api(connection)
    logging.getLogger("splink").setLevel(logging.ERROR)
    try:
        yield Linker(
            api.register(table, dataset_display_name="rows"),
            settings,
            log_level=None,
            validate_settings=False,
        )
    finally:
        drop_temporary(connection, "__splink__")


def drop_temporary(connection: "duckdb.DuckDBPyConnection", prefix: str) -> None:
    """Drop the temp tables and views whose names begin so.

    Does nothing where the transaction was aborted.
    """
    import duckdb

    try:
        found = connection.execute(
            "select 'view', view_name from duckdb_views()"
            " where temporary and starts_with(view_name, $prefix)"
            " union all select 'table', table_name from duckdb_tables()"
            " where temporary and starts_with(table_name, $prefix)",
            {"prefix": prefix},
        ).fetchall()
    except duckdb.TransactionException:
        return  # the rollback that must follow drops them
    for kind, name in found:
        connection.execute(f'drop {kind} if exists temp."{name}"')


def splink_settings(
    declaration: Declaration, list_columns: Collection[str], model: Model | None = None
) -> dict[str, Any]:
    """Settings for Splink: the levels of the declaration, the weights of the model if given."""
    comparisons = []
    for comparison in declaration.comparisons:
        weighed = model.comparisons[comparison.name] if model else None
        levels: list[dict[str, Any]] = [
            {
                "sql_condition": missing_condition(comparison),
                "label_for_charts": "missing",
                "is_null_level": True,
            }
        ]
        declared = (*levels_of(comparison, list_columns), Level("different", "ELSE"))
        levels += [
            _splink_level(level, weighed[place] if weighed else None)
            for place, level in enumerate(declared)
        ]
        comparisons.append({"output_column_name": comparison.name, "comparison_levels": levels})
    settings: dict[str, Any] = {
        "link_type": "dedupe_only",
        "unique_id_column_name": "row_no",
        "comparisons": comparisons,
        "blocking_rules_to_generate_predictions": [],
        "retain_matching_columns": True,  # the only way to keep the levels of a pair
        "retain_intermediate_calculation_columns": True,
        "linker_uid": "zhongtai",
    }
    if model:
        settings["probability_two_random_records_match"] = model.prior
    return settings


def _splink_level(level: Level, weighed: Weighed | None) -> dict[str, Any]:
    found: dict[str, Any] = {"sql_condition": level.condition, "label_for_charts": level.label}
    if level.frequency:
        # the base of the adjustment is the level's own u: conditions may be more than equality
        found |= {
            "tf_adjustment_column": level.frequency,
            "tf_adjustment_weight": 1.0,
            "disable_tf_exact_match_detection": True,
        }
    if weighed:
        found |= {"m_probability": weighed.m, "u_probability": weighed.u}
    return found


# What Splink copies of both sides of the pairs is read once, so it need not be written.
_READ_ONCE = "__splink__df_pruned_predict_input"
# Of what it predicts only this is asked for; it would keep the attributes of both rows as well.
_PREDICTED = "__splink__df_predict"
_ASKED_FOR = "row_no_l, row_no_r, match_probability, match_weight, columns('^(gamma|mw)_')"


def _temporary_api(connection: "duckdb.DuckDBPyConnection") -> "DuckDBAPI":
    from splink import DuckDBAPI

    class TemporaryTables(DuckDBAPI):
        """Splink creates its tables in the database file and in its transaction: ours are temp."""

        def _setup_for_execute_sql(self, sql: str, physical_name: str) -> str:
            if physical_name.startswith(_READ_ONCE):
                return f"create or replace temp view {physical_name} as\n{sql}"
            if physical_name.startswith(_PREDICTED):
                sql = f"select {_ASKED_FOR} from (\n{sql}\n)"  # noqa: S608  # columns of Splink's
            return f"create or replace temp table {physical_name} as\n{sql}"

        def delete_table_from_database(self, name: str) -> None:
            if name.startswith(_READ_ONCE):
                self._execute_sql_against_backend(f"drop view if exists {name}")
            else:
                super().delete_table_from_database(name)

    return TemporaryTables(connection)
