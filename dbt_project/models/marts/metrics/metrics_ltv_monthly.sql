-- Grain: one row per local month of the first delivery and region of its dealer.
-- Why: what customers are worth over the years, and what is still to come from them.
{%- set streams = ["car", "service", "subscription", "referral"] %}
with
    owners as (
        select
            cars.buyer_key,
            {{ local_month("cars.delivered_at") }} as month,
            {{ key_text("cars.region") }} as region,
            coalesce(staff.is_active, false) as has_adviser,
            {%- for months in [36, 60] %}
                {{
                    months_later(
                        "cars.delivered_at + interval '8' hour", months | string
                    )
                }} <= {{ as_of() }} + interval '8' hour as is_mature_{{ months }}m
                {{- "," if not loop.last }}
            {%- endfor %}
        from {{ ref("int_car_sales") }} as cars
        left join {{ ref("dim_staff") }} as staff on staff.staff_id = cars.staff_id
        where cars.car_number = 1
    ),

    cohorts as (
        select
            month,
            region,
            count(*) as owners,
            count(*) filter (where not has_adviser) as orphan_customers,
            count(*) filter (where is_mature_36m) as owners_36m,
            count(*) filter (where is_mature_60m) as owners_60m
        from owners
        group by month, region
    ),

    brought as (
        select
            owners.month,
            owners.region,
            {%- for stream in streams %}
                sum(margins.margin_fen) filter (
                    where margins.stream = '{{ stream }}'
                ) as {{ stream }}_fen,
            {%- endfor %}
            sum(margins.margin_fen) filter (
                where margins.stream <> 'commission'
            ) as realised_fen,
            {%- for months in [36, 60] %}
                sum(margins.margin_fen) filter (
                    where
                        margins.stream <> 'commission'
                        and owners.is_mature_{{ months }}m
                        and margins.is_within_{{ months }}m
                ) as realised_{{ months }}m_fen,
                sum(margins.margin_fen) filter (
                    where
                        margins.stream = 'commission'
                        and owners.is_mature_{{ months }}m
                        and margins.is_within_{{ months }}m
                ) as income_{{ months }}m_fen {{- "," if not loop.last }}
            {%- endfor %}
        from owners
        inner join
            {{ ref("int_customer_margins") }} as margins
            on margins.buyer_key = owners.buyer_key
        group by owners.month, owners.region
    )

select
    cohorts.month,
    cohorts.region,
    cohorts.owners,
    {%- for stream in streams %}
        cast(
            coalesce(brought.{{ stream }}_fen, 0) as bigint
        ) as margin_{{ stream }}_fen,
    {%- endfor %}
    cast(coalesce(brought.realised_fen, 0) as bigint) as ltv_realised_fen,
    cast(coalesce(brought.realised_fen, 0) as double) / cohorts.owners as ltv_realised,
    {%- for months in [36, 60] %}
        cohorts.owners_{{ months }}m,
        cast(
            coalesce(brought.realised_{{ months }}m_fen, 0) as bigint
        ) as ltv_realised_{{ months }}m_fen,
        cast(
            coalesce(brought.income_{{ months }}m_fen, 0) as bigint
        ) as ltv_income_{{ months }}m_fen,
        cast(coalesce(brought.income_{{ months }}m_fen, 0) as double) / nullif(
            cohorts.owners_{{ months }}m, 0
        ) as ltv_income_per_customer_{{ months }}m,
    {%- endfor %}
    predictions.predicted_fen as ltv_pred_36m_fen,
    predictions.predicted_low_fen as ltv_pred_36m_low_fen,
    predictions.predicted_high_fen as ltv_pred_36m_high_fen,
    cast(predictions.predicted_fen as double) / cohorts.owners as ltv_pred_36m,
    cast(
        case when predictions.is_within then 1 else 0 end as bigint
    ) as ltv_pred_coverage_num,
    cast(
        case when predictions.is_tested then 1 else 0 end as bigint
    ) as ltv_pred_coverage_den,
    case
        when predictions.is_within
        then cast(1 as double)
        when predictions.is_tested
        then cast(0 as double)
    end as ltv_pred_coverage,
    cohorts.orphan_customers
from cohorts
left join brought on brought.month = cohorts.month and brought.region = cohorts.region
left join
    {{ ref("int_ltv_predictions") }} as predictions
    on predictions.month = cohorts.month
    and predictions.region = cohorts.region
