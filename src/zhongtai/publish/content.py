"""What is published: tables, their types in PostgreSQL, and hashes that say two copies are equal.

The hash of a table is the sum of the MD5s of its rows as text, so it does not depend on the order
of rows or columns, and DuckDB and PostgreSQL compute the same number.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.publish import arrival

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORES = ("metrics", "profiles")

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
    items = f"array_to_string(list_transform({{c}}, lambda x: {literal}), ',')"
    return TypeRule(
        postgres,
        # no list at all is not an empty one
        f"case when {{c}} is not null then '{{{{' || {items} || '}}}}' end",
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
    def content_columns(self) -> tuple[PublishedColumn, ...]:
        """The columns that are the same however the input came."""
        return tuple(c for c in self.columns if arrival.is_content(self.label, c.name))

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
    """Rows of one table, and hashes that do not depend on the order of its rows and columns.

    `content_hash` is over what is the same however the input came (see `arrival`), `copy_hash` over
    every column: the stores hold the same table where it is equal. Both leave out what stores write
    differently, as the last digits of a fraction; `exact_hash` leaves out nothing, names and types
    of columns included, and only DuckDB can compute it.
    """

    rows: int
    content_hash: str
    copy_hash: str = ""
    exact_hash: str = ""

    def without(self, gone: "TableHash") -> "TableHash":
        """Rows and content of what is left when rows are taken out: hashes are sums."""
        left = int(self.content_hash, 16) - int(gone.content_hash, 16)
        return TableHash(self.rows - gone.rows, _hexadecimal(left))


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


def _row_text(
    table: PublishedTable,
    columns: Iterable[PublishedColumn],
    dialect: Literal["duckdb", "postgres"],
) -> str:
    parts = []
    for column in sorted(columns, key=lambda column: column.name):
        rule = type_rule(table, column)
        template = rule.duckdb_text if dialect == "duckdb" else rule.postgres_text
        parts.append(f"coalesce({template.format(c=quoted(column.name))}, chr(2))")
    return " || chr(31) || ".join(parts) or "''"


def _duckdb_sum(table: PublishedTable, columns: Iterable[PublishedColumn]) -> str:
    digest = f"md5({_row_text(table, columns, 'duckdb')})"
    return f"coalesce(sum(cast('0x' || substr({digest}, 1, 15) as bigint)), 0)"


def duckdb_hash(
    connection: "DuckDBPyConnection", table: PublishedTable, relation: str
) -> TableHash:
    """Rows and hashes of `relation` (an SQL name), which has the columns of `table`."""
    copied = _duckdb_sum(table, table.columns)
    content = _duckdb_sum(table, table.content_columns)
    columns = sorted(table.columns, key=lambda column: column.name)
    exact = f"coalesce(sum(cast(hash({', '.join(quoted(c.name) for c in columns)}) as hugeint)), 0)"
    row = connection.execute(
        f"select count(*), {content}, {copied}, {exact} from {relation}"  # noqa: S608  # quoted names
    ).fetchone()
    assert row is not None  # noqa: S101  # an aggregate without group by has one row
    shape = hashlib.sha256(repr([(c.name, c.type) for c in columns]).encode()).hexdigest()[:16]
    return TableHash(
        int(row[0]), _hexadecimal(row[1]), _hexadecimal(row[2]), f"{shape}{_hexadecimal(row[3])}"
    )


def postgres_hash_query(table: PublishedTable, relation: str) -> str:
    """The query whose one row is (rows, sum) of `relation` in PostgreSQL; see `is_copy`."""
    digest = f"md5({_row_text(table, table.columns, 'postgres')})"
    number = f"cast(cast('x' || substr({digest}, 1, 15) as bit(60)) as bigint)"
    return f"select count(*), coalesce(sum({number}), 0) from {relation}"  # noqa: S608  # quoted names


def is_copy(of: TableHash, rows: int, total: int) -> bool:
    """Whether the two numbers of `postgres_hash_query` say that the table is the same."""
    return (of.rows, of.copy_hash) == (int(rows), _hexadecimal(total))


def _hexadecimal(total: int) -> str:
    return f"{int(total):032x}"


def audited_hash(hashes: Mapping[str, TableHash]) -> str:
    """One hash for what a check looked at: every table, down to the last digit."""
    lines = [f"{label} {table}" for label, table in sorted(hashes.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def snapshot_hash(hashes: Mapping[str, TableHash]) -> str:
    """One hash for a whole snapshot, from its tables by label, without what tells of arrival."""
    lines = [
        f"{label} {table.rows} {table.content_hash}"
        for label, table in sorted(hashes.items())
        if label not in arrival.TABLES
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
