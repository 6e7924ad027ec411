-- Grain: one row per local month of the entry, adviser and component with an entry in
-- it.
-- Why: what each adviser earned and gave back, so that sums over components are the
-- total.
with
    entries as (
        select
            accruals.*,
            {{ local_month("accruals.accrued_at") }} as month,
            accruals.reverses_id is not null as is_reversal,
            reversals.accrual_id is not null as is_reversed
        from {{ ref("fct_commission_accruals") }} as accruals
        left join
            {{ ref("fct_commission_accruals") }} as reversals
            on reversals.reverses_id = accruals.accrual_id
    )

select
    month,
    staff_id,
    component,
    cast(
        coalesce(sum(accrued_fen) filter (where not is_reversal), 0) as bigint
    ) as accrued_fen,
    cast(
        coalesce(- sum(accrued_fen) filter (where is_reversal), 0) as bigint
    ) as reversed_fen,
    cast(sum(accrued_fen) as bigint) as net_fen,
    count(*) filter (where not is_reversal) as accruals,
    count(*) filter (where is_reversal) as reversals,
    count(*) filter (
        where is_reversal and because = 'reassignment'
    ) as reassignment_count,
    {{ ratio("clawback_rate", "is_reversed", "not is_reversal") }}
from entries
group by month, staff_id, component
