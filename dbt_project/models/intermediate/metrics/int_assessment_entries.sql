-- Grain: one row per period_kind (month, year), period, staff_id and item with
-- anything to count.
with
    months as (
        {%- for dimension in ["performance", "users", "process"] %}
            select month, staff_id, item, num, den
            from
                {{ ref("int_assessment_" ~ dimension) }}
                {{ "union all" if not loop.last }}
        {%- endfor %}
    )

select 'month' as period_kind, month as period, staff_id, item, num, den
from months
union all
select
    'year',
    cast(date_trunc('year', month) as date),
    staff_id,
    item,
    cast(sum(num) as decimal(28, 4)),
    cast(sum(den) as decimal(28, 4))
from months
group by cast(date_trunc('year', month) as date), staff_id, item
