-- What each role may do. Executed by every upgrade after its migrations, as often as need be: what
-- is not granted here is taken back. Nobody but the owner of the database deletes from the ledger,
-- writes decisions or reads who was erased.
revoke all on all tables in schema ledger, publication, identity, tags, erasure
from loader, publisher, ops, bi_reader, profile_reader;
revoke all on schema ledger, publication, identity, tags, erasure, metrics_data, profiles_data
from loader, publisher, ops, bi_reader, profile_reader;
grant select on public.zhongtai_migrations to loader, publisher, ops;
revoke all on function ledger.sessions() from public;
grant execute on function ledger.sessions() to loader, publisher, ops;

-- loader: takes files in, replays the quarantine, sorts out what is past its retention
grant usage on schema ledger, erasure to loader;
grant select on all tables in schema ledger to loader;
grant insert, update on
ledger.runs, ledger.deliveries, ledger.parts, ledger.quarantine, ledger.observations,
ledger.announcements, ledger.expirations, ledger.expiry_checks to loader;
grant delete on ledger.announcements to loader;
grant select, insert on erasure.erasures, erasure.tombstones, erasure.named_files to loader;
grant update on erasure.tombstones, erasure.named_files to loader;
grant insert on erasure.handovers to loader;
grant select, insert, delete on erasure.staged_files to loader;

-- publisher: builds, checks, publishes; owns what it publishes
grant usage on schema ledger, publication, identity, tags, erasure to publisher;
grant usage, create on schema metrics, profiles, metrics_data, profiles_data to publisher;
grant select on all tables in schema ledger, publication to publisher;
grant select on
identity.decisions, tags.statements, erasure.erasures, erasure.named_files, erasure.handovers
to publisher;
grant insert, update on
ledger.runs, ledger.node_results, ledger.gate_results, ledger.gate_verdicts, ledger.gate_measures,
ledger.snapshots to publisher;
-- runs that nothing refers to go after some time
grant delete on
ledger.runs, ledger.node_results, ledger.gate_results, ledger.gate_measures to publisher;
grant insert, update on all tables in schema publication to publisher;
grant delete on publication.parts to publisher;
grant select, insert, delete on erasure.open_requests to publisher;

-- ops: watches, without a person's data
grant usage on schema ledger, publication, erasure to ops;
grant select on all tables in schema ledger, publication to ops;
grant select on erasure.erasures, erasure.open_requests to ops;
grant update (status, ended_at, detail) on ledger.runs to ops;
grant bi_reader to ops;

-- readers: the views, which the publisher makes and grants one by one
grant usage on schema metrics to bi_reader, profile_reader;
grant usage on schema profiles to profile_reader;

do $$
declare
    stored record;
begin
    for stored in
        select c.oid::regclass as name, case c.relkind when 'v' then 'view' else 'table' end as kind
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('metrics', 'profiles', 'metrics_data', 'profiles_data')
            and c.relkind in ('r', 'p', 'v')
            and c.relowner <> 'publisher'::regrole
    loop
        execute format('alter %s %s owner to publisher', stored.kind, stored.name);
    end loop;
end
$$;
