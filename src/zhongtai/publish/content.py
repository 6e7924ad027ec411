"""What is published: tables, their types in PostgreSQL, and hashes that say two copies are equal.

The hash of a table is the sum of the MD5s of its rows as text, so it does not depend on the order
of rows or columns, and DuckDB and PostgreSQL compute the same number.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zhongtai.errors import ConfigurationError, ZhongtaiError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORES = ("metrics", "profiles")

# Columns that name the run or the moment it happened: equal content may differ in them.
RUN_COLUMNS = frozenset(
    {
        "snapshot_id",
        "identity_version",
        "run_id",
        "delivery_id",
        "discovered_at",
        "loaded_at",
        "last_loaded_at",
        "linked_at",
        "checked_at",
        "published_at",
    }
)
# Tables that tell what happened, not what is: they differ by design when equal input came in other
# batches (which of two equal files is the duplicate, which id a person had before).
HISTORY_TABLES = frozenset(
    {
        "metrics.meta_snapshots",
        "metrics.meta_gate_results",
        "metrics.meta_ledger",
        "metrics.meta_quarantine_daily",
        "profiles.bridge_user_records_history",
        "profiles.fct_identity_changes",
        "profiles.one_id_redirects",
    }
)

_DBT_SCRATCH = re.compile(r"__dbt_(tmp|backup)")


@dataclass(frozen=True)
class TypeRule:
    """How a DuckDB type becomes a PostgreSQL one; each template has one `{c}` for the column."""

    postgres: str
    copied: str = "{c}"
    duckdb_text: str = "cast({c} as varchar)"
    postgres_text: str = "cast({c} as text)"


_TEXT = TypeRule("text", "replace({c}, chr(0), '')", "replace({c}, chr(0), '')", "{c}")
_AS_TEXT = "cast({c} as varchar)"
_NUMBER = (
    "case when abs({c}) < 1e12 then"
    " cast(cast(floor(cast({c} as double precision) * 1000 + 0.5) as bigint) as varchar)"
    " else '*' end"
)
_DOUBLE = TypeRule("double precision", "{c}", _NUMBER, _NUMBER)
_INSTANT = TypeRule(
    "timestamp with time zone",
    "{c}",
    "cast(epoch_us({c}) as varchar)",
    "cast(cast(extract(epoch from {c}) * 1000000 as bigint) as text)",
)


def _whole(postgres: str) -> TypeRule:
    return TypeRule(postgres)


def _array(postgres: str) -> TypeRule:
    escaped = "replace(replace(cast(x as varchar), '\\', '\\\\'), '\"', '\\\"')"
    literal = f"coalesce('\"' || {escaped} || '\"', 'NULL')"
    text = "coalesce(array_to_string({c}, chr(30)), '')"
    return TypeRule(
        postgres,
        f"'{{{{' || coalesce(array_to_string(list_transform({{c}}, lambda x: {literal}), ','), '')"
        " || '}}'",
        f"case when {{c}} is not null then {text} end",
        f"case when {{c}} is not null then {text} end",
    )


TYPE_RULES: dict[str, TypeRule] = {
    "VARCHAR": _TEXT,
    "BOOLEAN": _whole("boolean"),
    "TINYINT": _whole("smallint"),
    "UTINYINT": _whole("smallint"),
    "SMALLINT": _whole("smallint"),
    "USMALLINT": _whole("integer"),
    "INTEGER": _whole("integer"),
    "UINTEGER": _whole("bigint"),
    "BIGINT": _whole("bigint"),
    "UBIGINT": TypeRule("numeric(20,0)", _AS_TEXT),
    "HUGEINT": TypeRule("numeric(39,0)", _AS_TEXT),
    "DOUBLE": _DOUBLE,
    "FLOAT": TypeRule("real", "{c}", _NUMBER, _NUMBER),
    "DATE": _whole("date"),
    "TIMESTAMP": _INSTANT,
    "TIMESTAMP WITH TIME ZONE": _INSTANT,
    "TIME": TypeRule("time without time zone", _AS_TEXT),
    "UUID": TypeRule("uuid", _AS_TEXT),
    "JSON": TypeRule("json", _AS_TEXT),
    "VARCHAR[]": _array("text[]"),
    "BIGINT[]": _array("bigint[]"),
    "INTEGER[]": _array("integer[]"),
    "DATE[]": _array("date[]"),
}


@dataclass(frozen=True)
class PublishedColumn:
    """A column as DuckDB types it, with its description."""

    name: str
    type: str
    comment: str


@dataclass(frozen=True)
class PublishedTable:
    """A table of one store. `columns` are those of the mart, without what publishing adds."""

    store: str
    name: str
    comment: str
    columns: tuple[PublishedColumn, ...]

    @property
    def label(self) -> str:
        """`store.name`, as error messages and manifests call it."""
        return f"{self.store}.{self.name}"

    def has(self, column: str) -> bool:
        """Whether the mart itself has the column."""
        return any(c.name == column for c in self.columns)

    @property
    def carries_identity_version(self) -> bool:
        """Whether publishing adds `identity_version`."""
        return self.name.startswith("metrics_") and not self.has("identity_version")

    @property
    def published_columns(self) -> tuple[PublishedColumn, ...]:
        """The columns readers see: the mart's, then what publishing adds."""
        added = []
        if self.carries_identity_version:
            added.append(
                PublishedColumn(
                    "identity_version",
                    "VARCHAR",
                    "Version of the identity map it was computed with",
                )
            )
        if not self.has("snapshot_id"):
            added.append(
                PublishedColumn("snapshot_id", "VARCHAR", "The publish that this row belongs to")
            )
        return (*self.columns, *added)


@dataclass(frozen=True)
class TableHash:
    """Rows and order-independent content hash of one table."""

    rows: int
    content_hash: str


def quoted(name: str) -> str:
    """An SQL identifier, for DuckDB and PostgreSQL alike."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string literal, for DuckDB and PostgreSQL alike (standard strings)."""
    return "'" + text.replace("'", "''") + "'"


def type_rule(table: PublishedTable, column: PublishedColumn) -> TypeRule:
    """The rule of a column's type.

    Raises ConfigurationError that names table and column for a type no store can share.
    """
    if column.type.startswith("DECIMAL"):
        return TypeRule("numeric" + column.type.removeprefix("DECIMAL"), _AS_TEXT)
    if column.type.startswith("ENUM"):
        return TypeRule("text", _AS_TEXT)
    if column.type not in TYPE_RULES:
        raise ConfigurationError(
            f"{table.label}.{column.name} has type {column.type}, which cannot be published",
            hint="cast it in the model to one of " + ", ".join(sorted(TYPE_RULES)),
        )
    return TYPE_RULES[column.type]


def read_tables(connection: "DuckDBPyConnection", catalog: str) -> tuple[PublishedTable, ...]:
    """Every table of the schemas `metrics` and `profiles` of an attached file, by name.

    Raises ZhongtaiError when a store would be empty: publishing nothing is never meant.
    """
    columns: dict[tuple[str, str], list[PublishedColumn]] = {}
    for store, table, name, kind, comment in connection.execute(
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns()"
        " where database_name = ? and schema_name in ('metrics', 'profiles') and not internal"
        " order by column_index",
        [catalog],
    ).fetchall():
        columns.setdefault((store, table), []).append(PublishedColumn(name, kind, comment or ""))
    found = connection.execute(
        "select schema_name, table_name, comment from duckdb_tables()"
        " where database_name = ? and schema_name in ('metrics', 'profiles') and not internal"
        " order by all",
        [catalog],
    ).fetchall()
    tables = tuple(
        PublishedTable(store, name, comment or "", tuple(columns[store, name]))
        for store, name, comment in found
        if not _DBT_SCRATCH.search(name)
    )
    for store in STORES:
        if not any(table.store == store for table in tables):
            raise ZhongtaiError(
                f"the working file has no table in schema {store}, so nothing can be published",
                hint="run `zhongtai build` and look at what it says about failed models",
            )
    return tables


def _row_text(table: PublishedTable, dialect: str) -> str:
    hashed = sorted(
        (c for c in table.columns if c.name not in RUN_COLUMNS), key=lambda column: column.name
    )
    parts = []
    for column in hashed:
        rule = type_rule(table, column)
        template = rule.duckdb_text if dialect == "duckdb" else rule.postgres_text
        parts.append(f"coalesce({template.format(c=quoted(column.name))}, chr(2))")
    return " || chr(31) || ".join(parts) or "''"


def duckdb_hash(
    connection: "DuckDBPyConnection", table: PublishedTable, relation: str
) -> TableHash:
    """Rows and content hash of `relation` (an SQL name), which has the columns of `table`."""
    digest = f"md5({_row_text(table, 'duckdb')})"
    row = connection.execute(
        f"select count(*), coalesce(sum(cast('0x' || substr({digest}, 1, 15) as bigint)), 0)"  # noqa: S608  # quoted names
        f" from {relation}"
    ).fetchone()
    assert row is not None  # noqa: S101  # an aggregate without group by has one row
    return TableHash(int(row[0]), f"{int(row[1]):032x}")


def postgres_hash_query(table: PublishedTable, relation: str) -> str:
    """The query whose one row is (rows, sum) of `relation` in PostgreSQL; see `to_table_hash`."""
    digest = f"md5({_row_text(table, 'postgres')})"
    number = f"cast(cast('x' || substr({digest}, 1, 15) as bit(60)) as bigint)"
    return f"select count(*), coalesce(sum({number}), 0) from {relation}"  # noqa: S608  # quoted names


def to_table_hash(rows: int, total: int) -> TableHash:
    """A TableHash from the two numbers of `postgres_hash_query`."""
    return TableHash(int(rows), f"{int(total):032x}")


def snapshot_hash(hashes: Mapping[str, TableHash]) -> str:
    """One hash for a whole snapshot, from its tables by label, run history left out."""
    lines = [
        f"{label} {table.rows} {table.content_hash}"
        for label, table in sorted(hashes.items())
        if label not in HISTORY_TABLES
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
