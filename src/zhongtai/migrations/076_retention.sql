-- Rows that left because their time was over: counted as suppressed in the ledger, and here by when.
create table ledger.expirations (
    sequence bigint generated always as identity primary key,
    delivery_id text not null references ledger.deliveries on delete cascade,
    layer text not null check (layer in ('raw', 'quarantine', 'quarantined file')),
    rows bigint not null check (rows >= 0),
    expired_before timestamptz not null,
    run_id text not null references ledger.runs,
    expired_at timestamptz not null default clock_timestamp()
);
create index expirations_of_delivery on ledger.expirations (delivery_id);
comment on table ledger.expirations is 'Rows that left because the retention period of their entity was over, by delivery.';
comment on column ledger.expirations.expired_before is 'Rows of before this instant left';

create table ledger.expiry_checks (
    delivery_id text primary key references ledger.deliveries on delete cascade,
    expired_before timestamptz not null,
    parts bigint not null
);
comment on table ledger.expiry_checks is 'Deliveries without a row of before this instant, by how many parts they had then.';
