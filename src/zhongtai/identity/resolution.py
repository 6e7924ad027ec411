"""From evidence to the map of records to persons."""

import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import uuid4

from zhongtai.identity.changes import apply_changes, find_changes
from zhongtai.identity.components import label_links, label_records
from zhongtai.identity.decisions import load_decisions
from zhongtai.identity.declaration import Declaration, load_declaration
from zhongtai.identity.evidence import Reading, Sources, plan_reading
from zhongtai.identity.fingerprints import keep_fingerprints
from zhongtai.identity.guards import load_types
from zhongtai.identity.increments import spread_changes, take_touched
from zhongtai.identity.leftovers import match_leftovers
from zhongtai.identity.memory import About, Sum, mark_of, recall, remember
from zhongtai.identity.partition import (
    keep_all,
    keep_touched,
    regroup_all,
    regroup_touched,
    see_all,
)
from zhongtai.identity.record_map import write_map
from zhongtai.identity.refusals import keep_hub_links, write_refusals
from zhongtai.identity.stability import partition_version, sum_members
from zhongtai.identity.state import History, name_resolution, read_history
from zhongtai.identity.suspects import settle_suspects
from zhongtai.settings import Settings

if TYPE_CHECKING:
    import duckdb

    from zhongtai.runs import Run

log = logging.getLogger(__name__)

# A change that touches a larger share of the records is resolved in full: that is faster then.
WIDEST = 0.3

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


@dataclass(frozen=True)
class ResolutionReport:
    """Counts of one resolution; `changes` counts new, merge, split, reassign and erase.

    `full_because` says why all records were resolved; where it is None only the `touched` were:
    those whose person may be another because of the `changed` ones. Of these, `links` were looked
    at, and `contested` records stood in a component that contradicted itself. `refused` links were
    not made; `matched` clusters were joined by what they have in common beside identifiers.
    """

    identity_version: str
    records: int
    changed: int
    touched: int
    full_because: str | None
    links: int
    contested: int
    matched: int
    persons: int
    refused: int
    changes: dict[str, int]
    seconds: float

    def __str__(self) -> str:
        done = (
            f"in full ({self.full_because})"
            if self.full_because
            else f"incrementally, {self.touched:,} touched by {self.changed:,} changed"
        )
        return (
            f"{self.records:,} records resolved {done}: {self.persons:,} persons,"
            f" {self.refused:,} links refused, {self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class _Plan:
    """What is to be resolved: all of it for a reason, or what is touched."""

    mark: str
    earlier: About | None
    reading: Reading | None = None
    full_because: str | None = None
    records: int = 0
    changed: int = 0
    touched: int = 0


def resolve(settings: Settings, run: "Run") -> ResolutionReport:
    """Resolve the evidence of the working file into its schema `identity`.

    Only what changes touch is resolved, where the working file knows the last resolution. Ids start
    from the map of the last published snapshot; raises ZhongtaiError where it is gone.
    """
    from zhongtai.warehouse import open_build

    history = read_history(settings)
    declaration = load_declaration(settings.project_dir)
    with open_build(settings) as connection:
        load_decisions(settings, connection)
        report = resolve_records(connection, _SOURCES, declaration, history=history, run=run)
    log.info("%s", report)
    return report


def resolve_records(  # noqa: PLR0913
    connection: "duckdb.DuckDBPyConnection",
    sources: Sources,
    declaration: Declaration,
    *,
    history: History,
    run: "Run",
    widest: float = WIDEST,
) -> ResolutionReport:
    """Resolve any relations as `Sources` describes them; writes schema `identity`.

    Where the connection holds the schema identity_state of an earlier resolution, only what differs
    and what that touches is resolved, with the same result, up to a share of `widest` of the
    records; 0 resolves everything. All of it or nothing: what stood in both schemas before stays
    where this raises.
    """
    started = time.monotonic()
    connection.begin()
    try:
        plan = _plan(connection, sources, declaration, widest)
        report = _resolve(connection, sources, declaration, plan, (history, run))
        _drop_temporary(connection)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return replace(report, seconds=time.monotonic() - started)


def _plan(
    connection: "duckdb.DuckDBPyConnection",
    sources: Sources,
    declaration: Declaration,
    widest: float,
) -> _Plan:
    """Find out what changed and whom it touches, and whether that is worth while."""
    mark = mark_of(declaration, with_attributes=sources.attributes is not None)
    earlier = recall(connection)
    plan = _Plan(mark, earlier)
    if earlier is None or earlier.mark != mark or not widest:
        return replace(plan, full_because=_forbid_increment(earlier, widest))
    reading = plan_reading(sources, declaration, earlier.salt)
    load_types(connection, declaration)
    changes = find_changes(connection, reading)
    plan = replace(plan, reading=reading, records=changes.records, changed=changes.changed)
    if changes.changed > widest * changes.records:
        return replace(plan, full_because=f"{changes.changed:,} records changed")
    if apply_changes(connection, reading):
        return replace(plan, full_because="keys share a hash")
    spread = spread_changes(connection)
    if spread.collisions:
        return replace(plan, full_because="values share a hash")
    plan = replace(plan, touched=spread.touched)
    if plan.touched > widest * plan.records:
        return replace(plan, full_because=f"changes touch {plan.touched:,} records")
    return plan


def _forbid_increment(earlier: About | None, widest: float) -> str:
    if not widest:
        return "asked for"
    if earlier is None:
        return "no earlier resolution is known"
    return "other code, declaration or model than last time"


def _resolve(
    connection: "duckdb.DuckDBPyConnection",
    sources: Sources,
    declaration: Declaration,
    plan: _Plan,
    past: "tuple[History, Run]",
) -> ResolutionReport:
    history, run = past
    reading = plan.reading
    if plan.full_because or reading is None:
        _drop_temporary(connection)
        graph, reading = label_records(connection, sources, declaration)
        keep_fingerprints(connection, reading)
        contested = settle_suspects(connection, declaration)
        keep_all(connection)
    else:
        take_touched(connection)
        graph = label_links(connection)
        contested = settle_suspects(connection, declaration)
        keep_touched(connection)
    keep_hub_links(connection, of_all=plan.full_because is not None)
    _drop_temporary(connection, but=_CARRIED)
    see_all(connection)
    matched = match_leftovers(
        connection, sources, declaration, reading, of_all=plan.full_because is not None
    )
    total, persons, is_followed = _make_persons(connection, plan, history)
    write_map(connection, sources, history, run, is_followed=is_followed)
    write_refusals(connection, reading, run)
    version = partition_version(total)
    connection.execute(
        "create or replace table identity.version as select ?::varchar as identity_version",
        [version],
    )
    remember(connection, About(plan.mark, reading.salt, uuid4().hex, persons, total))
    records = _count(connection, "identity_state.nodes")
    return ResolutionReport(
        identity_version=version,
        records=records,
        changed=plan.changed,
        touched=records if plan.full_because else plan.touched,
        full_because=plan.full_because,
        links=graph.links,
        contested=contested,
        matched=matched.joined,
        persons=persons,
        refused=_count(connection, "identity.refused_links"),
        changes=_count_changes(connection),
        seconds=0.0,
    )


def _make_persons(
    connection: "duckdb.DuckDBPyConnection", plan: _Plan, history: History
) -> tuple[Sum, int, bool]:
    """Make persons of what was matched; writes identity_placed.

    Returns what their version is made of, how many they are, and whether identity_placed holds only
    those who may be others than in the last published map, which schema identity still is.
    """
    if plan.full_because or plan.earlier is None:
        regroup_all(connection)
        total = sum_members(connection, "identity_placed")
        return total, _count_persons(connection, "identity_placed"), False
    regroup_touched(connection)
    total, persons = _add_up(connection, plan.earlier)
    is_followed = name_resolution(history) == plan.earlier.resolution
    if not is_followed:
        connection.execute("drop table identity_placed")
        connection.execute(
            "create or replace temp view identity_placed as select * from identity_everyone"
        )
    return total, persons, is_followed


# What the resolution of the touched records hands on.
_CARRIED = (
    "identity_types",
    "identity_before",
    "identity_entered",
    "identity_old_nodes",
    "identity_parted",
    "identity_touched_facts",
    "identity_touched_nodes",
)


def _add_up(connection: "duckdb.DuckDBPyConnection", earlier: About) -> tuple[Sum, int]:
    """What the version is made of and how many persons there are, from what it was before."""
    total = earlier.sum.minus(sum_members(connection, "identity_formerly"))
    total = total.plus(sum_members(connection, "identity_placed"))
    persons = earlier.persons - _count_persons(connection, "identity_before")
    return total, persons + _count_persons(connection, "identity_placed")


def _count_persons(connection: "duckdb.DuckDBPyConnection", table: str) -> int:
    row = connection.execute(f"select count(distinct component) from {table}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0


def _count_changes(connection: "duckdb.DuckDBPyConnection") -> dict[str, int]:
    return dict(
        connection.execute(
            "select change, count(*) from identity_changes group by change order by change"
        ).fetchall()
    )


def _count(connection: "duckdb.DuckDBPyConnection", table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0


def _drop_temporary(connection: "duckdb.DuckDBPyConnection", but: tuple[str, ...] = ()) -> None:
    found = connection.execute(
        "select 'view', view_name from duckdb_views() where temporary and view_name ^@ 'identity_'"
        " union all"
        " select 'table', table_name from duckdb_tables()"
        " where temporary and table_name ^@ 'identity_'"
    ).fetchall()
    for kind, name in found:
        if name not in but:
            connection.execute(f"drop {kind} temp.{name}")
