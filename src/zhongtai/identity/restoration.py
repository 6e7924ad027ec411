"""What a decision changed goes back with it: ids return to the persons that had them before.

By overlap alone an id stays with the larger part. Where a decision moved more records to an id than
that person had, undoing it would then leave the id with the strangers. So the published map keeps
which decisions it was made with and since when; once one no longer holds, an id returns to the
person who consists of exactly the records that it had just before that decision.
"""

from typing import TYPE_CHECKING

from zhongtai.identity.evidence import Sources
from zhongtai.identity.state import History, read_state

if TYPE_CHECKING:
    import duckdb

_PAIR = "kind, source, entity, record_key, other_source, other_entity, other_record_key"

_LIST_STANDING = """
create or replace temp table identity_standing as
select 'merge' as kind, * from {must_links}
union by name
select 'split' as kind, * from {cannot_links}
"""

_LIST_ENDED = f"""
create or replace temp table identity_ended as
select distinct since
from identity_previous_decisions
anti join identity_standing using ({_PAIR})
"""  # noqa: S608

# Only ids and persons that do not simply stay together are compared.
_FIND_RESTORED = """
create or replace temp table identity_restored as
with contested as (
    select component, one_id
    from identity_overlaps
    qualify
        count(*) over (partition by component) > 1 or count(*) over (partition by one_id) > 1
),
periods as (
    select source, entity, record_key, one_id, valid_from, null::timestamp as valid_to
    from identity_previous
    semi join contested using (one_id)
    union all
    select source, entity, record_key, one_id, valid_from, valid_to
    from identity_previous_past
    semi join contested using (one_id)
),
former as (
    select
        p.one_id,
        e.since,
        list(identity_key(source, entity, record_key) order by source, entity, record_key) as who,
    from periods as p
    inner join identity_ended as e
        on p.valid_from < e.since and (p.valid_to is null or p.valid_to >= e.since)
    group by p.one_id, e.since
),
present as (
    select
        component,
        list(identity_key(source, entity, record_key) order by source, entity, record_key) as who,
    from identity_placed
    semi join contested using (component)
    group by component
)
select c.component, c.one_id, max(f.since) as since
from contested as c
inner join former as f using (one_id)
inner join present as p on c.component = p.component and f.who = p.who
group by c.component, c.one_id
"""

_NONE_RESTORED = """
create or replace temp table identity_restored as
select component, one_id, null::timestamp as since from identity_overlaps where false
"""

# Whom decisions are about that hold, or that held when the last map was published.
_LIST_DECIDED = f"""
create or replace temp table identity_decided as
with pairs as (
    select {_PAIR}, true as holds from identity_standing
    union all
    select {_PAIR}, false
    from identity_previous_decisions
    anti join identity_standing using ({_PAIR})
)
select distinct d.kind, d.holds, p.one_id, o.one_id as other_one_id
from pairs as d
inner join identity_previous as p using (source, entity, record_key)
inner join identity_previous as o
    on d.other_source = o.source
    and d.other_entity = o.entity
    and d.other_record_key = o.record_key
"""  # noqa: S608

_SAY_DECIDED = """
with decided as (
    select
        c.change,
        c.one_id,
        c.previous_one_id,
        min(
            case
                when d.kind = 'merge' and d.holds then 'a decision joins records of both ids'
                when d.holds then 'a decision keeps these records from the previous id'
                when d.kind = 'split' then 'a decision that kept both ids apart was taken back'
                else 'a decision that joined them to the previous id was taken back'
            end
        ) as reason,
    from identity_changes as c
    inner join identity_decided as d
        on (
            c.change = 'merge'
            and (d.kind = 'merge') = d.holds
            and least(c.one_id, c.previous_one_id) = least(d.one_id, d.other_one_id)
            and greatest(c.one_id, c.previous_one_id) = greatest(d.one_id, d.other_one_id)
        )
        or (
            c.change in ('split', 'reassign')
            and (d.kind = 'split') = d.holds
            and c.previous_one_id = d.one_id
            and d.one_id = d.other_one_id
        )
    group by all
)
update identity_changes as c
set reason = d.reason
from decided as d
where
    (c.change, c.one_id, c.previous_one_id) = (d.change, d.one_id, d.previous_one_id)
"""

_WRITE_STANDING = f"""
create or replace table identity.standing_decisions as
select {_PAIR}, coalesce(p.since, m.since) as since
from identity_standing
cross join identity_moment as m
left join identity_previous_decisions as p using ({_PAIR})
"""  # noqa: S608


def load_standing(
    connection: "duckdb.DuckDBPyConnection", sources: Sources, history: History
) -> None:
    """Compare the decisions that hold with those of the published map.

    Writes the temp tables identity_standing, identity_previous_decisions and identity_ended (since:
    the moments from which decisions held that no longer do).
    """
    connection.execute(
        _LIST_STANDING.format(
            must_links=_pairs(sources.must_links), cannot_links=_pairs(sources.cannot_links)
        )
    )
    read_state(connection, history, "standing_decisions", "identity_previous_decisions")
    connection.execute(_LIST_ENDED)


def find_restored(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write identity_restored: the components that are who an id meant before a decision.

    Reads identity_overlaps and identity_placed beside what `load_standing` wrote.
    """
    ended = connection.execute("select 1 from identity_ended limit 1").fetchone()
    connection.execute(_FIND_RESTORED if ended else _NONE_RESTORED)


def say_decided(connection: "duckdb.DuckDBPyConnection") -> None:
    """Give changes that a decision made, or its undoing, that reason in identity_changes."""
    connection.execute(_LIST_DECIDED)
    if connection.execute("select 1 from identity_decided limit 1").fetchone():
        connection.execute(_SAY_DECIDED)


def write_standing(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write identity.standing_decisions: those that made this map, each with its first moment."""
    connection.execute(_WRITE_STANDING)


def _pairs(relation: str) -> str:
    columns = _PAIR.removeprefix("kind, ")
    return f"(select {columns} from {relation})"  # noqa: S608
