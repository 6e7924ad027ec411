"""From evidence to the map of records to persons."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zhongtai.identity.components import label_records
from zhongtai.identity.stability import assign_ids, naive_utc, partition_version
from zhongtai.identity.state import History, load_history, read_history
from zhongtai.settings import Settings

if TYPE_CHECKING:
    import duckdb

    from zhongtai.runs import Run

_RECORDS = "(select * from intermediate.int_identity_records where not is_organisation)"
_EVIDENCE = "(select * from intermediate.int_identity_evidence where is_edge)"

_WRITE = (
    "create schema if not exists identity",
    # what linked a record: its strongest identifier that another record shares
    """
create or replace temp table identity_linked as
select
    record_no,
    arg_min(identifier_type, (priority, identifier_type)) as linked_by,
    arg_min(first_seen_at, (priority, identifier_type, first_seen_at)) as linked_at,
from identity_links
group by record_no
""",
    """
create or replace table identity.record_map as
select
    p.source,
    p.entity,
    p.record_key,
    a.one_id,
    coalesce(l.linked_by, 'single_record') as linked_by,
    coalesce(l.linked_at, p.first_seen_at) as linked_at,
from identity_partition as p
inner join identity_assignments as a using (component)
left join identity_linked as l using (record_no)
""",
    """
create or replace table identity.redirects as
select retired_one_id, one_id, since from identity_redirects
""",
    """
create or replace table identity.refused_links (
    source varchar, entity varchar, record_key varchar,
    other_source varchar, other_entity varchar, other_record_key varchar,
    identifier_type varchar, reason varchar, run_id varchar
)
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
    """Counts of one resolution; `changes` counts new, merge, split, reassign and erase."""

    identity_version: str
    records: int
    links: int
    persons: int
    changes: dict[str, int]
    seconds: float


def resolve(settings: Settings, run: "Run") -> ResolutionReport:
    """Resolve the evidence of the working file into its schema `identity`.

    Ids start from the map of the last published snapshot; raises ZhongtaiError where it is gone.
    """
    from zhongtai.warehouse import open_build

    history = read_history(settings)
    with open_build(settings) as connection:
        return resolve_records(
            connection,
            records=_RECORDS,
            evidence=_EVIDENCE,
            history=history,
            run=run,
        )


def resolve_records(
    connection: "duckdb.DuckDBPyConnection",
    *,
    records: str,
    evidence: str,
    history: History,
    run: "Run",
) -> ResolutionReport:
    """Resolve any two relations as `label_records` takes them; writes schema `identity`.

    All of it or nothing: what stood in the schema before stays where this raises.
    """
    started = time.monotonic()
    connection.begin()
    try:
        record_count, link_count = label_records(connection, records=records, evidence=evidence)
        load_history(connection, history)
        assign_ids(connection, as_of=run.as_of)
        version = partition_version(connection)
        _write(connection, run, version)
        report = ResolutionReport(
            identity_version=version,
            records=record_count,
            links=link_count,
            persons=_count(connection, "identity_assignments"),
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


def _count(connection: "duckdb.DuckDBPyConnection", table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0


def _drop_temporary_tables(connection: "duckdb.DuckDBPyConnection") -> None:
    found = connection.execute(
        "select table_name from duckdb_tables() where temporary and table_name ^@ 'identity_'"
    ).fetchall()
    for (name,) in found:
        connection.execute(f"drop table temp.{name}")
