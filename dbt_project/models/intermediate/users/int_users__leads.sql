-- Grain: one row per valid lead of a known person, in the order in which they came.
-- A person's lead is the latest one; of two at one moment the one with the larger
-- number.
select
    leads.lead_id,
    leads.one_id,
    leads.entity,
    leads.dealer_code,
    leads.region,
    leads.tier,
    leads.created_at,
    leads.updated_at,
    leads.delivered_at,
    leads.is_order_cancelled,
    least(leads.small_ordered_at, leads.large_ordered_at) as ordered_at,
    case
        when leads.first_contacted_at is not null
        then greatest(leads.first_contacted_at, leads.created_at)
    end as called_at,
    case
        when leads.status in ('战败', '失效')
        then
            greatest(
                coalesce(leads.lost_at, leads.updated_at, leads.created_at),
                leads.created_at
            )
    end as lost_at,
    lead(leads.created_at) over (
        partition by leads.one_id order by leads.created_at, leads.lead_id
    ) as succeeded_at
from {{ ref("int_leads") }} as leads
where leads.one_id is not null and leads.is_valid and leads.created_at < {{ as_of() }}
