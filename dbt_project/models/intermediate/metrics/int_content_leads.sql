-- Grain: one row per valid lead whose person had touched content in the 30 days before.
select leads.lead_id, leads.one_id, {{ local_month("leads.created_at") }} as month
from {{ ref("int_leads") }} as leads
where
    leads.is_valid
    and exists (
        select 1
        from {{ ref("int_content_touches") }} as touches
        where
            touches.one_id = leads.one_id
            and touches.occurred_at <= leads.created_at
            and touches.occurred_at >= leads.created_at - interval '30' day
    )
