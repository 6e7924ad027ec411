-- When a file was delivered: when its source says that it exported it, else when the file was written.
-- A clock that is ahead makes nothing fresh: the one counts up to the as-of of the run that took the
-- file in, the other up to the moment it did.
alter table ledger.deliveries add column delivered_at timestamptz not null generated always as (
    case
        when exported_at is not null then least(exported_at, as_of)
        else least(modified_at, loaded_at)
    end
) stored;
