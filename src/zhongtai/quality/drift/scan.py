"""What the measures of identity are taken from: the candidate's map beside the published one.

Each step is one pass or one join by 64-bit hashes, so that it stays cheap for tens of millions of
records. Temp tables only, so a connection that may only read can make them.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Entities go by a hash until they are told: texts cost several times as much to join and to group.
_SCAN = (
    """
create or replace temp table drift_last_days as
select
    entity_hash,
    any_value(source) || '.' || any_value(entity) as entity,
    max(last_seen_at) - interval 1 day as since,
from (
    select hash(source, entity) as entity_hash, source, entity, last_seen_at
    from intermediate.int_identity_records
)
group by entity_hash
""",
    # a record counts as active when it was seen on the last day that its entity knows of
    """
create or replace temp table drift_records as
select
    m.record_hash,
    k.entity_hash,
    m.person,
    p.person as person_before,
    p.record_hash is null as is_new,
    coalesce(k.last_seen_at > d.since, false) as is_active,
    k.first_seen_at,
from (
    select hash(source, entity, record_key) as record_hash, hash(one_id) as person
    from identity.record_map
) as m
inner join (
    select
        hash(source, entity, record_key) as record_hash,
        hash(source, entity) as entity_hash,
        first_seen_at,
        last_seen_at,
    from intermediate.int_identity_records
) as k using (record_hash)
inner join drift_last_days as d using (entity_hash)
left join drift_before as p using (record_hash)
""",
    """
create or replace temp table drift_persons as
select
    person,
    count(*) as records,
    min(entity_hash) <> max(entity_hash) as is_linked,
    bool_and(is_new) as is_born,
from drift_records
group by person
""",
    # values that link nobody: hubs, and those that identify nobody
    """
create or replace temp table drift_shared as
select hash(identifier_type, identifier_scope, identifier_value) as value_hash, sharing
from identity.shared_values
where sharing in ('hub', 'blocked')
""",
    """
create or replace temp table drift_evidence as
select
    e.record_hash,
    e.value_hash,
    e.identifier_type,
    r.entity_hash,
    r.person,
    r.is_new,
    r.is_active,
    e.first_seen_at,
    e.last_seen_at,
    s.sharing is null as is_usable,
from (
    select
        hash(source, entity, record_key) as record_hash,
        hash(identifier_type, identifier_scope, identifier_value) as value_hash,
        identifier_type,
        first_seen_at,
        last_seen_at,
    from intermediate.int_identity_evidence
    where is_edge
) as e
inner join drift_records as r using (record_hash)
left join drift_shared as s using (value_hash)
where s.sharing is distinct from 'blocked'
""",
    # whether a value is usable is the same wherever it is named
    """
create or replace temp table drift_holdings as
select distinct value_hash, person, is_usable from drift_evidence
""",
    """
create or replace temp table drift_values as
select value_hash, count(*) as persons from drift_holdings group by value_hash
""",
    # records of one entity that name one value at one instant: one fact under several keys
    """
create or replace temp table drift_twins as
with told as (
    select record_hash, entity_hash, is_new, hash(entity_hash, value_hash, first_seen_at) as told
    from drift_evidence
    where
        first_seen_at is not null
        and hash(entity_hash, value_hash, first_seen_at) in (
            select hash(entity_hash, value_hash, first_seen_at) from drift_evidence where is_new
        )
)
select entity_hash, count(distinct record_hash) as records
from (
    select entity_hash, record_hash, is_new
    from told
    qualify count(*) over (partition by told) > 1
)
where is_new
group by entity_hash
""",
    # the value that most of what an entity brought names
    """
create or replace temp table drift_inflows as
select entity_hash, max(records) as records
from (
    select entity_hash, value_hash, count(*) as records
    from drift_evidence
    where is_new
    group by entity_hash, value_hash
)
group by entity_hash
""",
    """
create or replace temp table drift_entities as
with counted as (
    select
        r.entity_hash,
        count(*) as records,
        count(*) filter (where r.is_usable) as usable,
        count(*) filter (where p.is_linked) as linked,
        count(*) filter (where r.is_new) as new_records,
        count(*) filter (where r.is_new and r.is_usable) as new_usable,
        count(*) filter (where r.is_new and p.is_linked) as new_linked,
        count(*) filter (where r.is_new and p.is_born) as born,
        count(*) filter (where r.is_active) as active,
        count(*) filter (where r.is_active and not r.is_new) as returning_records,
        count(*) filter (where r.is_new and r.first_seen_at is not null) as new_timed,
        avg(case when r.is_new then cos(2 * pi() * (epoch(r.first_seen_at) % 86400) / 86400) end)
            as new_cosine,
        avg(case when r.is_new then sin(2 * pi() * (epoch(r.first_seen_at) % 86400) / 86400) end)
            as new_sine,
    from (
        select
            *,
            record_hash in (select record_hash from drift_evidence where is_usable) as is_usable,
        from drift_records
    ) as r
    inner join drift_persons as p using (person)
    group by r.entity_hash
)
select
    c.* exclude (entity_hash),
    d.entity,
    d.entity_hash,
    d.since,
    coalesce(t.records, 0) as twins,
    coalesce(i.records, 0) as inflow,
from counted as c
inner join drift_last_days as d using (entity_hash)
left join drift_twins as t using (entity_hash)
left join drift_inflows as i using (entity_hash)
""",
)

_BEFORE = (
    "create or replace temp table drift_before as"
    " select hash(source, entity, record_key) as record_hash, hash(one_id) as person"
    " from {previous}"
)
_NOTHING = (
    "(select '' as source, '' as entity, '' as record_key, '' as one_id where false) as nothing"
)
# which ids changed hands in this run, as the changes explain it
_EXPLAINED = """
create or replace temp table drift_changes as
select
    change,
    hash(previous_one_id) as person_before,
    hash(one_id) as person,
    one_id,
    previous_one_id,
    record_count,
from identity.changes
where run_id = $run_id
"""


def scan(connection: "DuckDBPyConnection", previous: Path | None, run_id: str) -> None:
    """Write the temp tables drift_* of the candidate that `run_id` resolved.

    `previous` is the record_map.parquet of the last published snapshot, None before the first.
    """
    if previous is None:
        connection.execute(_BEFORE.format(previous=_NOTHING))
    else:
        connection.execute(_BEFORE.format(previous="read_parquet(?)"), [str(previous)])
    connection.execute(_EXPLAINED, {"run_id": run_id})
    for statement in _SCAN:
        connection.execute(statement)
