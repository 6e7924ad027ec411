-- What one complete file was judged by: the manifest's entry, the done marker's time, or nothing.
-- Bytes that were quarantined whole are judged anew once this changes.
alter table ledger.deliveries add column marker text not null default '';
drop index ledger.deliveries_observed;
create unique index deliveries_observed
    on ledger.deliveries (source, entity, file, sha256, modified_at, marker);

-- The Parquet files that count. A delivery has one; a replay of its quarantined rows adds another.
-- deliveries.part is the first of them; paths are relative to the lake.
create table ledger.parts (
    part text primary key,
    sequence bigint generated always as identity unique,
    delivery_id text not null references ledger.deliveries on delete cascade,
    kind text not null check (kind in ('delivery', 'replay')),
    rows bigint not null check (rows >= 0),
    min_event_at timestamptz,
    max_event_at timestamptz,
    loaded_at timestamptz not null default clock_timestamp(),
    run_id text not null references ledger.runs
);
create index parts_of_delivery on ledger.parts (delivery_id);

-- When a file of a 'stable' entity was first seen with this size and time.
create table ledger.observations (
    source text not null,
    entity text not null,
    file text not null,
    bytes bigint not null,
    modified_at timestamptz not null,
    first_seen_at timestamptz not null default clock_timestamp(),
    primary key (source, entity, file)
);
