-- Grain: one row per invoiced car that its buyer bought again, or the buyer's
-- household.
-- Why: a repurchase rewards the adviser of the first car, and whose first car that is
-- depends on a setting of the rates.
with
    rated as (
        select cars.*, rates.min_months, rates.counts_household
        from {{ ref("int_car_sales") }} as cars
        inner join
            {{ ref("commission_rates") }} as rates
            on rates.component = 'repurchase'
            and {{ holds_on("rates", "cars.delivered_at") }}
        where cars.blue_invoiced_at is not null
    ),

    judged as (
        select
            order_no,
            first_staff_id as staff_id,
            buyer_key as customer_key,
            delivered_at,
            first_delivered_at,
            min_months,
            'buyer' as of_whom,
            0 as place,
            '' as first_order_no
        from rated
        where car_number > 1
        union all
        select
            rated.order_no,
            firsts.staff_id,
            firsts.buyer_key,
            rated.delivered_at,
            firsts.delivered_at,
            rated.min_months,
            'household',
            1,
            firsts.order_no
        from rated
        inner join
            {{ ref("int_users__households") }} as pairs on pairs.one_id = rated.one_id
        inner join
            {{ ref("int_car_sales") }} as firsts
            on firsts.one_id = pairs.related_one_id
            and firsts.car_number = 1
        where rated.counts_household
    ),

    ranked as (
        select
            *,
            -- an own first car goes before one of the household, an older before a
            -- newer
            row_number() over (
                partition by order_no order by place, first_delivered_at, first_order_no
            ) as choice
        from judged
        where
            -- months are those of the local calendar
            delivered_at + interval '8' hour
            >=
            {{ months_later("first_delivered_at + interval '8' hour", "min_months") }}
    )

select
    order_no,
    staff_id,
    customer_key,
    concat(
        'later car of the ',
        of_whom,
        ', at least ',
        cast(min_months as varchar),
        ' months after the first'
    ) as because
from ranked
where choice = 1
