"""What the measures of identity are taken from: the candidate's map beside the published one.

Each step is one pass or one join by 64-bit hashes, so that it stays cheap for tens of millions of
records. Temp tables only, so a connection that may only read can make them.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# A record counts as active when it was seen on the last day that its entity knows of.
_SCAN = (
    """
create or replace temp table drift_records as
with known as (
    select
        hash(source, entity, record_key) as record_hash,
        source,
        entity,
        first_seen_at,
        last_seen_at,
        last_seen_at > max(last_seen_at) over (partition by source, entity) - interval 1 day
            as is_active,
    from intermediate.int_identity_records
)
select
    m.record_hash,
    k.source,
    k.source || '.' || k.entity as entity,
    m.person,
    p.person as person_before,
    p.record_hash is null as is_new,
    coalesce(k.is_active, false) as is_active,
    k.first_seen_at,
from (
    select hash(source, entity, record_key) as record_hash, hash(one_id) as person
    from identity.record_map
) as m
inner join known as k using (record_hash)
left join drift_before as p using (record_hash)
""",
    """
create or replace temp table drift_persons as
select
    person,
    count(*) as records,
    min(entity) <> max(entity) as is_linked,
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
    r.entity,
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
    """
create or replace temp table drift_holdings as
select
    value_hash,
    person,
    any_value(identifier_type) as identifier_type,
    any_value(is_usable) as is_usable,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at,
from drift_evidence
group by value_hash, person
""",
    """
create or replace temp table drift_values as
select
    value_hash,
    any_value(identifier_type) as identifier_type,
    count(*) as persons,
    min(first_seen_at) as first_seen_at,
    max(last_seen_at) as last_seen_at,
from drift_holdings
group by value_hash
""",
    # records of one entity that name one value at one instant: one fact under several keys
    """
create or replace temp table drift_twins as
with told as (
    select record_hash, entity, is_new, hash(entity, value_hash, first_seen_at) as told
    from drift_evidence
    where
        first_seen_at is not null
        and hash(entity, value_hash, first_seen_at) in (
            select hash(entity, value_hash, first_seen_at) from drift_evidence where is_new
        )
)
select entity, count(distinct record_hash) as records
from (
    select entity, record_hash, is_new
    from told
    qualify count(*) over (partition by told) > 1
)
where is_new
group by entity
""",
    # of those that brought something: what brought nothing has its last day judged already
    """
create or replace temp table drift_last_days as
select source || '.' || entity as entity, max(last_seen_at) - interval 1 day as since
from intermediate.int_identity_records
where source || '.' || entity in (select entity from drift_records where is_new)
group by all
""",
    # the value that most of what an entity brought names
    """
create or replace temp table drift_inflows as
select entity, max(records) as records
from (
    select entity, value_hash, count(*) as records
    from drift_evidence
    where is_new
    group by entity, value_hash
)
group by entity
""",
    """
create or replace temp table drift_entities as
select
    r.entity,
    count(*) as records,
    count(*) filter (where u.record_hash is not null) as usable,
    count(*) filter (where p.is_linked) as linked,
    count(*) filter (where r.is_new) as new_records,
    count(*) filter (where r.is_new and u.record_hash is not null) as new_usable,
    count(*) filter (where r.is_new and p.is_linked) as new_linked,
    count(*) filter (where r.is_new and p.is_born) as born,
    count(*) filter (where r.is_active) as active,
    count(*) filter (where r.is_active and not r.is_new) as returning_records,
    count(*) filter (where r.is_new and r.first_seen_at is not null) as new_timed,
    avg(cos(2 * pi() * (epoch(r.first_seen_at) % 86400) / 86400)) filter (where r.is_new)
        as new_cosine,
    avg(sin(2 * pi() * (epoch(r.first_seen_at) % 86400) / 86400)) filter (where r.is_new)
        as new_sine,
from drift_records as r
inner join drift_persons as p using (person)
left join (select distinct record_hash from drift_evidence where is_usable) as u using (record_hash)
group by r.entity
""",
)

_BEFORE = (
    "create or replace temp table drift_before as"
    " select hash(source, entity, record_key) as record_hash, source || '.' || entity as entity,"
    " hash(one_id) as person from {previous}"
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
