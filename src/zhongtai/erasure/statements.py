"""Erasing what people decided about erased persons: merges and splits, and tags set by hand."""

from typing import TYPE_CHECKING

import psycopg

from zhongtai.crash_points import reach
from zhongtai.erasure.selection import copy_erased

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DECISIONS = (
    "identity.decisions d where exists (select 1 from erased_records e where"
    " (d.source, d.entity, d.record_key) = (e.source, e.entity, e.record_key)"
    " or (d.other_source, d.other_entity, d.other_record_key) ="
    " (e.source, e.entity, e.record_key))"
)
_TAGS = (
    "tags.statements s where s.one_id in (select one_id from erased_ids)"
    " or exists (select 1 from erased_records e where"
    " (s.source, s.entity, s.record_key) = (e.source, e.entity, e.record_key))"
    " or exists (select 1 from erased_values e where s.identifier_type = e.kind"
    " and (s.identifier_value = e.value or e.kind = 'mobile'"
    " and right(regexp_replace(s.identifier_value, '\\D', '', 'g'), 11) = e.value))"
)


def count_statements(connection: psycopg.Connection, duck: "DuckDBPyConnection") -> tuple[int, int]:
    """How many decisions and statements about tags name the persons."""
    with connection.transaction(force_rollback=True):
        return _delete(connection, duck)


def erase_statements(connection: psycopg.Connection, duck: "DuckDBPyConnection") -> tuple[int, int]:
    """Delete decisions and statements about tags; returns how many of each. May be repeated."""
    with connection.transaction():
        gone = _delete(connection, duck)
    reach("erase.statements_deleted")
    return gone


def _delete(connection: psycopg.Connection, duck: "DuckDBPyConnection") -> tuple[int, int]:
    copy_erased(connection, duck)
    connection.execute("set local zhongtai.erasing = 'on'")
    decisions = connection.execute(f"delete from {_DECISIONS}".encode()).rowcount  # noqa: S608
    tags = connection.execute(f"delete from {_TAGS}".encode()).rowcount  # noqa: S608
    return decisions, tags
