-- The ledger: what arrived, what became of every row, what was built, checked and published.
create schema ledger;

create table ledger.runs (
    run_id text primary key,
    command text not null,
    as_of timestamptz not null,
    started_at timestamptz not null default now(),
    ended_at timestamptz,
    status text not null default 'running'
        check (status in ('running', 'published', 'nothing_new', 'held', 'failed', 'done')),
    detail text
);

create table ledger.deliveries (
    delivery_id text primary key,
    sequence bigint generated always as identity,
    source text not null,
    entity text not null,
    file text not null,
    sha256 text not null,
    bytes bigint not null,
    modified_at timestamptz not null,
    exported_at timestamptz,
    status text not null check (status in ('loaded', 'duplicate', 'quarantined')),
    rule text,
    reason text,
    rows_in bigint not null check (rows_in >= 0),
    rows_loaded bigint not null check (rows_loaded >= 0),
    rows_quarantined bigint not null check (rows_quarantined >= 0),
    rows_duplicate bigint not null check (rows_duplicate >= 0),
    rows_suppressed bigint not null default 0 check (rows_suppressed >= 0),
    part text,
    contract_hash text not null,
    min_event_at timestamptz,
    max_event_at timestamptz,
    as_of timestamptz not null,
    discovered_at timestamptz not null,
    loaded_at timestamptz not null default clock_timestamp(),
    run_id text not null references ledger.runs,
    constraint balance check (
        rows_in = rows_loaded + rows_quarantined + rows_duplicate + rows_suppressed
    )
);
create unique index deliveries_observed on ledger.deliveries (source, entity, file, sha256, modified_at);
create unique index deliveries_loaded_once on ledger.deliveries (source, entity, sha256) where status = 'loaded';
comment on table ledger.deliveries is 'One row per complete file; rows_in is counted apart from the loader.';

-- Counts only: the rows themselves, which hold personal data, stay in files under <home>/quarantine.
create table ledger.quarantine (
    delivery_id text not null references ledger.deliveries on delete cascade,
    level text not null check (level in ('file', 'row', 'value')),
    rule text not null,
    column_name text not null default '',
    reason text not null,
    severity text not null default 'critical',
    rows bigint not null check (rows >= 0),
    replayed_rows bigint not null default 0,
    primary key (delivery_id, level, rule, column_name)
);

create table ledger.node_results (
    run_id text not null references ledger.runs,
    node text not null,
    resource_type text not null,
    status text not null,
    seconds double precision not null,
    rows_affected bigint,
    message text,
    finished_at timestamptz not null default clock_timestamp(),
    primary key (run_id, node)
);

create table ledger.gate_results (
    run_id text not null references ledger.runs,
    suite text not null,
    expectation text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    outcome text not null check (outcome in ('passed', 'failed', 'raised', 'missing')),
    observed text,
    because text not null,
    checked_at timestamptz not null default clock_timestamp(),
    primary key (run_id, suite, expectation)
);

create table ledger.snapshots (
    snapshot_id text primary key,
    run_id text not null references ledger.runs,
    state text not null check (state in
        ('held', 'staging', 'staged', 'flipped_postgres', 'published', 'released', 'superseded', 'abandoned')),
    as_of timestamptz not null,
    input_fingerprint text not null,
    content_hash text,
    identity_version text,
    because text,
    created_at timestamptz not null default clock_timestamp(),
    published_at timestamptz
);
