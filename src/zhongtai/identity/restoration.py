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


def write_standing(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write identity.standing_decisions: those that made this map, each with its first moment."""
    connection.execute(_WRITE_STANDING)


def _pairs(relation: str) -> str:
    columns = _PAIR.removeprefix("kind, ")
    return f"(select {columns} from {relation})"  # noqa: S608
