-- Grain: one row per component and car, referred car or paid sale that earns a
-- commission.
with
    cars as (
        select * from {{ ref("int_car_sales") }} where blue_invoiced_at is not null
    ),

    first_deals as (
        select
            'first_deal' as component,
            cars.order_no as event_key,
            cars.staff_id,
            cars.one_id,
            cars.organisation_id,
            cars.order_no,
            cast(null as varchar) as referral_id,
            cast(null as varchar) as sale_id,
            cars.buyer_key as customer_key,
            cars.unit_profit_fen as base_fen,
            cars.delivered_at as accrued_at,
            'first car of the buyer, delivered' as because,
            cars.reversed_at,
            cars.reversed_because
        from cars
        left join
            {{ ref("int_car_sales__repurchases") }} as bought_again
            on bought_again.order_no = cars.order_no
            and bought_again.staff_id = cars.staff_id
        -- who is paid for a repurchase by the household has no first deal of it
        where cars.car_number = 1 and bought_again.order_no is null
    ),

    repurchases as (
        select
            'repurchase',
            cars.order_no,
            bought_again.staff_id,
            cars.one_id,
            cars.organisation_id,
            cars.order_no,
            null,
            null,
            bought_again.customer_key,
            cars.unit_profit_fen,
            cars.delivered_at,
            bought_again.because,
            cars.reversed_at,
            cars.reversed_because
        from cars
        inner join
            {{ ref("int_car_sales__repurchases") }} as bought_again
            on bought_again.order_no = cars.order_no
    ),

    referrals as (
        select
            'referral',
            cars.order_no,
            referrers.staff_id,
            cars.one_id,
            cars.organisation_id,
            cars.order_no,
            referred.referral_id,
            null,
            referrers.buyer_key,
            cars.unit_profit_fen,
            cars.delivered_at,
            'car delivered that an own customer referred',
            -- whichever comes first ends it; nulls aside
            least(
                coalesce(cars.reversed_at, referred.referral_cancelled_at),
                coalesce(referred.referral_cancelled_at, cars.reversed_at)
            ),
            case
                when
                    cars.reversed_at
                    <= coalesce(referred.referral_cancelled_at, cars.reversed_at)
                then cars.reversed_because
                when referred.referral_cancelled_at is not null
                then 'cancellation'
            end
        from cars
        inner join
            {{ ref("int_referral_orders") }} as referred
            on referred.order_no = cars.order_no
        inner join
            {{ ref("int_car_sales") }} as referrers
            on referrers.buyer_key = referred.member_one_id
            and referrers.car_number = 1
        inner join
            {{ ref("commission_rates") }} as rates
            on rates.component = 'referral'
            and {{ holds_on("rates", "cars.delivered_at") }}
        where
            referred.is_in_time
            -- one adviser earns once by a car, unless the seed says otherwise
            and (
                rates.pays_beside_first_deal
                or referrers.staff_id <> coalesce(cars.staff_id, '')
            )
            -- cancelled before the delivery it never earned anything
            and (
                referred.referral_cancelled_at is null
                or referred.referral_cancelled_at > cars.delivered_at
            )
    ),

    value_added as (
        select
            'value_added',
            sale_id,
            staff_id,
            one_id,
            null,
            null,
            null,
            sale_id,
            one_id,
            amount_fen,
            paid_at,
            concat(product_type, ' paid'),
            case when refunded_at is not null then greatest(refunded_at, paid_at) end,
            case when refunded_at is not null then 'refund' end
        from {{ ref("int_addon_sales") }}
        where product_type in ('软件订阅', '服务包') and paid_at is not null
    ),

    events as (
        {%- for kind in ["first_deals", "repurchases", "referrals", "value_added"] %}
            {{ "union all" if not loop.first }} select * from {{ kind }}
        {%- endfor %}
    )

select *
from events
-- nobody to pay, or nothing known to pay from
where staff_id is not null and base_fen is not null
