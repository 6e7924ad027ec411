"""Read what the current snapshot says, for the build of the next one.

Read from the published DuckDB files. Where those are gone, PostgreSQL holds the same rows, so that
nothing begins anew.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from zhongtai.database import connect
from zhongtai.publish.content import literal, quoted
from zhongtai.publish.encryption import attach
from zhongtai.publish.postgres_store import current_snapshot, read_columns
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# CSV as PostgreSQL writes it: an empty text is quoted, NULL is not.
_CSV = (
    "header = false, auto_detect = false, delim = ',', quote = '\"', escape = '\"', nullstr = '',"
    " allow_quoted_nulls = false"
)


def read_published(
    settings: Settings,
    connection: "DuckDBPyConnection",
    target: str,
    published: tuple[str, str],
    columns: Mapping[str, str],
) -> None:
    """Insert into the table `target` what a published table (store, name) has of these columns.

    `columns` are DuckDB types by name; those that were not published stay NULL. Nothing is inserted
    where nothing is published.
    """
    store, table = published
    file = settings.path("published", store, "current.duckdb")
    if file.exists():
        _read_file(settings, connection, file.resolve(), target, table, columns)
    else:
        _read_postgres(settings, connection, target, published, columns)


def _read_file(  # noqa: PLR0913, PLR0917
    settings: Settings,
    connection: "DuckDBPyConnection",
    file: Path,
    target: str,
    table: str,
    columns: Mapping[str, str],
) -> None:
    """Insert what a published file has of these columns."""
    attach(connection, settings, file, "published")
    try:
        there = {
            row[0]
            for row in connection.execute(
                "select column_name from duckdb_columns()"
                " where database_name = 'published' and table_name = ?",
                [table],
            ).fetchall()
        }
        shared = [column for column in columns if column in there]
        if shared:
            listed = ", ".join(quoted(column) for column in shared)
            connection.execute(
                f"insert into {target} ({listed}) select {listed} from published.main.{table}"  # noqa: S608
            )
    finally:
        connection.execute("detach published")


def _read_postgres(
    settings: Settings,
    connection: "DuckDBPyConnection",
    target: str,
    published: tuple[str, str],
    columns: Mapping[str, str],
) -> None:
    """Insert what PostgreSQL shows of these columns, by way of a file that only we may read."""
    store, table = published
    with connect(settings) as database:
        if current_snapshot(database) is None:
            return
        there = read_columns(database, store).get(table, {})
        shared = [column for column in columns if column in there]
        if not shared:
            return
        listed = sql.SQL(", ").join(
            sql.SQL("{} at time zone 'UTC'").format(sql.Identifier(column))
            if there[column] == "timestamp with time zone"
            else sql.Identifier(column)
            for column in shared
        )
        query = sql.SQL("copy (select {} from {}) to stdout (format csv)").format(
            listed, sql.Identifier(store, table)
        )
        folder = settings.path("tmp")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".csv") as file:
            with database.cursor() as cursor, cursor.copy(query) as copy:
                for block in copy:
                    file.write(block)
            file.flush()
            kinds = ", ".join(f"{literal(column)}: {literal(columns[column])}" for column in shared)
            connection.execute(
                f"insert into {target} ({', '.join(map(quoted, shared))})"  # noqa: S608
                f" select * from read_csv({literal(file.name)}, {_CSV},"
                f" columns = {{{kinds}}})"
            )
