"""Matching what strong evidence left apart: clusters compared by name, place, birth and more.

One row per cluster that has a full name goes to `zhongtai.identity.matching`; what it joins and no
single-valued identifier contradicts becomes one person, what it doubts goes to review. Who was
compared, and what came of it, is kept, so that a change has only those compared whom it concerns.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from zhongtai.identity.components import take_all
from zhongtai.identity.declaration import Declaration
from zhongtai.identity.descriptions import describe_clusters
from zhongtai.identity.rematching import keep_matching, rematch
from zhongtai.identity.review_pairs import create_review_pairs, write_review_pairs

if TYPE_CHECKING:
    import duckdb

    from zhongtai.identity.evidence import Reading, Sources


@dataclass(frozen=True)
class MatchReport:
    """Pairs that were compared, clusters that were joined, and pairs left to people by reason."""

    compared: int = 0
    joined: int = 0
    undecided: dict[str, int] = field(default_factory=dict)


_SEE_ALL = """
create or replace temp view identity_partition as
select record_no, settled as component from identity_state.partition
"""

_SEE_TOUCHED = (
    "create or replace temp view identity_nodes as select * from identity_touched_nodes",
    "create or replace temp view identity_facts as select * from identity_touched_facts",
    """
create or replace temp view identity_partition as
select record_no, settled as component from identity_entered
""",
    """
create or replace temp table identity_dissolved as
select distinct settled as component from identity_parted
""",
)

# What the sources tell of the touched records: hash first, then all that is costly.
_TELL_TOUCHED = """
create or replace temp table identity_told_{kind} as
select r.* exclude (node_hash)
from (select *, {node_hash} as node_hash from {relation}) as r
semi join identity_touched_nodes using (node_hash)
"""

_TOLD_APART = """
create or replace temp table identity_told_apart as
with placed as (
    select p.record_no, d.component, d.cluster_key
    from identity_state.partition as p
    semi join (
        select left_no as record_no from identity_state.cannot_links
        union
        select right_no from identity_state.cannot_links
    ) using (record_no)
    inner join identity_state.described as d on p.settled = d.component
)
select l.cluster_key as left_key, r.cluster_key as right_key
from identity_state.cannot_links as d
inner join placed as l on d.left_no = l.record_no
inner join placed as r on d.right_no = r.record_no
where l.component <> r.component
"""

_JOIN = """
create or replace temp table identity_matched as
select component, joined_to from identity_state.groups {kept}
union all
select c.component, g.component
from matching_groups as m
inner join identity_state.described as c on m.row_key = c.cluster_key
inner join identity_state.described as g on m.group_key = g.cluster_key
"""

_NOTHING = "create or replace temp table identity_matched (component integer, joined_to integer)"


def match_leftovers(
    connection: "duckdb.DuckDBPyConnection",
    sources: "Sources",
    declaration: Declaration,
    reading: "Reading",
    *,
    of_all: bool,
) -> MatchReport:
    """Find clusters that are one person by all that is known of them.

    Unless `of_all`, only those are compared whom the touched records concern; what came of the
    others stays. Does nothing where `sources` has no attributes or the declaration no matching.
    Writes identity_matched (component, joined_to) and identity.review_pairs.
    """
    connection.execute("create schema if not exists identity")
    if sources.attributes is None or declaration.matching is None:
        connection.execute(_NOTHING)
        create_review_pairs(connection)
        return MatchReport()
    if of_all:
        take_all(connection)
        connection.execute(_SEE_ALL)
    else:
        reading = _take_touched(connection, reading)
    describe_clusters(connection, reading, of_all=of_all)
    connection.execute(_TOLD_APART)
    match = keep_matching if of_all else rematch
    compared, undecided = match(connection, declaration.matching)
    kept = "where false" if of_all else "anti join identity_stirred using (component)"
    connection.execute(_JOIN.format(kept=kept))
    write_review_pairs(connection, declaration.matching[0], of_all=of_all)
    row = connection.execute("select count(*) from identity_matched").fetchone()
    return MatchReport(compared, int(row[0]) if row else 0, undecided)


def _take_touched(connection: "duckdb.DuckDBPyConnection", reading: "Reading") -> "Reading":
    """Let what follows see the touched records alone; returns how what they tell is read."""
    for statement in _SEE_TOUCHED:
        connection.execute(statement)
    words = dict(reading.words)
    for kind in ("evidence", "attributes"):
        reading.execute(connection, _TELL_TOUCHED, kind=kind, relation=words[kind])
        words[kind] = f"identity_told_{kind}"
    return replace(reading, words=words)
