-- Grain: one row per period_kind, period, staff_id and item: what was done, what was
-- meant.
with
    targets as (
        select
            members.period as month,
            members.staff_id,
            meant.metric as item,
            cast(meant.target as decimal(28, 6)) as target
        from {{ ref("stg_workforce__targets") }} as meant
        inner join
            {{ ref("int_assessment_members") }} as members
            on members.staff_id = meant.scope_id
            and members.period_kind = 'month'
            and cast(members.period as varchar) = concat(meant.period, '-01')
        where meant.scope = 'staff' and meant.target > 0
    ),

    periods as (
        select
            'month' as period_kind,
            month as period,
            staff_id,
            item,
            1 as months,
            target as total,
            target as mean
        from targets
        union all
        select
            'year',
            cast(date_trunc('year', month) as date),
            staff_id,
            item,
            count(*),
            sum(target),
            sum(target) / count(*)
        from targets
        group by cast(date_trunc('year', month) as date), staff_id, item
    )

select
    members.period_kind,
    members.period,
    members.staff_id,
    members.dealer_code,
    members.tenure_stage,
    items.dimension,
    items.item,
    items.kind,
    items.weight,
    entries.num,
    entries.den,
    case
        when items.kind = 'count' and entries.num is not null
        then cast(entries.num as double)
        when items.kind = 'count' and roles.item is not null
        then 0.0
        when items.kind = 'ratio' and entries.den >= items.least_den
        then cast(entries.num as double) / cast(entries.den as double)
    end as value,
    cast(
        case
            when items.kind = 'count' then periods.total else periods.mean
        end as double
    ) as target
from {{ ref("int_assessment_members") }} as members
inner join
    {{ ref("assessment_items") }} as items
    on {{ is_valid_in("items", "members.period") }}
left join
    {{ ref("int_assessment_entries") }} as entries
    on entries.period_kind = members.period_kind
    and entries.period = members.period
    and entries.staff_id = members.staff_id
    and entries.item = items.item
left join
    {{ ref("assessment_roles") }} as roles
    on roles.item = items.item
    and roles.role = members.role
left join
    periods
    on periods.period_kind = members.period_kind
    and periods.period = members.period
    and periods.staff_id = members.staff_id
    and periods.item = items.item
    -- part of a year's targets is no target for the year
    and periods.months = members.months
