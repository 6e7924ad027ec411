-- Grain: one row per period_kind, period, staff_id and item: its score and what it
-- weighs.
{%- set peers = "partition by period_kind, period, dealer_code, tenure_stage, item" %}
with
    results as (select * from {{ ref("int_assessment_results") }}),

    -- peers are told apart by their values alone, and most items are missing
    equals as (
        select
            period_kind,
            period,
            dealer_code,
            tenure_stage,
            item,
            value,
            count(*) as peers_equal
        from results
        where value is not null
        group by period_kind, period, dealer_code, tenure_stage, item, value
    ),

    ranked as (
        select
            *,
            cast(sum(peers_equal) over ({{ peers }}) as bigint) as peers,
            cast(
                sum(peers_equal) over (
                    {{ peers }}
                    order by value
                    rows between unbounded preceding and current row
                )
                - peers_equal as bigint
            ) as peers_below
        from equals
    ),

    weights as (
        select
            period_kind,
            period,
            staff_id,
            dimension,
            sum(weight) as weight_of_all,
            sum(case when value is not null then weight else 0 end) as weight_of_present
        from results
        group by period_kind, period, staff_id, dimension
    ),

    compared as (
        select
            results.*,
            ranked.peers,
            ranked.peers_below,
            ranked.peers_equal,
            weights.weight_of_all,
            weights.weight_of_present
        from results
        inner join
            weights
            on weights.period_kind = results.period_kind
            and weights.period = results.period
            and weights.staff_id = results.staff_id
            and weights.dimension = results.dimension
        left join
            ranked
            on ranked.period_kind = results.period_kind
            and ranked.period = results.period
            and ranked.dealer_code = results.dealer_code
            and ranked.tenure_stage = results.tenure_stage
            and ranked.item = results.item
            and ranked.value = results.value
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
from rated
