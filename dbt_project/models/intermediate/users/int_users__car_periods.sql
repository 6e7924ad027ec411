-- Grain: one row per person, kind and period of an order or a car.
-- ordered: waits for a car; bought: took one and did not give it back; owning: has it
-- now; gone: an order or a car fell through, or the car was passed on, and nothing says
-- since that the person came back.
with
    orders as (
        select
            one_id,
            order_no,
            vin,
            is_delivered,
            is_returned,
            is_cancelled,
            delivered_at,
            returned_at,
            coalesce(cancelled_at, first_ordered_at, updated_at) as cancelled_at,
            coalesce(first_ordered_at, updated_at) as ordered_at
        from {{ ref("int_orders") }}
        where one_id is not null
    ),

    returned as (
        select distinct one_id, vin from orders where is_returned and vin is not null
    ),

    cars as (
        select
            owned.one_id,
            owned.valid_from,
            owned.valid_to,
            returned.vin is not null as is_returned
        from {{ ref("int_users__ownerships") }} as owned
        left join
            returned on returned.one_id = owned.one_id and returned.vin = owned.vin
    ),

    gone as (
        select one_id, cancelled_at as gone_at
        from orders
        where is_cancelled and not is_delivered
        union
        select one_id, returned_at
        from orders
        where is_returned and vin is null
        union
        select one_id, valid_to
        from cars
        where valid_to is not null
        union
        select one_id, valid_from
        from {{ ref("int_users__lead_periods") }}
        where kind = 'lost'
    ),

    comebacks as (
        select gone.one_id, gone.gone_at, min(signals.happened_at) as back_at
        from gone
        left join
            {{ ref("int_users__signals") }} as signals
            on signals.one_id = gone.one_id
            and signals.happened_at > gone.gone_at
        where gone.gone_at < {{ as_of() }}
        group by gone.one_id, gone.gone_at
    ),

    periods as (
        select
            one_id,
            'ordered' as kind,
            ordered_at as valid_from,
            case
                when is_delivered then delivered_at when is_cancelled then cancelled_at
            end as valid_to
        from orders
        union all
        select one_id, 'bought', valid_from, case when is_returned then valid_to end
        from cars
        union all
        select one_id, 'owning', valid_from, valid_to
        from cars
        union all
        select one_id, 'gone', gone_at, back_at
        from comebacks
        union all
        select one_id, kind, valid_from, valid_to
        from {{ ref("int_users__lead_periods") }}
        where kind = 'ordered' and one_id not in (select one_id from orders)
    )

select one_id, kind, valid_from, valid_to
from periods
where valid_from < {{ as_of() }} and (valid_to is null or valid_from < valid_to)
