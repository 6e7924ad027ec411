"""Ids that stay: components take over the ids of the last published map, by overlap.

Everything is one statement per step over whole tables. The first twelve hex digits of an id are
the milliseconds of its birth, so ordering ids orders them by age, then by themselves.
"""

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from zhongtai.errors import ZhongtaiError
from zhongtai.identity.memory import Sum
from zhongtai.identity.restoration import find_restored, say_decided

if TYPE_CHECKING:
    import duckdb

# A record as one text, for ties and for hashing: chr(31) separates and occurs in no key.
_DEFINE_KEY = """
create or replace temp macro identity_key(source, entity, record_key) as
source || chr(31) || entity || chr(31) || record_key
"""

_COMPARE_PREVIOUS = (
    """
create or replace temp table identity_components as
select
    component,
    min(identity_key(source, entity, record_key)) as smallest,
    count(*) as record_count,
from identity_placed
group by component
""",
    """
create or replace temp table identity_overlaps as
select
    p.component,
    q.one_id,
    count(*) as record_count,
    min(q.valid_from) as since,
    min(identity_key(source, entity, record_key)) as smallest,
from identity_placed as p
inner join identity_previous as q using (source, entity, record_key)
group by p.component, q.one_id
""",
)

# Whom an id meant before a decision that no longer holds comes first.
_MATCH_PREVIOUS = (
    # split: an id stays with the part that holds most of its records, then with who had it first
    """
create or replace temp table identity_claims as
select o.component, o.one_id, o.record_count, r.since as restored
from identity_overlaps as o
left join identity_restored as r using (component, one_id)
qualify
    row_number() over (
        partition by o.one_id
        order by r.since desc nulls last, o.record_count desc, o.since, o.smallest
    ) = 1
""",
    # merge: of the ids that claim one component the one with most records stays, then the oldest
    """
create or replace temp table identity_survivors as
select component, one_id
from identity_claims
qualify
    row_number() over (
        partition by component order by restored desc nulls last, record_count desc, one_id
    ) = 1
""",
    """
create or replace temp table identity_assignments as
select component, one_id, false as is_new from identity_survivors
""",
)

# After a rollback: who was shown under an id is shown under it again, most records first.
_TAKE_BACK_WITHDRAWN = """
insert into identity_assignments
with shown as (
    select
        p.component,
        w.one_id,
        count(*) as record_count,
        min(identity_key(source, entity, record_key)) as smallest,
    from identity_placed as p
    inner join identity_withdrawn as w using (source, entity, record_key)
    anti join identity_assignments as a using (component)
    group by p.component, w.one_id
),
claims as (
    select component, one_id, record_count
    from shown
    qualify
        row_number() over (partition by one_id order by record_count desc, smallest) = 1
)
select component, one_id, true
from claims
qualify row_number() over (partition by component order by record_count desc, one_id) = 1
"""

_FIND_UNNAMED = """
create or replace temp table identity_unnamed as
select c.component, c.smallest
from identity_components as c
anti join identity_assignments as a using (component)
"""

# The random bits of a UUIDv7 are a hash here: the same run on the same history gives the same id.
_NAME = """
insert into identity_assignments
with hashed as (
    select component, smallest, md5(smallest || chr(31) || $generation::varchar) as digest
    from identity_unnamed
),
candidates as (
    select
        component,
        smallest,
        'u_' || $born || '7' || digest[1:3] || 'a' || digest[4:18] as one_id,
    from hashed
)
select component, one_id, true
from candidates as c
anti join identity_used as u using (one_id)
qualify row_number() over (partition by one_id order by smallest) = 1
"""

_LIST_CHANGES = (
    # the id that gave most of its records to a new component is the one it split from
    """
create or replace temp table identity_origins as
select o.component, o.one_id, o.record_count
from identity_overlaps as o
inner join identity_assignments as a using (component)
where a.is_new
qualify row_number() over (
    partition by o.component order by o.record_count desc, o.smallest, o.one_id
) = 1
""",
    """
create or replace temp table identity_retired as
select c.one_id as retired_one_id, s.one_id, c.record_count
from identity_claims as c
inner join identity_survivors as s using (component)
where c.one_id <> s.one_id
""",
    """
create or replace temp table identity_changes as
select
    case when o.one_id is null then 'new' else 'split' end as change,
    a.one_id,
    o.one_id as previous_one_id,
    coalesce(o.record_count, c.record_count) as record_count,
    case
        when o.one_id is null then 'no record of this person was published before'
        else 'the evidence that linked these records to the previous id is gone'
    end as reason,
from identity_assignments as a
inner join identity_components as c using (component)
left join identity_origins as o using (component)
where a.is_new
union all
select
    'merge', one_id, retired_one_id, record_count,
    'evidence links the records of both ids'
from identity_retired
union all
select
    'reassign', a.one_id, o.one_id, o.record_count,
    'evidence links these records to another person'
from identity_overlaps as o
inner join identity_assignments as a using (component)
anti join identity_origins as g on o.component = g.component and o.one_id = g.one_id
anti join identity_retired as r on o.one_id = r.retired_one_id and a.one_id = r.one_id
where o.one_id <> a.one_id
union all
select 'erase', q.one_id, null, count(*), 'no record of this person is left'
from identity_previous as q
anti join identity_overlaps as o on q.one_id = o.one_id
group by q.one_id
""",
)

_REDIRECT = """
create or replace temp table identity_redirects as
with chained as (
    select p.retired_one_id, coalesce(r.one_id, p.one_id) as one_id, p.since
    from identity_previous_redirects as p
    left join identity_retired as r on p.one_id = r.retired_one_id
    union all
    select retired_one_id, one_id, $changed_at::timestamp
    from identity_retired
)
select * from chained as c
where
    c.one_id in (select one_id from identity_assignments)
    -- who is not looked at lives on
    or c.one_id not in (select one_id from identity_previous)
"""

# Every record with its person, who is known by the smallest key.
_SUM_MEMBERS = """
with keyed as (
    select component, identity_key(source, entity, record_key) as own from {relation}
),
members as (
    select md5_number(own || chr(30) || smallest) as digest
    from keyed
    inner join (select component, min(own) as smallest from keyed group by component)
        using (component)
)
select
    count(*),
    coalesce(bit_xor((digest & 18446744073709551615)::ubigint), 0),
    coalesce(bit_xor((digest >> 64)::ubigint), 0),
    coalesce(sum((digest & 18446744073709551615)::hugeint), 0),
from members
"""


def assign_ids(connection: "duckdb.DuckDBPyConnection", *, as_of: datetime) -> int:
    """Give every component of `identity_placed` an id; returns how many ids are new.

    Reads the temp tables identity_placed, identity_previous (source, entity, record_key,
    one_id, valid_from), identity_previous_redirects, identity_withdrawn (source, entity,
    record_key, one_id) and identity_used (one_id), and what
    `load_standing` compared. Writes
    identity_assignments (component, one_id, is_new), identity_changes and identity_redirects.
    `as_of` is the birth of new ids, aware or naive UTC. Raises ZhongtaiError where no unused id can
    be formed.
    """
    for statement in (_DEFINE_KEY, *_COMPARE_PREVIOUS):
        connection.execute(statement)
    find_restored(connection)
    for statement in _MATCH_PREVIOUS:
        connection.execute(statement)
    connection.execute(_TAKE_BACK_WITHDRAWN)
    new = _name_components(connection, birth_of(as_of))
    for statement in _LIST_CHANGES:
        connection.execute(statement)
    say_decided(connection)
    connection.execute(_REDIRECT, {"changed_at": naive_utc(as_of)})
    return new


def sum_members(connection: "duckdb.DuckDBPyConnection", relation: str) -> Sum:
    """What the records of `relation` (source, entity, record_key, component) give to the version.

    The relation holds whole components.
    """
    connection.execute(_DEFINE_KEY)
    row = connection.execute(_SUM_MEMBERS.format(relation=relation)).fetchone()
    return Sum(*(int(number) for number in row)) if row else Sum()


def partition_version(total: Sum) -> str:
    """The identity_version: equal exactly for equal partitions, whatever their ids or order."""
    text = f"{total.members}|{total.upper}|{total.lower}|{total.total}"
    return "i_" + hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:12]


def _name_components(connection: "duckdb.DuckDBPyConnection", born: str) -> int:
    """Form an id for each component without one; a used id is passed over for the next."""
    total = 0
    for generation in range(10_000):
        connection.execute(_FIND_UNNAMED)
        row = connection.execute("select count(*) from identity_unnamed").fetchone()
        if not row or not row[0]:
            return total
        total = total or int(row[0])
        connection.execute(_NAME, {"born": born, "generation": generation})
    raise ZhongtaiError(
        f"no unused one_id could be formed for {row[0] if row else 0} persons born at {born}",
        hint="runs with the same --as-of were published thousands of times: use a later --as-of",
    )


def birth_of(as_of: datetime) -> str:
    """The milliseconds since 1970 as 12 hex digits, as in a UUIDv7."""
    aware = as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)
    return f"{int(aware.timestamp() * 1000):012x}"


def naive_utc(as_of: datetime) -> datetime:
    """The instant as the working file keeps it."""
    return as_of.astimezone(UTC).replace(tzinfo=None) if as_of.tzinfo else as_of
