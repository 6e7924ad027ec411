-- What people say of tags at the command line. Rows are added and stay: they are the audit.
-- No role of readers gets anything here: records and identifiers are personal data.
create schema tags;
comment on schema tags is 'Tags that people set by hand, and what was exported of them';

create table tags.statements (
    statement_id bigint generated always as identity primary key,
    tag_id text not null check (tag_id <> ''),
    value text check (value <> ''),
    subject text not null check (subject in ('record', 'identifier', 'person')),
    source text,
    entity text,
    record_key text,
    identifier_type text,
    identifier_value text,
    one_id text,
    author text not null check (author <> ''),
    reason text not null check (reason <> ''),
    said_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz,
    constraint one_subject_in_full check (
        case subject
            when 'record' then
                num_nulls(source, entity, record_key) = 0
                and num_nonnulls(identifier_type, identifier_value, one_id) = 0
            when 'identifier' then
                num_nulls(identifier_type, identifier_value) = 0
                and num_nonnulls(source, entity, record_key, one_id) = 0
            else
                one_id is not null and num_nonnulls(
                    source, entity, record_key, identifier_type, identifier_value
                ) = 0
        end
    ),
    constraint a_value_expires check (value is not null or expires_at is null)
);
comment on table tags.statements is 'Tags set and taken back at the command line; of those about one person and tag the last one holds.';
comment on column tags.statements.statement_id is 'Number of the statement, in the order of saying';
comment on column tags.statements.value is 'Value of the tag; null takes the tag back';
comment on column tags.statements.subject is 'What names the person: a source record, an identifier, or the one_id itself';
comment on column tags.statements.author is 'Who said it';
comment on column tags.statements.reason is 'Why, in the words of the author';
comment on column tags.statements.expires_at is 'When the value ends by itself; null where only the tag or a later statement ends it';

create function tags.keep_rows() returns trigger language plpgsql as $$
begin
    raise exception 'rows of %.% are kept: add another one', tg_table_schema, tg_table_name;
end
$$;
create trigger keep_rows before update or delete on tags.statements
    for each row execute function tags.keep_rows();
create trigger keep_table before truncate on tags.statements
    for each statement execute function tags.keep_rows();
