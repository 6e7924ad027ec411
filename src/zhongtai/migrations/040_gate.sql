-- What the gate said about each candidate, and the numbers that later gates learn from.
create table ledger.gate_verdicts (
    sequence bigint generated always as identity primary key,
    snapshot_id text not null,
    run_id text not null references ledger.runs,
    verdict text not null check (verdict in ('passed', 'held', 'released')),
    blocking text[] not null default '{}',
    can_be_released boolean not null,
    because text not null,
    decided_at timestamptz not null default clock_timestamp()
);
create index gate_verdicts_snapshot on ledger.gate_verdicts (snapshot_id);
comment on table ledger.gate_verdicts is 'Every decision about a candidate, by the gate or by a person; the last one holds.';

create table ledger.gate_measures (
    run_id text not null references ledger.runs,
    measure text not null,
    value double precision not null,
    primary key (run_id, measure)
);
comment on table ledger.gate_measures is 'Measures of each candidate; those that were published are the history that bands are learned from.';
