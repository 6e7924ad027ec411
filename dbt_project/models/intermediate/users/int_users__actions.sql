-- Grain: one row per thing that calls for an action with a person.
with
    cars as (
        select
            owned.one_id,
            owned.vin,
            max(deliveries.staff_id) as staff_id,
            max(
                greatest(
                    owned.valid_from,
                    coalesce(returns.last_maintained_at, owned.valid_from)
                )
            ) as since
        from {{ ref("int_users__ownerships") }} as owned
        inner join
            {{ ref("int_deliveries") }} as deliveries on deliveries.vin = owned.vin
        left join
            {{ ref("int_deliveries__returns") }} as returns
            on returns.delivery_id = deliveries.delivery_id
        where owned.valid_to is null and owned.valid_from < {{ as_of() }}
        group by owned.one_id, owned.vin
    ),

    called as (
        select distinct delivery_id
        from {{ ref("int_deliveries__contacts") }}
        where day_number between 5 and 9
    )

select
    'contact_complaint' as action,
    one_id,
    staff_id,
    complaint_id as subject,
    accepted_at as since,
    cast(null as timestamp) as due_at
from {{ ref("int_complaints") }}
where first_contacted_at is null and resolved_at is null and closed_at is null
union all
select 'revisit_complaint', one_id, staff_id, complaint_id, resolved_at, null
from {{ ref("int_complaints") }}
where resolved_at is not null and revisited_at is null and closed_at is null
union all
select
    'seventh_day_call',
    deliveries.one_id,
    deliveries.staff_id,
    deliveries.delivery_id,
    deliveries.delivered_at,
    null
from {{ ref("int_deliveries") }} as deliveries
left join called on called.delivery_id = deliveries.delivery_id
where called.delivery_id is null and not deliveries.is_returned
union all
select 'follow_up_lead', one_id, staff_id, lead_id, touched_at, follow_up_due_at
from {{ ref("int_users__open_leads") }}
where follow_up_due_at is not null
union all
select
    'settle_rating',
    promises.one_id,
    open_leads.staff_id,
    promises.lead_id,
    promises.valid_from,
    promises.due_at
from {{ ref("int_users__promises") }} as promises
inner join
    {{ ref("int_users__open_leads") }} as open_leads
    on open_leads.lead_id = promises.lead_id
where
    promises.valid_to is null
    and promises.due_at is not null
    and promises.ordered_at is null
union all
select
    'remind_maintenance',
    cars.one_id,
    cars.staff_id,
    cars.vin,
    cars.since,
    {{ months_after("cars.since", "intervals.interval_months") }}
from cars
inner join
    {{ ref("service_intervals") }} as intervals
    on intervals.valid_from <= {{ local_date(as_of()) }}
    and (intervals.valid_to is null or {{ local_date(as_of()) }} < intervals.valid_to)
