-- Grain: one row per lead with a known person.
with
    leads as (
        select lead_id, entity, one_id, created_at
        from {{ ref("int_leads__delivered") }}
        where one_id is not null and created_at is not null
    ),

    orders as (
        select
            leads.lead_id,
            min(orders.small_ordered_at) filter (
                where orders.small_ordered_at >= leads.created_at
            ) as small_ordered_at,
            min(orders.small_ordered_at) filter (
                where
                    orders.small_ordered_at >= leads.created_at
                    and not orders.is_withdrawn
            ) as small_kept_at,
            min(least(orders.large_ordered_at, orders.locked_at)) filter (
                where
                    least(orders.large_ordered_at, orders.locked_at) >= leads.created_at
            ) as large_ordered_at,
            min(least(orders.large_ordered_at, orders.locked_at)) filter (
                where
                    least(orders.large_ordered_at, orders.locked_at) >= leads.created_at
                    and not orders.is_withdrawn
            ) as large_kept_at
        from leads
        inner join
            {{ ref("int_orders") }} as orders
            on orders.one_id = leads.one_id
            and orders.first_ordered_at >= leads.created_at
        group by leads.lead_id
    ),

    deliveries as (
        select leads.lead_id, min(deliveries.delivered_at) as delivered_at
        from leads
        inner join
            {{ ref("int_deliveries") }} as deliveries
            on deliveries.one_id = leads.one_id
            and deliveries.delivered_at >= leads.created_at
            -- a car that was ordered before the lead came is not what the lead led to
            and coalesce(deliveries.first_ordered_at >= leads.created_at, true)
        group by leads.lead_id
    ),

    visits as (
        select leads.lead_id, min(visits.arrived_at) as visited_at
        from leads
        inner join
            {{ ref("int_store_visits") }} as visits
            on visits.one_id = leads.one_id
            and visits.arrived_at >= leads.created_at
        where leads.entity = 'adf_leads'
        group by leads.lead_id
    ),

    drives as (
        select leads.lead_id, min(drives.started_at) as test_driven_at
        from leads
        inner join
            {{ ref("int_test_drives") }} as drives
            on drives.one_id = leads.one_id
            and drives.started_at >= leads.created_at
        where leads.entity = 'adf_leads'
        group by leads.lead_id
    )

select
    leads.lead_id,
    visits.visited_at,
    drives.test_driven_at,
    orders.small_ordered_at,
    orders.small_kept_at,
    orders.large_ordered_at,
    orders.large_kept_at,
    deliveries.delivered_at
from leads
left join orders on orders.lead_id = leads.lead_id
left join deliveries on deliveries.lead_id = leads.lead_id
left join visits on visits.lead_id = leads.lead_id
left join drives on drives.lead_id = leads.lead_id
