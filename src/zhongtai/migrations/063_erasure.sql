-- Who was erased, without saying who: keyed tombstones, and what was done for each erasure.
-- No role of readers gets anything here.
create schema erasure;
comment on schema erasure is 'Erased persons as keyed tombstones, and the state of each erasure';

create table erasure.erasures (
    number bigint generated always as identity primary key,
    erasure_id text not null unique check (erasure_id <> ''),
    asked_by text not null check (asked_by in ('command', 'request')),
    author text not null check (author <> ''),
    reason text not null check (reason <> ''),
    erased_until timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    run_id text
);
comment on table erasure.erasures is 'One row per erased person; without finished_at the next run completes it.';
comment on column erasure.erasures.erased_until is 'What happened up to then stays out; what a number does later may be somebody else''s';

create table erasure.tombstones (
    mac text primary key check (mac ~ '^[0-9a-f]{64}$'),
    erasure_id text not null,
    erased_until timestamptz not null
);
comment on table erasure.tombstones is 'HMAC-SHA256, by the key in <home>/erasure, of what sources called erased persons.';

-- Files of the quarantine whose counts in the ledger are already those of the file staged beside
-- them; it takes their place at the next look.
create table erasure.staged_files (
    path text primary key
);

create table erasure.named_files (
    delivery_id text primary key references ledger.deliveries on delete cascade,
    is_dropped boolean not null default false
);
comment on table erasure.named_files is 'Deliveries whose file, as it was delivered, names somebody who was erased.';
comment on column erasure.named_files.is_dropped is 'Quarantined whole and not kept: all its rows count as suppressed';

create table erasure.open_requests (
    request_id text primary key,
    identifier_type text not null,
    reason text not null,
    requested_at timestamptz not null
);
comment on table erasure.open_requests is 'Requests of the last build that erased nobody, and why: a value shared by several persons needs a decision.';

-- What people decided is kept, but of persons who were erased.
create or replace function identity.keep_decisions() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('zhongtai.erasing', true) = 'on' then
        return old;
    end if;
    if tg_op = 'UPDATE' and old.undone_at is null and new.undone_at is not null
        and to_jsonb(old) - array['undone_at', 'undone_by', 'undone_because']
            = to_jsonb(new) - array['undone_at', 'undone_by', 'undone_because'] then
        return new;
    end if;
    raise exception 'decisions are kept: add another one, or undo one once';
end
$$;
create or replace function tags.keep_rows() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and tg_table_name = 'statements'
        and current_setting('zhongtai.erasing', true) = 'on' then
        return old;
    end if;
    raise exception 'rows of %.% are kept: add another one', tg_table_schema, tg_table_name;
end
$$;
