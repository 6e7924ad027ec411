-- By what definition a run computed each metrics table: so that a number that changed with it is
-- not laid on the data.
create table publication.definitions (
    run_id text not null references ledger.runs,
    table_name text not null,
    definition text not null,
    primary key (run_id, table_name)
);
comment on table publication.definitions is 'Hash of all models, macros and seeds behind each metrics table, by the run that built it.';
