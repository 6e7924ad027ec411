-- What was exported of persons, to whom and why. Rows are added and stay; no personal data.
create table tags.exports (
    export_id bigint generated always as identity primary key,
    audience text not null check (audience <> ''),
    audience_version text not null check (audience_version <> ''),
    snapshot_id text not null,
    purpose text not null,
    destination text not null check (destination <> ''),
    identifier text not null,
    form text not null check (form in ('clear', 'hashed')),
    author text not null check (author <> ''),
    reason text not null check (reason <> ''),
    exported_at timestamptz not null default clock_timestamp(),
    file text not null,
    sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes bigint not null check (size_bytes >= 0),
    selected bigint not null check (selected >= 0),
    exported bigint not null check (exported >= 0),
    suppressed jsonb not null,
    constraint everybody_is_accounted_for check (exported <= selected)
);
create index exports_audience on tags.exports (audience, export_id);
comment on table tags.exports is 'Ledger of exported audiences: to whom, by whom, why, how many, and the hash of the file';
comment on column tags.exports.audience_version is 'Hash of the declaration and of the versions of its tags';
comment on column tags.exports.destination is 'Who got it, as the audience declares';
comment on column tags.exports.identifier is 'Type of the identifier in the file';
comment on column tags.exports.form is 'clear, or hashed (SHA-256)';
comment on column tags.exports.file is 'Name of the file without its folder';
comment on column tags.exports.selected is 'Persons for whom the condition held';
comment on column tags.exports.exported is 'Persons in the file';
comment on column tags.exports.suppressed is 'Persons left out, counted once each by the first reason that applied';

create trigger keep_rows before update or delete on tags.exports
    for each row execute function tags.keep_rows();
create trigger keep_table before truncate on tags.exports
    for each statement execute function tags.keep_rows();
