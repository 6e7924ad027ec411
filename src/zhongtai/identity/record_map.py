"""The map of records to persons, and what tells of its changes: the tables of schema identity."""

from typing import TYPE_CHECKING

from zhongtai.identity.past import follow_parts, mark_moment, write_past
from zhongtai.identity.restoration import load_standing, write_standing
from zhongtai.identity.stability import assign_ids, birth_of, naive_utc
from zhongtai.identity.state import (
    History,
    follow_history,
    list_used,
    list_withdrawn,
    load_history,
)

if TYPE_CHECKING:
    import duckdb

    from zhongtai.identity.evidence import Sources
    from zhongtai.runs import Run

_MAP = """
create or replace {kind} as
select
    p.record_no,
    p.source,
    p.entity,
    p.record_key,
    a.one_id,
    coalesce(
        t.identifier_type,
        case
            when d.record_no is not null then 'decision'
            when s.joined_to is not null then 'similar_person'
            else 'single_record'
        end
    ) as linked_by,
    coalesce(p.linked_at, p.first_seen_at) as linked_at,
    coalesce(q.valid_from, m.since) as valid_from,
from identity_placed as p
inner join identity_assignments as a using (component)
cross join identity_moment as m
left join identity_previous as q using (source, entity, record_key, one_id)
left join identity_types as t on p.linked_type = t.type_no
left join (
    select left_no as record_no from identity_state.must_links
    union
    select right_no from identity_state.must_links
) as d using (record_no)
left join (select distinct joined_to from identity_state.groups) as s on p.component = s.joined_to
"""

_REPLACE_ROWS = (
    "delete from identity.record_map where record_no in (select record_no from identity_before)",
    "insert into identity.record_map by name select * from identity_mapped",
)

_WRITE_REDIRECTS = """
create or replace table identity.redirects as
select retired_one_id, one_id, since from identity_redirects
"""

_CHANGES = """
select $changed_at::timestamp as changed_at, change, one_id, previous_one_id, record_count,
    reason, $run_id as run_id
from identity_changes
"""


def write_map(
    connection: "duckdb.DuckDBPyConnection",
    sources: "Sources",
    history: History,
    run: "Run",
    *,
    is_followed: bool,
) -> None:
    """Give the persons of identity_placed their ids; write record_map, changes, redirects, past.

    `is_followed`: the tables of schema identity are those that were published last, and
    identity_placed and identity_before hold only what is looked at; all else stays as it is there.
    """
    if is_followed:
        follow_history(connection)
    else:
        load_history(connection, history)
    list_withdrawn(connection, history)
    list_used(connection, history, f"u_{birth_of(run.as_of)}")
    mark_moment(connection, run.as_of, is_followed=is_followed)
    load_standing(connection, sources, history)
    assign_ids(connection, as_of=run.as_of)
    if is_followed:
        connection.execute(_MAP.format(kind="temp table identity_mapped"))
        for statement in _REPLACE_ROWS:
            connection.execute(statement)
    else:
        connection.execute(_MAP.format(kind="table identity.record_map"))
        connection.execute(
            "create or replace temp view identity_mapped as select * from identity.record_map"
        )
    follow_parts(connection)
    connection.execute(_WRITE_REDIRECTS)
    _write_changes(connection, run, is_followed=is_followed)
    write_past(connection, is_followed=is_followed)
    write_standing(connection)


def _write_changes(
    connection: "duckdb.DuckDBPyConnection", run: "Run", *, is_followed: bool
) -> None:
    if not is_followed:
        connection.execute(
            "create or replace table identity.changes as select changed_at, change, one_id,"
            " previous_one_id, record_count, reason, run_id from identity_previous_changes"
        )
    connection.execute(
        "insert into identity.changes " + _CHANGES,
        {"changed_at": naive_utc(run.as_of), "run_id": run.run_id},
    )
