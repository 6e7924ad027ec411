-- Grain: one row per lead that somebody tried to reach.
with
    follow_ups as (
        select
            leads.lead_id,
            count(*) as follow_up_count,
            bool_or(follow_ups.is_connected) as is_connected,
            max(follow_ups.call_seconds) as call_seconds,
            -- work before the dispatch is no response of the dealer
            min(follow_ups.followed_up_at) filter (
                where
                    follow_ups.followed_up_at
                    >= coalesce(leads.dispatched_at, leads.created_at)
            ) as first_followed_up_at
        from {{ ref("int_leads__delivered") }} as leads
        inner join
            {{ ref("stg_crm__follow_ups") }} as follow_ups
            on follow_ups.lead_id = leads.lead_id
        where leads.entity = 'leads'
        group by leads.lead_id
    )

select
    leads.lead_id,
    least(
        leads.first_contacted_at, follow_ups.first_followed_up_at
    ) as first_contacted_at,
    coalesce(leads.is_connected, follow_ups.is_connected, false) as is_connected,
    coalesce(leads.call_seconds, follow_ups.call_seconds) as call_seconds,
    greatest(
        coalesce(follow_ups.follow_up_count, 0),
        case when leads.first_contacted_at is null then 0 else 1 end
    ) as contact_count
from {{ ref("int_leads__delivered") }} as leads
left join follow_ups on follow_ups.lead_id = leads.lead_id
where leads.first_contacted_at is not null or follow_ups.lead_id is not null
