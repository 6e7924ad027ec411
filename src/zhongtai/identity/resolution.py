"""From evidence to the map of records to persons."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zhongtai.identity.components import Sources, label_records
from zhongtai.identity.decisions import load_decisions
from zhongtai.identity.declaration import Declaration, load_declaration
from zhongtai.identity.leftovers import match_leftovers
from zhongtai.identity.past import follow_parts, mark_moment, write_past
from zhongtai.identity.refusals import write_refusals
from zhongtai.identity.restoration import load_standing, write_standing
from zhongtai.identity.stability import assign_ids, naive_utc, partition_version
from zhongtai.identity.state import History, load_history, read_history
from zhongtai.identity.suspects import settle_suspects
from zhongtai.settings import Settings

if TYPE_CHECKING:
    import duckdb

    from zhongtai.runs import Run

_SOURCES = Sources(
    records="(select * from intermediate.int_identity_records where not is_organisation)",
    evidence=(
        "(select *, not is_edge as needs_name from intermediate.int_identity_evidence"
        " where is_edge or reason = 'backup_phone')"
    ),
    owners="intermediate.int_identity_owners",
    must_links="(select * from identity.decisions where kind = 'merge')",
    cannot_links="(select * from identity.decisions where kind = 'split')",
    attributes="intermediate.int_identity_attributes",
)

_PLACE = """
create or replace temp table identity_placed as
select n.*, p.component
from identity_nodes as n
inner join identity_partition as p using (record_no)
"""

_WRITE = (
    "create schema if not exists identity",
    # what linked a record: its strongest identifier that another record of the person shares;
    # within a component that nothing contradicts that is every link
    """
create or replace temp table identity_linked as
with made as (
    select l.record_no, l.type_no, l.first_seen_at
    from identity_links as l
    anti join identity_suspect_nodes as s using (record_no)
    union all
    select l.record_no, l.type_no, l.first_seen_at
    from identity_links as l
    semi join identity_suspect_nodes as s using (record_no)
    inner join identity_partition as p using (record_no)
    qualify count(*) over (partition by l.value_no, p.component) > 1
)
select
    record_no,
    min(type_no) as type_no,
    arg_min(first_seen_at, (type_no, first_seen_at)) as linked_at,
from made
group by record_no
""",
    """
create or replace temp table identity_decided as
select left_no as record_no from identity_must_links
union
select right_no from identity_must_links
""",
    """
create or replace table identity.record_map as
select
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
    coalesce(l.linked_at, p.first_seen_at) as linked_at,
    coalesce(q.valid_from, m.since) as valid_from,
from identity_placed as p
inner join identity_assignments as a using (component)
cross join identity_moment as m
left join identity_previous as q using (source, entity, record_key, one_id)
left join identity_linked as l using (record_no)
left join identity_types as t using (type_no)
left join identity_decided as d using (record_no)
left join (select distinct joined_to from identity_matched) as s on p.component = s.joined_to
""",
    """
create or replace table identity.redirects as
select retired_one_id, one_id, since from identity_redirects
""",
)

_WRITE_CHANGES = """
create or replace table identity.changes as
select changed_at, change, one_id, previous_one_id, record_count, reason, run_id
from identity_previous_changes
union all
select $changed_at::timestamp, change, one_id, previous_one_id, record_count, reason, $run_id
from identity_changes
"""


@dataclass(frozen=True)
class ResolutionReport:
    """Counts of one resolution; `changes` counts new, merge, split, reassign and erase.

    `contested` records stood in a component that contradicted itself; `refused` links were not
    made; `matched` clusters were joined by what they have in common beside identifiers.
    """

    identity_version: str
    records: int
    links: int
    contested: int
    matched: int
    persons: int
    refused: int
    changes: dict[str, int]
    seconds: float


def resolve(settings: Settings, run: "Run") -> ResolutionReport:
    """Resolve the evidence of the working file into its schema `identity`.

    Ids start from the map of the last published snapshot; raises ZhongtaiError where it is gone.
    """
    from zhongtai.warehouse import open_build

    history = read_history(settings)
    declaration = load_declaration(settings.project_dir)
    with open_build(settings) as connection:
        load_decisions(settings, connection)
        return resolve_records(connection, _SOURCES, declaration, history=history, run=run)


def resolve_records(
    connection: "duckdb.DuckDBPyConnection",
    sources: Sources,
    declaration: Declaration,
    *,
    history: History,
    run: "Run",
) -> ResolutionReport:
    """Resolve any relations as `Sources` describes them; writes schema `identity`.

    All of it or nothing: what stood in the schema before stays where this raises.
    """
    started = time.monotonic()
    connection.begin()
    try:
        graph = label_records(connection, sources, declaration)
        contested = settle_suspects(connection, declaration)
        matched = match_leftovers(connection, sources, declaration, graph)
        connection.execute(_PLACE)
        load_history(connection, history)
        mark_moment(connection, run.as_of)
        load_standing(connection, sources, history)
        assign_ids(connection, as_of=run.as_of)
        follow_parts(connection)
        version = partition_version(connection)
        _write(connection, run, version)
        write_refusals(connection, sources, graph, run)
        report = ResolutionReport(
            identity_version=version,
            records=graph.records,
            links=graph.links,
            contested=contested,
            matched=matched.joined,
            persons=_count(connection, "identity_assignments"),
            refused=_count(connection, "identity.refused_links"),
            changes=dict(
                connection.execute(
                    "select change, count(*) from identity_changes group by change order by change"
                ).fetchall()
            ),
            seconds=time.monotonic() - started,
        )
        _drop_temporary_tables(connection)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return report


def _write(connection: "duckdb.DuckDBPyConnection", run: "Run", version: str) -> None:
    for statement in _WRITE:
        connection.execute(statement)
    connection.execute(_WRITE_CHANGES, {"changed_at": naive_utc(run.as_of), "run_id": run.run_id})
    connection.execute(
        "create or replace table identity.version as select ?::varchar as identity_version",
        [version],
    )
    write_past(connection)
    write_standing(connection)


def _count(connection: "duckdb.DuckDBPyConnection", table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0


def _drop_temporary_tables(connection: "duckdb.DuckDBPyConnection") -> None:
    found = connection.execute(
        "select table_name from duckdb_tables() where temporary and table_name ^@ 'identity_'"
    ).fetchall()
    for (name,) in found:
        connection.execute(f"drop table temp.{name}")
