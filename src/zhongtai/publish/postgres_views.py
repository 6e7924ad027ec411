"""The stable views that BI tools read: names and columns only ever grow.

Roles: `bi_reader` reads the views of `metrics`, `profile_reader` those of `profiles` as well.
Neither sees the tables behind them, the ledger or the pointer.
"""

from collections.abc import Sequence

import psycopg
from psycopg import sql

from zhongtai.access import READERS
from zhongtai.errors import ZhongtaiError
from zhongtai.publish.content import STORES, PublishedTable, type_rule
from zhongtai.publish.postgres_store import (
    PARTITION_KEY,
    data_schema,
    read_columns,
    stored_columns,
)


class BreakingChangeError(ZhongtaiError):
    """The candidate would take a table or column from its readers, or change its type."""


def refuse_breaking_changes(
    connection: psycopg.Connection, tables: Sequence[PublishedTable]
) -> None:
    """Compare the candidate with what readers have.

    Raises BreakingChangeError that lists every table and column taken away or retyped.
    """
    complaints: list[str] = []
    candidate = {(table.store, table.name): table for table in tables}
    for store in STORES:
        parents = read_columns(connection, data_schema(store))
        for name, had in parents.items():
            table = candidate.get((store, name))
            if table is None:
                complaints.append(f"{store}.{name}: the table is gone")
                continue
            has = {c.name: type_rule(table, c).postgres for c in stored_columns(table)}
            for column, kind in had.items():
                if column == PARTITION_KEY:
                    continue
                if column not in has:
                    complaints.append(f"{store}.{name}.{column}: the column is gone")
                elif has[column] != kind:
                    complaints.append(f"{store}.{name}.{column}: was {kind}, is {has[column]}")
    if complaints:
        raise BreakingChangeError(
            "published tables can grow, never lose or retype a column:\n  "
            + "\n  ".join(complaints),
            hint="publish the new form under a new name and keep the old one; or, when nobody"
            " reads it any more, `drop table <store>_data.<table> cascade` and publish again",
        )


def update_views(connection: psycopg.Connection, tables: Sequence[PublishedTable]) -> None:
    """Create missing views, add new columns to the others, and bring comments up to date.

    Runs inside the flip's transaction; touches only what changed.
    """
    for store in STORES:
        views = read_columns(connection, store)
        parents = read_columns(connection, data_schema(store))
        comments = _read_comments(connection, store)
        for table in (t for t in tables if t.store == store):
            columns = parents[table.name]
            if len(views.get(table.name, {})) != _view_width(table, columns):
                _replace_view(connection, table, list(columns))
            _update_comments(connection, table, comments)


def _view_width(table: PublishedTable, stored: dict[str, str]) -> int:
    return len(stored) - (1 if table.has("snapshot_id") else 0)


def _replace_view(
    connection: psycopg.Connection, table: PublishedTable, stored: Sequence[str]
) -> None:
    selected: list[sql.Composable] = []
    for column in stored:
        if column != PARTITION_KEY:
            selected.append(sql.Identifier(column))
        elif not table.has("snapshot_id"):
            selected.append(sql.SQL("{} as snapshot_id").format(sql.Identifier(PARTITION_KEY)))
    connection.execute(
        sql.SQL(
            "create or replace view {} as select {} from {} where {} ="
            " (select snapshot_id from publication.pointer)"
        ).format(
            sql.Identifier(table.store, table.name),
            sql.SQL(", ").join(selected),
            sql.Identifier(data_schema(table.store), table.name),
            sql.Identifier(PARTITION_KEY),
        )
    )
    connection.execute(
        sql.SQL("grant select on {} to {}").format(
            sql.Identifier(table.store, table.name),
            sql.SQL(", ").join(map(sql.Identifier, READERS[table.store])),
        )
    )


def _read_comments(connection: psycopg.Connection, store: str) -> dict[tuple[str, str], str]:
    """Comments by view and column; the view's own under column ''."""
    return {
        (view, column or ""): comment
        for view, column, comment in connection.execute(
            "select c.relname, a.attname, d.description from pg_description d"
            " join pg_class c on c.oid = d.objoid and d.classoid = 'pg_class'::regclass"
            " left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid"
            " and d.objsubid > 0"
            " where c.relnamespace = to_regnamespace(%s) and c.relkind = 'v'",
            [store],
        )
    }


def _update_comments(
    connection: psycopg.Connection, table: PublishedTable, had: dict[tuple[str, str], str]
) -> None:
    view = sql.Identifier(table.store, table.name)
    if table.comment and had.get((table.name, "")) != table.comment:
        connection.execute(
            sql.SQL("comment on view {} is {}").format(view, sql.Literal(table.comment))
        )
    for column in table.published_columns:
        if column.comment and had.get((table.name, column.name)) != column.comment:
            connection.execute(
                sql.SQL("comment on column {} is {}").format(
                    sql.Identifier(table.store, table.name, column.name),
                    sql.Literal(column.comment),
                )
            )
