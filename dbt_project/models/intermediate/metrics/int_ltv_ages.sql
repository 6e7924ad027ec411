-- Grain: one row per shift and age: what a customer brings in a calendar month of
-- that age.
-- Why: the prediction adds the months to come; shifted by a year it can be tested.
{%- set margin = "stream <> 'commission'" %}
with
    ages as (
        {%- for age in range(36) %}
            select {{ age }} as age_months {{ "union all" if not loop.last }}
        {%- endfor %}
    ),

    shifts as (
        select 0 as shift_months
        union all
        select 12
    ),

    owners as (
        select
            buyer_key,
            {{ month_number(as_of()) }}
            - {{ month_number("delivered_at") }} as elapsed_months
        from {{ ref("int_car_sales") }}
        where car_number = 1
    ),

    cohorts as (
        select elapsed_months, count(*) as owners from owners group by elapsed_months
    ),

    observed as (
        select
            shifts.shift_months,
            ages.age_months,
            cast(coalesce(sum(cohorts.owners), 0) as bigint) as owners
        from ages
        cross join shifts
        left join
            cohorts on cohorts.elapsed_months - shifts.shift_months > ages.age_months
        group by shifts.shift_months, ages.age_months
    ),

    monthly as (
        select
            owners.elapsed_months,
            margins.age_months,
            cast(sum(margins.margin_fen) as decimal(19, 0)) as fen
        from {{ ref("int_customer_margins") }} as margins
        inner join owners on owners.buyer_key = margins.buyer_key
        where margins.{{ margin }}
        group by margins.buyer_key, owners.elapsed_months, margins.age_months
    ),

    sums as (
        select
            shifts.shift_months,
            monthly.age_months,
            sum(monthly.fen) as fen,
            sum(monthly.fen * monthly.fen) as squares
        from monthly
        inner join
            shifts on monthly.elapsed_months - shifts.shift_months > monthly.age_months
        group by shifts.shift_months, monthly.age_months
    )

select
    observed.shift_months,
    observed.age_months,
    observed.owners,
    -- whole numbers, so that adding them up in any order gives the same
    cast(
        round(
            1000 * cast(coalesce(sums.fen, 0) as double) / nullif(observed.owners, 0)
        ) as bigint
    ) as mean_millifen,
    cast(
        round(
            greatest(
                cast(coalesce(sums.squares, 0) as double) / nullif(observed.owners, 0)
                - power(
                    cast(coalesce(sums.fen, 0) as double) / nullif(observed.owners, 0),
                    2
                ),
                0
            )
        ) as decimal(38, 0)
    ) as variance
from observed
left join
    sums
    on sums.shift_months = observed.shift_months
    and sums.age_months = observed.age_months
where observed.owners > 0
