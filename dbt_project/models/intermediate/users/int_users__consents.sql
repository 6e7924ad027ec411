-- Grain: one row per person and record that says yes or no to marketing.
-- A closed account takes back its yes; who asks to be forgotten says no. Agreeing to a
-- WeChat contact, or ending one, says nothing about marketing.
with
    words as (
        select {{ collect("mobile") }} as _placeholder_mobiles
        from {{ ref("placeholder_mobiles") }}
    ),

    contacts as (
        select
            m.one_id,
            'crm' as source,
            'contacts' as entity,
            c.record_key,
            c.allows_marketing and not coalesce(c.is_closed, false) as is_yes,
            case
                when c.allows_marketing and not coalesce(c.is_closed, false)
                then coalesce(c.consented_at, c.created_at, c.updated_at)
                else c.updated_at
            end as said_at
        from {{ ref("stg_crm__contacts") }} as c
        inner join
            {{ ref("bridge_user_records") }} as m
            on m.source = 'crm'
            and m.entity = 'contacts'
            and m.record_key = c.record_key
        where c.allows_marketing is not null or c.is_closed
    ),

    tidied as (
        select
            record_key,
            identifier_type,
            identifier_value,
            {{ tidy_text("identifier_value") }} as tidy_value,
            requested_at
        from {{ ref("stg_crm__erasure_requests") }}
    ),

    requests as (
        select
            record_key,
            identifier_type,
            case
                when identifier_type = 'mobile'
                then {{ clean_mobile("tidy_value") }}
                when identifier_type = 'vin_owner'
                then {{ clean_vin("tidy_value") }}
                else identifier_value
            end as identifier_value,
            requested_at
        from tidied
        cross join words
    ),

    withdrawals as (
        select i.one_id, r.record_key, r.requested_at
        from requests as r
        inner join
            {{ ref("bridge_user_identifiers") }} as i
            on r.identifier_type = i.identifier_type
            and r.identifier_value = i.identifier_value
        where not i.is_shared
        union
        select o.one_id, r.record_key, r.requested_at
        from requests as r
        inner join
            {{ ref("int_users__ownerships") }} as o
            on r.identifier_type = 'vin_owner'
            and r.identifier_value = o.vin
            and r.requested_at >= o.valid_from
            and (o.valid_to is null or r.requested_at < o.valid_to)
    )

select one_id, source, entity, record_key, coalesce(is_yes, false) as is_yes, said_at
from contacts
union all
select one_id, 'crm', 'erasure_requests', record_key, false, requested_at
from withdrawals
