-- Who is at work, for whoever has to wait: the server tells of sessions of other users to
-- administrators only. No query is shown, for it may name persons.
create function ledger.sessions() returns table (
    pid integer, name text, began_at timestamptz, queried_at timestamptz, snapshot_age integer
) language sql stable security definer set search_path = pg_catalog as $$
    select pid, application_name, backend_start, query_start, age(backend_xmin)
    from pg_stat_activity
    where datname = current_database()
$$;
comment on function ledger.sessions is 'Sessions of this database; snapshot_age counts transactions since what a session still sees.';
