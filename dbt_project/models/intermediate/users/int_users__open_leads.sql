-- Grain: one row per person whose latest lead is open and neither ordered nor
-- delivered.
-- When somebody last did something about it, and until when the rating leaves time.
with
    touches as (
        select lead_id, max(followed_up_at) as touched_at
        from {{ ref("stg_crm__follow_ups") }}
        where followed_up_at < {{ as_of() }}
        group by lead_id
    ),

    open_leads as (
        select
            leads.lead_id,
            leads.one_id,
            all_leads.staff_id,
            pools.nurture_pool,
            pools.lead_tier as tier,
            pools.region,
            greatest(
                leads.created_at,
                coalesce(
                    case when leads.called_at < {{ as_of() }} then leads.called_at end,
                    leads.created_at
                ),
                coalesce(touches.touched_at, leads.created_at)
            ) as touched_at
        from {{ ref("int_users__leads") }} as leads
        inner join
            {{ ref("int_leads") }} as all_leads on all_leads.lead_id = leads.lead_id
        inner join
            {{ ref("int_users__pool_history") }} as pools
            on pools.one_id = leads.one_id
            and pools.valid_to is null
        left join touches on touches.lead_id = leads.lead_id
        where
            leads.succeeded_at is null
            and (leads.lost_at is null or leads.lost_at >= {{ as_of() }})
            and coalesce(pools.lead_tier, '') not in ('O', 'D')
    )

select
    open_leads.lead_id,
    open_leads.one_id,
    open_leads.staff_id,
    open_leads.nurture_pool,
    open_leads.tier,
    open_leads.region,
    open_leads.touched_at,
    open_leads.touched_at
    + interval '1' day * intervals.follow_up_days as follow_up_due_at
from open_leads
left join
    {{ ref("tier_follow_ups") }} as intervals
    on intervals.tier = open_leads.tier
    and intervals.valid_from <= {{ local_date(as_of()) }}
    and (intervals.valid_to is null or {{ local_date(as_of()) }} < intervals.valid_to)
