-- Grain: one row per delivery: whether its buyer came back, for a car, with a friend
-- and to the workshop.
with
    buyers as (
        select
            delivery_id,
            one_id,
            coalesce(one_id, organisation_id) as buyer,
            vin,
            is_returned,
            delivered_at
        from {{ ref("int_deliveries") }}
        where delivered_at is not null
    ),

    next_cars as (
        select firsts.delivery_id, min(nexts.delivered_at) as next_delivered_at
        from buyers as firsts
        inner join
            buyers as nexts
            on nexts.buyer = firsts.buyer
            and nexts.delivered_at > firsts.delivered_at
            and nexts.delivery_id <> firsts.delivery_id
            and coalesce(nexts.vin <> firsts.vin, true)
            and not nexts.is_returned
        group by firsts.delivery_id
    ),

    friends as (
        select buyers.delivery_id, min(referred.ordered_at) as referred_at
        from buyers
        inner join
            {{ ref("int_referral_orders") }} as referred
            on referred.member_one_id = buyers.one_id
            and referred.ordered_at >= buyers.delivered_at
        where referred.is_valid
        group by buyers.delivery_id
    ),

    limits as (
        select interval_months, interval_km
        from {{ ref("service_intervals") }}
        where
            valid_from <= {{ local_date(as_of()) }}
            and (valid_to is null or {{ local_date(as_of()) }} < valid_to)
    ),

    visits as (
        select
            buyers.delivery_id,
            max(
                case when visits.service_kind = '保养' then visits.arrived_at end
            ) as last_maintained_at,
            max(
                case when visits.service_kind = '保养' then visits.mileage end
            ) as maintained_mileage,
            max(visits.mileage) as last_mileage,
            max(visits.arrived_at) as last_visited_at
        from buyers
        inner join
            {{ ref("int_service_visits") }} as visits
            on visits.vin = buyers.vin
            and visits.arrived_at >= buyers.delivered_at
            and visits.arrived_at < {{ as_of() }}
        group by buyers.delivery_id
    )

select
    buyers.delivery_id,
    next_cars.next_delivered_at,
    friends.referred_at,
    visits.last_maintained_at,
    coalesce(
        {{ months_after("visits.last_maintained_at", "limits.interval_months") }}
        > {{ as_of() }},
        false
    )
    -- seen in the year, and not driven far enough to be due
    or coalesce(
        {{ months_after("visits.last_visited_at", "limits.interval_months") }}
        > {{ as_of() }}
        and visits.last_mileage - coalesce(visits.maintained_mileage, 0)
        < limits.interval_km,
        false
    ) as is_service_active,
    {{ months_after("buyers.delivered_at", "limits.interval_months") }}
    <= {{ as_of() }} as is_due_for_service
from buyers
cross join limits
left join next_cars on next_cars.delivery_id = buyers.delivery_id
left join friends on friends.delivery_id = buyers.delivery_id
left join visits on visits.delivery_id = buyers.delivery_id
