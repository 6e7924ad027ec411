"""Which rows of what was published are about erased persons: by id, by record, by member code."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import psycopg
import pyarrow as pa

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Ids of a person in a table; those of `fct_identity_changes` stay: a retired id tells of nobody.
_IDS = ("one_id", "related_one_id", "other_one_id", "retired_one_id")
_RECORDS = (
    ("source", "entity", "record_key"),
    ("other_source", "other_entity", "other_record_key"),
)
HISTORY = ("fct_identity_changes", "changes")
_NAMES_OF_MEMBERS = "dim_member_names"
_WRITTEN = {
    "erased_records": ("source", "entity", "record_key"),
    "erased_ids": ("one_id",),
    "erased_values": ("kind", "value"),
    "erased_codes": ("member_code",),
}


def write_erased(duck: "DuckDBPyConnection", values: pa.Table, one_ids: Iterable[str]) -> None:
    """Write temp tables erased_records, erased_codes, erased_values and given_ids."""
    duck.register("called", values)
    duck.execute(
        "create or replace temp table erased_records as select distinct"
        " split_part(kind[8:], '.', 1) as source, split_part(kind[8:], '.', 2) as entity,"
        " value as record_key from called where kind ^@ 'record:'"
    )
    duck.execute(
        "create or replace temp table erased_codes as select distinct value as member_code"
        " from called where kind = 'member_code'"
    )
    duck.execute("create or replace temp table erased_values as select distinct * from called")
    duck.unregister("called")
    duck.execute("create or replace temp table given_ids (one_id varchar)")
    duck.execute("insert into given_ids select unnest(?::varchar[])", [list(one_ids)])


def write_ids(duck: "DuckDBPyConnection", record_map: str) -> None:
    """Write temp table erased_ids: who the erased records are in a map (SQL relation)."""
    duck.execute(
        "create or replace temp table erased_ids as select one_id from given_ids"  # noqa: S608
        f" union select one_id from {record_map}"
        " semi join erased_records using (source, entity, record_key)"
    )


def copy_erased(connection: psycopg.Connection, duck: "DuckDBPyConnection") -> None:
    """The same temp tables in PostgreSQL, for the transaction that `connection` is in."""
    for table, columns in _WRITTEN.items():
        listed = ", ".join(columns)
        found = duck.execute(f"select distinct {listed} from {table}").to_arrow_table()  # noqa: S608
        kinds = ", ".join(f"{column} text" for column in columns)
        connection.execute(f"create temp table {table} ({kinds}) on commit drop".encode())
        arrays = ", ".join("%s::text[]" for _ in columns)
        connection.execute(
            f"insert into {table} select * from unnest({arrays})".encode(),  # noqa: S608
            [found[column].to_pylist() for column in columns],
        )


def erased_condition(table: str, columns: Collection[str]) -> str | None:
    """SQL that is true for the rows of a table that go; None where no row can.

    DuckDB and PostgreSQL read it alike, given what `write_erased` and `write_ids` write.
    """
    if table in HISTORY:
        return None
    found = [
        f"coalesce({column} in (select one_id from erased_ids), false)"  # noqa: S608
        for column in _IDS
        if column in columns
    ]
    found += [
        f"coalesce(({', '.join(names)}) in (select source, entity, record_key"  # noqa: S608
        " from erased_records), false)"
        for names in _RECORDS
        if set(names) <= set(columns)
    ]
    if table == _NAMES_OF_MEMBERS:
        found.append("coalesce(member_code in (select member_code from erased_codes), false)")
    return " or ".join(found) or None
