-- Grain: one row per person and campaign that the person joined, the first time.
with
    firsts as (
        select campaign_code, one_id, min(occurred_at) as joined_at
        from {{ ref("int_events") }}
        where
            event = 'join_activity'
            and campaign_code is not null
            and one_id is not null
            and occurred_at is not null
        group by campaign_code, one_id
    ),

    leads as (
        select one_id, created_at
        from {{ ref("int_leads") }}
        where is_valid and one_id is not null
    )

select
    firsts.campaign_code,
    firsts.one_id,
    firsts.joined_at,
    min(leads.created_at) as next_lead_at
from firsts
left join leads on leads.one_id = firsts.one_id and leads.created_at >= firsts.joined_at
group by firsts.campaign_code, firsts.one_id, firsts.joined_at
