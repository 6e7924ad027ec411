-- Grain: one row per person with a valid lead: the latest one.
with
    ranked as (
        select
            *,
            row_number() over (
                partition by one_id order by created_at desc nulls last, lead_id desc
            ) as place
        from {{ ref("int_leads") }}
        where one_id is not null and is_valid
    )

select
    one_id,
    lead_id,
    status,
    tier,
    is_called,
    coalesce(status in ('战败', '失效'), false) as is_lost,
    coalesce(large_ordered_at, small_ordered_at) is not null
    and not is_order_cancelled as has_ordered,
    case when status in ('战败', '失效') then coalesce(lost_at, created_at) end as lost_at
from ranked
where place = 1
