-- Grain: one row per person, vehicle and period of ownership.
-- A delivery makes its order's person the owner. A used car is taken over by whoever
-- binds it later while no one else is bound to it, unless it is a company's or of whom
-- they live with, or brings it to service under their own name as the new owner. A
-- return or the next owner, also a company or somebody who was erased, ends it.
with
    orders as (
        select
            o.order_no,
            o.vin,
            o.name,
            coalesce(u.one_id, c.organisation_id) as holder,
            u.one_id is not null as is_person,
            case
                when o.status = '已退车' or o.red_invoiced_at is not null
                then coalesce(o.red_invoiced_at, o.cancelled_at, o.updated_at)
            end as returned_at
        from {{ ref("stg_dms__orders") }} as o
        left join
            {{ ref("bridge_user_records") }} as u
            on u.source = 'dms'
            and u.entity = 'orders'
            and u.record_key = o.record_key
        left join
            {{ ref("bridge_organisation_records") }} as c
            on c.source = 'dms'
            and c.entity = 'orders'
            and c.record_key = o.record_key
    ),

    deliveries as (
        select
            coalesce(d.vin, o.vin) as vin,
            -- a delivery without a known order still ends what was before
            coalesce(o.holder, concat('delivery ', d.delivery_id)) as holder,
            coalesce(o.is_person, false) as is_person,
            o.holder is not null and not o.is_person as is_of_company,
            o.name,
            d.delivered_at as claimed_at,
            o.returned_at
        from {{ ref("stg_dms__deliveries") }} as d
        left join orders as o on d.order_no = o.order_no
        where coalesce(d.vin, o.vin) is not null and d.delivered_at is not null
    ),

    first_deliveries as (
        select
            vin,
            min(claimed_at) as delivered_at,
            max(case when is_of_company then 1 else 0 end) as is_of_company
        from deliveries
        group by vin
    ),

    takeovers_in_app as (
        select b.vin, b.one_id as holder, b.valid_from as claimed_at
        from {{ ref("int_users__bindings") }} as b
        inner join
            first_deliveries as d
            on b.vin = d.vin
            and b.valid_from > d.delivered_at
            and d.is_of_company = 0
        where
            not exists (
                select 1
                from {{ ref("int_users__bindings") }} as other
                where
                    other.vin = b.vin
                    and other.one_id <> b.one_id
                    and other.valid_from <= b.valid_from
                    and (other.valid_to is null or other.valid_to > b.valid_from)
            )
            and not exists (
                select 1
                from deliveries as family
                inner join
                    {{ ref("int_users__households") }} as households
                    on households.one_id = family.holder
                where family.vin = b.vin and households.related_one_id = b.one_id
            )
    ),

    -- the owner's name on a service order says nothing about who the sender is, but the
    -- sender who is that owner, and is not whom the car was delivered to, now has it
    takeovers_in_service as (
        select s.vin, u.one_id as holder, s.arrived_at as claimed_at
        from {{ ref("stg_dms__service_orders") }} as s
        inner join
            first_deliveries as d on s.vin = d.vin and s.arrived_at > d.delivered_at
        inner join
            {{ ref("bridge_user_records") }} as u
            on u.source = 'dms'
            and u.entity = 'service_orders'
            and u.record_key = s.record_key
        where
            s.owner_name = s.sender_name
            and s.sender_mobile is not null
            and not exists (
                select 1
                from deliveries as other
                where
                    other.vin = s.vin
                    and (other.name is null or other.name = s.owner_name)
            )
    ),

    claims as (
        select vin, holder, is_person, claimed_at, returned_at
        from deliveries
        union all
        select vin, holder, true, claimed_at, null
        from takeovers_in_app
        union all
        select vin, holder, true, claimed_at, null
        from takeovers_in_service
        union all
        select vin, 'erased', false, taken_over_at, null
        from {{ source("meta", "handovers") }}
    ),

    changes as (
        select
            *,
            lag(holder) over (
                partition by vin order by claimed_at, holder
            ) as holder_before
        from claims
    ),

    periods as (
        select
            *,
            lead(claimed_at) over (
                partition by vin order by claimed_at, holder
            ) as succeeded_at
        from changes
        where holder_before is null or holder <> holder_before
    )

select
    holder as one_id,
    vin,
    claimed_at as valid_from,
    least(
        -- an end before the beginning comes with the beginning
        case when returned_at is not null then greatest(returned_at, claimed_at) end,
        succeeded_at
    ) as valid_to
from periods
where is_person
