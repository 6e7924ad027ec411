-- What people decided about who is who. Rows are added; one may be taken back, once, and stays.
-- No role of readers gets anything here: the references of records are personal data.
create schema identity;
comment on schema identity is 'Recorded decisions about who is who';

create table identity.decisions (
    decision_id bigint generated always as identity primary key,
    kind text not null check (kind in ('merge', 'split')),
    source text not null check (source <> ''),
    entity text not null check (entity <> ''),
    record_key text not null check (record_key <> ''),
    other_source text not null check (other_source <> ''),
    other_entity text not null check (other_entity <> ''),
    other_record_key text not null check (other_record_key <> ''),
    author text not null check (author <> ''),
    reason text not null check (reason <> ''),
    decided_at timestamptz not null default clock_timestamp(),
    undone_at timestamptz,
    undone_by text check (undone_by <> ''),
    undone_because text check (undone_because <> ''),
    -- a pair is written in one way, so that decisions about it find each other
    constraint smaller_record_first check (
        (source collate "C", entity collate "C", record_key collate "C")
        < (other_source collate "C", other_entity collate "C", other_record_key collate "C")
    ),
    constraint undone_in_full check (num_nulls(undone_at, undone_by, undone_because) in (0, 3))
);
comment on table identity.decisions is 'Merges and splits decided by people; of those about one pair that were not undone the last one holds.';
comment on column identity.decisions.decision_id is 'Number of the decision, in the order of decisions';
comment on column identity.decisions.kind is 'merge: both records are one person; split: they are two';
comment on column identity.decisions.author is 'Who decided';
comment on column identity.decisions.reason is 'Why, in the words of the author';
comment on column identity.decisions.undone_at is 'When it was taken back; null while it stands';

create function identity.keep_decisions() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and old.undone_at is null and new.undone_at is not null
        and to_jsonb(old) - array['undone_at', 'undone_by', 'undone_because']
            = to_jsonb(new) - array['undone_at', 'undone_by', 'undone_because'] then
        return new;
    end if;
    raise exception 'decisions are kept: add another one, or undo one once';
end
$$;
create trigger keep_rows before update or delete on identity.decisions
    for each row execute function identity.keep_decisions();
create trigger keep_table before truncate on identity.decisions
    for each statement execute function identity.keep_decisions();
