-- Grain: one row per period_kind, period, staff_id and item: its score and what it
-- weighs.
{%- set peers = "partition by period_kind, period, dealer_code, tenure_stage, item" %}
{%- set dimension = "partition by period_kind, period, staff_id, dimension" %}
with
    compared as (
        select
            *,
            count(value) over ({{ peers }}) as peers,
            rank() over ({{ peers }} order by value nulls last) - 1 as peers_below,
            count(value) over ({{ peers }}, value) as peers_equal
        from {{ ref("int_assessment_results") }}
    ),

    scored as (
        select
            *,
            case
                when value is null
                then 'missing'
                when target is not null
                then 'target'
                else 'peers'
            end as basis,
            case when target is not null then value / target end as attainment
        from compared
    ),

    rated as (
        select
            *,
            case
                when basis = 'target'
                then 100 * least(greatest(attainment, 0), 1.2) / 1.2
                when basis = 'peers'
                then 100 * (peers_below + cast(peers_equal as double) / 2) / peers
            end as item_score
        from scored
    ),

    weighed as (
        select
            *,
            sum(weight) over ({{ dimension }}) as weight_of_all,
            sum(case when value is not null then weight else 0 end) over (
                {{ dimension }}
            ) as weight_of_present
        from rated
    )

select
    period_kind,
    period,
    staff_id,
    dealer_code,
    tenure_stage,
    dimension,
    item,
    kind,
    num,
    den,
    value,
    target,
    basis,
    attainment,
    case when basis = 'peers' then peers end as peers,
    weight,
    item_score,
    -- a decimal, so that sums do not depend on the order of rows
    cast(cast(weight as double) * item_score as decimal(28, 12)) as weighted_score,
    cast(weight_of_present as double) / cast(weight_of_all as double) as coverage,
    -- the weight of what is missing is spread over the rest of the dimension
    case
        when value is not null and weight_of_present * 2 >= weight_of_all
        then cast(weight as double) / cast(weight_of_present as double)
    end as share
from weighed
