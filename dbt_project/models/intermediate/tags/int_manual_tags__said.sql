-- Grain: one row per statement about a tag that was made at the command line and whose
-- subject is a person now. An identifier that several persons share names nobody.
with
    statements as (select * from {{ source("tags", "statements") }}),

    shared as (
        select distinct identifier_type, identifier_value
        from {{ source("identity", "shared_values") }}
        where sharing <> 'blocked'
    ),

    named as (
        select s.statement_id, r.one_id
        from statements as s
        inner join
            {{ ref("bridge_user_records") }} as r
            on r.source = s.source
            and r.entity = s.entity
            and r.record_key = s.record_key
        where s.subject = 'record'
        union all
        select s.statement_id, min(i.one_id) as one_id
        from statements as s
        inner join
            {{ ref("bridge_user_identifiers") }} as i
            on i.identifier_type = s.identifier_type
            and i.identifier_value = s.identifier_value
        left join
            shared
            on shared.identifier_type = s.identifier_type
            and shared.identifier_value = s.identifier_value
        where
            s.subject = 'identifier'
            and not i.is_shared
            and shared.identifier_value is null
        group by s.statement_id
        having count(distinct i.one_id) = 1
        union all
        select s.statement_id, coalesce(r.one_id, s.one_id) as one_id
        from statements as s
        left join
            {{ source("identity", "redirects") }} as r on r.retired_one_id = s.one_id
        where s.subject = 'person'
    )

select
    statements.statement_id,
    named.one_id,
    statements.tag_id,
    statements.value,
    statements.said_at,
    statements.expires_at
from statements
inner join named on named.statement_id = statements.statement_id
