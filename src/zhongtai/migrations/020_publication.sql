-- Publishing: the one pointer that every reader follows, and which table holds which snapshot.
create schema publication;
create schema metrics;
create schema profiles;
create schema metrics_data;
create schema profiles_data;
comment on schema metrics is 'Shared metrics of the current snapshot, without personal data';
comment on schema profiles is 'Persons, their records and tags in the current snapshot; restricted';
comment on schema metrics_data is 'Tables behind the views of schema metrics, partitioned by snapshot';
comment on schema profiles_data is 'Tables behind the views of schema profiles, partitioned by snapshot';

create table publication.pointer (
    is_only_row boolean primary key default true check (is_only_row),
    snapshot_id text
);
insert into publication.pointer default values;
comment on table publication.pointer is 'One row: the snapshot that every view of metrics and profiles shows.';

create table publication.flips (
    sequence bigint generated always as identity primary key,
    snapshot_id text not null,
    previous_snapshot_id text,
    because text not null,
    flipped_at timestamptz not null default clock_timestamp()
);
comment on table publication.flips is 'Every move of the pointer: publishes and rollbacks.';

create table publication.parts (
    snapshot_id text not null,
    store text not null check (store in ('metrics', 'profiles')),
    table_name text not null,
    part_name text not null,
    rows bigint not null check (rows >= 0),
    content_hash text not null,
    primary key (snapshot_id, store, table_name),
    unique (store, part_name)
);
comment on table publication.parts is 'Partitions that exist, by snapshot; written in the transaction that attaches them.';

-- A candidate is what one build made; the gate's verdict belongs to exactly this content.
create table publication.candidates (
    snapshot_id text primary key,
    run_id text not null references ledger.runs,
    as_of timestamptz not null,
    input_fingerprint text not null,
    identity_version text not null,
    inputs_at timestamptz not null,
    content_hash text,
    table_hashes jsonb,
    verdict text check (verdict in ('passed', 'held', 'released')),
    because text,
    sealed_at timestamptz not null default clock_timestamp(),
    decided_at timestamptz
);
create index candidates_run on publication.candidates (run_id);
