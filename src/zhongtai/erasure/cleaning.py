"""Bytes that PostgreSQL keeps of what is gone: dead rows, statistics, its write-ahead log."""

import psycopg
from psycopg import errors, sql

from zhongtai.settings import Settings

_TABLES = (
    ("identity", "decisions"),
    ("tags", "statements"),
    ("erasure", "open_requests"),
    ("pg_catalog", "pg_statistic"),
)


def clean_database(settings: Settings, connection: psycopg.Connection) -> bool:
    """Write tables with dead rows anew and drop the write-ahead log that told of them.

    `connection` autocommits. False where the server is not ours to tell: its log goes when its own
    rules say so.
    """
    for schema, table in _TABLES:
        try:
            connection.execute(sql.SQL("vacuum full {}").format(sql.Identifier(schema, table)))
        except errors.InsufficientPrivilege:
            return False
    if settings.database_url.get_secret_value():
        return False
    # a segment that is used again keeps the bytes that are not written over yet
    connection.execute("alter system set wal_recycle = off")
    connection.execute("select pg_reload_conf()")
    _leave_segments(connection)
    connection.execute("checkpoint")
    return True


def _leave_segments(connection: psycopg.Connection) -> None:
    """Go on in a new segment of the log, past every one that was made ready from an old one."""
    row = connection.execute("select count(*) from pg_ls_waldir()").fetchone()
    for _ in range((row[0] if row else 0) + 1):
        connection.execute("select pg_logical_emit_message(false, 'zhongtai', 'erased')")
        connection.execute("select pg_switch_wal()")
