"""Whom a change touches: the records whose person may be another one because of it.

A changed record touches the values that it names or named, and those decide anew whether they are
hubs and whose. Where such a value links, all its holders are touched, and with them everybody to
whom they were linked. What is left links to nothing that is touched, now or before, so resolving
the touched records alone gives what resolving all of them would give.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zhongtai.identity.guards import find_hubs

if TYPE_CHECKING:
    import duckdb

_LIST_BACKED = """
create or replace temp table identity_backed as
select distinct value_hash from identity_state.facts where needs_name
"""

# Values that some record names as a backup: with a name they make values of their own, so all of
# their holders are other records once the first names it so, or the last no longer.
_FIND_FLIPPED = """
create or replace temp table identity_flipped as
with named as (
    select value_hash from identity_old_facts where needs_name
    union
    select value_hash from identity_new_facts where needs_name
),
others as (
    select distinct f.value_hash
    from (select * from identity_state.facts where needs_name) as f
    semi join named using (value_hash)
    anti join identity_changed using (record_no)
)
select value_hash
from named
anti join others using (value_hash)
where
    (value_hash in (select value_hash from identity_old_facts where needs_name))
    <> (value_hash in (select value_hash from identity_new_facts where needs_name))
"""

# Of what changed the old and the new are at hand; who else is altered is looked up.
_LIST_ALTERED = (
    """
create or replace temp table identity_flipped_holders as
select distinct f.record_no
from identity_state.facts as f
semi join identity_flipped using (value_hash)
anti join identity_changed using (record_no)
""",
    """
create or replace temp table identity_altered as
select record_no from identity_changed
union all
select record_no from identity_flipped_holders
""",
    """
create or replace temp table identity_altered_facts as
select record_no, value_hash from identity_old_facts
union all
select record_no, value_hash from identity_new_facts
union all
select f.record_no, f.value_hash
from identity_state.facts as f
semi join identity_flipped_holders using (record_no)
""",
    """
create or replace temp table identity_altered_names as
select record_no, name from identity_old_nodes where is_full_name
union
select record_no, name from identity_new_nodes where is_full_name
union
select n.record_no, n.name
from (select * from identity_state.nodes where is_full_name) as n
semi join identity_flipped_holders using (record_no)
""",
)

# What the altered records name and named, also under their names; base_hash is the value itself.
_TOUCH_VALUES = """
create or replace temp table identity_touched_values as
with held as (
    select distinct f.value_hash, n.name
    from identity_altered_facts as f
    left join identity_altered_names as n using (record_no)
)
select distinct value_hash, value_hash as base_hash from held
union
select hash(h.value_hash, h.name), h.value_hash
from held as h
where
    h.name is not null
    and (
        h.value_hash in (select value_hash from identity_backed)
        or h.value_hash in (select value_hash from identity_flipped)
    )
union
select value_hash, value_hash from identity_changed_owners
"""

# Everybody who names a touched value, as somebody's whom to ask instead too.
_LIST_HOLDERS = (
    """
create or replace temp table identity_named as
select record_no, value_hash, check_hash, type_no, needs_name
from identity_state.facts
semi join (select base_hash as value_hash from identity_touched_values) using (value_hash)
""",
    """
create or replace temp table identity_named_backed as
select * from identity_named semi join identity_backed using (value_hash)
""",
    """
create or replace temp table identity_holder_names as
select n.record_no, n.name
from (select record_no, name from identity_state.nodes where is_full_name) as n
semi join identity_named_backed using (record_no)
""",
    """
create or replace temp table identity_holders as
select *, value_hash as base_hash from identity_named
union all
select f.* replace (hash(f.value_hash, n.name) as value_hash, false as needs_name), f.value_hash
from identity_named_backed as f
inner join identity_holder_names as n using (record_no)
""",
)

# Two values with one hash: all who name one of them are among the holders.
_COUNT_COLLISIONS = """
select count(*)
from (
    select value_hash
    from identity_named
    group by value_hash
    having min(check_hash) <> max(check_hash)
)
"""

_COUNT_CROWDS = """
create or replace temp table identity_value_counts as
select h.value_hash, any_value(h.type_no) as type_no, count(*) as record_count
from identity_holders as h
semi join identity_touched_values using (value_hash)
inner join identity_types as t using (type_no)
where not h.needs_name
group by h.value_hash
having count(*) > any_value(t.max_holders)
"""

_LIST_CROWDS = """
create or replace temp table identity_limits as
select distinct record_no
from identity_holders
semi join identity_value_counts using (value_hash)
"""

_KEEP_GUARDS = (
    """
create or replace temp table identity_old_hubs as
select * from identity_state.hubs semi join identity_touched_values using (value_hash)
""",
    """
create or replace temp table identity_old_kept as
select * from identity_state.kept semi join identity_touched_values using (value_hash)
""",
    """
create or replace temp table identity_new_hubs as
select * from identity_hubs semi join identity_touched_values using (value_hash)
""",
    """
create or replace temp table identity_new_kept as
select * from identity_kept semi join identity_touched_values using (value_hash)
""",
)

_REPLACE_GUARDS = tuple(
    statement
    for kind in ("hubs", "kept")
    for statement in (
        f"delete from identity_state.{kind}"  # noqa: S608  # names of our own
        " where value_hash in (select value_hash from identity_touched_values)",
        f"insert into identity_state.{kind} by name select * from identity_new_{kind}",  # noqa: S608
    )
)

# A hub that stays one links only those who keep it; of every other touched value all holders count.
_LIST_SEEDS = """
create or replace temp table identity_seeds as
with standing as (
    select value_hash from identity_old_hubs
    intersect
    select value_hash from identity_new_hubs
),
kept as (
    select * from identity_old_kept
    union
    select * from identity_new_kept
),
rekept as (
    (select * from identity_old_kept except select * from identity_new_kept)
    union
    (select * from identity_new_kept except select * from identity_old_kept)
    union
    select * from kept semi join identity_altered using (record_no)
)
select record_no from identity_altered
union
select record_no from identity_decided_anew
union
select h.record_no
from identity_holders as h
semi join identity_touched_values using (value_hash)
anti join standing using (value_hash)
union
select k.record_no
from kept as k
semi join rekept using (value_hash)
"""

_TOUCH_RECORDS = (
    """
create or replace temp table identity_stirred as
select distinct p.raw
from identity_state.partition as p
semi join identity_seeds using (record_no)
""",
    # whole components, as they were: whoever is gone was in one of them
    """
create or replace temp table identity_parted as
select record_no, settled, component
from identity_state.partition
semi join identity_stirred using (raw)
""",
    """
create or replace temp table identity_touched as
select record_no
from (
    select record_no from identity_parted
    union
    select record_no from identity_seeds
)
anti join (select record_no from identity_changed where is_gone) using (record_no)
""",
)

_LIMIT = (
    """
create or replace temp table identity_nodes as
select {node} from identity_state.nodes semi join {records} using (record_no)
""",
    """
create or replace temp table identity_told as
select {fact} from identity_state.facts semi join {records} using (record_no)
""",
    """
create or replace temp table identity_facts as
select * from identity_told where not needs_name
union all
select f.* replace (hash(f.value_hash, n.name) as value_hash)
from identity_told as f
inner join identity_nodes as n using (record_no)
where n.is_full_name and f.value_hash in (select value_hash from identity_backed)
""",
)

# Which values are shared. Who is not touched holds a value of a touched record only where it links
# one of them no longer: as a hub, or because he names too many of its type.
_COUNT_VALUES = """
create or replace temp table identity_value_counts as
with elsewhere as (
    select value_hash, count(*) as record_count
    from (
        select value_hash from identity_state.hubs
        union all
        select value_hash
        from identity_state.overfull
        anti join identity_touched using (record_no)
        anti join identity_changed using (record_no)
    )
    group by value_hash
)
select
    f.value_hash,
    any_value(f.type_no) as type_no,
    count(*) + coalesce(any_value(e.record_count), 0) as record_count,
from identity_facts as f
left join elsewhere as e using (value_hash)
group by f.value_hash
"""

_LIMIT_GUARDS = (
    """
create or replace temp table identity_backups as
select record_no, value_hash from identity_told where needs_name
""",
    """
create or replace temp table identity_hubs as
select * from identity_state.hubs semi join identity_facts using (value_hash)
""",
    """
create or replace temp table identity_kept as
select * from identity_state.kept semi join identity_touched using (record_no)
""",
    """
create or replace temp table identity_must_links as
select * from identity_state.must_links
where left_no in (select record_no from identity_touched)
""",
    """
create or replace temp table identity_cannot_links as
select * from identity_state.cannot_links
where
    left_no in (select record_no from identity_touched)
    and right_no in (select record_no from identity_touched)
""",
)


@dataclass(frozen=True)
class Spread:
    """How many records are touched; `collisions` of hashes need a full resolution."""

    touched: int
    collisions: int


def spread_changes(connection: "duckdb.DuckDBPyConnection") -> Spread:
    """Find whom the changes touch; writes identity_touched (record_no).

    Brings the hubs of schema identity_state up to date. Reads what `apply_changes` has left.
    """
    for statement in (
        _LIST_BACKED,
        _FIND_FLIPPED,
        *_LIST_ALTERED,
        _TOUCH_VALUES,
        *_LIST_HOLDERS,
        _COUNT_CROWDS,
        _LIST_CROWDS,
    ):
        connection.execute(statement)
    _limit_to(
        connection,
        "identity_limits",
        node="record_no, name, birth_date, is_full_name",
        fact="record_no, value_hash, type_no, last_seen_at, is_verified, needs_name",
    )
    find_hubs(connection)
    for statement in (*_KEEP_GUARDS, *_REPLACE_GUARDS, _LIST_SEEDS, *_TOUCH_RECORDS):
        connection.execute(statement)
    return Spread(
        _ask(connection, "select count(*) from identity_touched"),
        _ask(connection, _COUNT_COLLISIONS),
    )


def take_touched(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write what `label_records` reads, of the touched records alone."""
    _limit_to(connection, "identity_touched")
    connection.execute(_COUNT_VALUES)
    for statement in _LIMIT_GUARDS:
        connection.execute(statement)


def _limit_to(
    connection: "duckdb.DuckDBPyConnection", records: str, *, node: str = "*", fact: str = "*"
) -> None:
    """Write identity_nodes, identity_told and identity_facts of some records: of such columns."""
    for statement in _LIMIT:
        connection.execute(statement.format(records=records, node=node, fact=fact))


def _ask(connection: "duckdb.DuckDBPyConnection", query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
