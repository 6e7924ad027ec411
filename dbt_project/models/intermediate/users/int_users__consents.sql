-- Grain: one row per person who ever said yes or no to marketing.
-- The last word counts, and of two words at one moment the no. A closed account takes
-- back its yes.
with
    words as (
        select {{ collect("mobile") }} as _placeholder_mobiles
        from {{ ref("placeholder_mobiles") }}
    ),

    contacts as (
        select
            m.one_id,
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
            identifier_type,
            identifier_value,
            {{ tidy_text("identifier_value") }} as tidy_value,
            requested_at
        from {{ ref("stg_crm__erasure_requests") }}
    ),

    requests as (
        select
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
        select i.one_id, false as is_yes, r.requested_at as said_at
        from requests as r
        inner join
            {{ ref("bridge_user_identifiers") }} as i
            on r.identifier_type = i.identifier_type
            and r.identifier_value = i.identifier_value
        where not i.is_shared
        union all
        select o.one_id, false, r.requested_at
        from requests as r
        inner join
            {{ ref("int_users__ownerships") }} as o
            on r.identifier_type = 'vin_owner'
            and r.identifier_value = o.vin
            and r.requested_at >= o.valid_from
            and (o.valid_to is null or r.requested_at < o.valid_to)
    ),

    statements as (
        select *
        from contacts
        union all
        select *
        from withdrawals
    ),

    latest as (
        select
            one_id,
            max(case when is_yes then said_at end) as agreed_at,
            max(case when not is_yes then said_at end) as refused_at
        from statements
        group by one_id
    )

select
    one_id,
    agreed_at is not null
    and (refused_at is null or agreed_at > refused_at) as allows_marketing,
    agreed_at,
    refused_at
from latest
