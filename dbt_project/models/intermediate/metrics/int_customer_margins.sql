-- Grain: one row per amount that a customer brought since the first car, by stream.
-- Why: what a customer is worth, and what the advisers earn from one (stream
-- commission).
with
    owners as (
        select buyer_key, delivered_at as first_delivered_at
        from {{ ref("int_car_sales") }}
        where car_number = 1
    ),

    begun as (
        select vin, valid_from as began_at
        from {{ ref("int_users__ownerships") }}
        union all
        select vin, delivered_at
        from {{ ref("int_car_sales") }}
    ),

    held as (
        select one_id as buyer_key, vin, valid_from, valid_to
        from {{ ref("int_users__ownerships") }}
        union all
        -- a company's car is its own until it is returned or somebody else has it
        select
            cars.organisation_id,
            cars.vin,
            cars.delivered_at,
            least(min(begun.began_at), cars.reversed_at)
        from {{ ref("int_car_sales") }} as cars
        left join begun on begun.vin = cars.vin and begun.began_at > cars.delivered_at
        where cars.organisation_id is not null and cars.vin is not null
        group by
            cars.organisation_id,
            cars.order_no,
            cars.vin,
            cars.delivered_at,
            cars.reversed_at
    ),

    amounts as (
        select
            buyer_key,
            'car' as stream,
            unit_profit_fen as amount_fen,
            delivered_at as happened_at
        from {{ ref("int_car_sales") }}
        union all
        select buyer_key, 'car', - unit_profit_fen, reversed_at
        from {{ ref("int_car_sales") }}
        where reversed_at is not null
        union all
        select held.buyer_key, 'service', visits.amount_fen, visits.arrived_at
        from {{ ref("int_service_visits") }} as visits
        inner join
            held
            on held.vin = visits.vin
            and held.valid_from <= visits.arrived_at
            and (held.valid_to is null or visits.arrived_at < held.valid_to)
        union all
        select one_id, 'subscription', amount_fen, paid_at
        from {{ ref("int_addon_sales") }}
        union all
        select one_id, 'subscription', - amount_fen, greatest(refunded_at, paid_at)
        from {{ ref("int_addon_sales") }}
        where refunded_at is not null and paid_at is not null
        union all
        select
            referred.member_one_id, 'referral', cars.unit_profit_fen, cars.delivered_at
        from {{ ref("int_referral_orders") }} as referred
        inner join
            {{ ref("int_car_sales") }} as cars on cars.order_no = referred.order_no
        where referred.is_valid and cars.reversed_at is null
    ),

    margins as (
        select
            amounts.buyer_key,
            amounts.stream,
            {{
                share_of(
                    "amounts.amount_fen",
                    "shares.share_numerator",
                    "shares.share_denominator",
                )
            }} as margin_fen,
            amounts.happened_at
        from amounts
        inner join
            {{ ref("ltv_margins") }} as shares
            on shares.stream = amounts.stream
            and {{ holds_on("shares", "amounts.happened_at") }}
        where amounts.amount_fen is not null
        union all
        select
            events.customer_key, 'commission', accruals.accrued_fen, accruals.accrued_at
        from {{ ref("fct_commission_accruals") }} as accruals
        inner join
            {{ ref("int_commission_events") }} as events
            on events.component = accruals.component
            and events.event_key = coalesce(accruals.sale_id, accruals.order_no)
    )

select
    margins.buyer_key,
    margins.stream,
    margins.margin_fen,
    margins.happened_at,
    {{ month_number("margins.happened_at") }}
    - {{ month_number("owners.first_delivered_at") }} as age_months,
    margins.happened_at + interval '8' hour
    < {{ months_later("owners.first_delivered_at + interval '8' hour", "36") }}
    as is_within_36m,
    margins.happened_at + interval '8' hour
    < {{ months_later("owners.first_delivered_at + interval '8' hour", "60") }}
    as is_within_60m
from margins
inner join owners on owners.buyer_key = margins.buyer_key
where margins.happened_at >= owners.first_delivered_at
