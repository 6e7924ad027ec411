-- Grain: one row per dms order with a small order: until when it had to be locked.
with
    fitting as (
        select
            orders.order_no,
            orders.one_id,
            orders.series_code,
            orders.dealer_code,
            orders.region,
            orders.small_ordered_at,
            orders.locked_at,
            case
                when rules.launch_ends_on is null
                then orders.small_ordered_at
                -- the last day of a launch is over at the next local midnight
                else cast(rules.launch_ends_on as timestamp) + interval '16' hour
            end as counted_from,
            rules.lock_days,
            row_number() over (
                partition by orders.order_no
                order by
                    case when rules.series_code is null then 1 else 0 end,
                    coalesce(rules.ordered_from, date '1900-01-01') desc,
                    rules.lock_days
            ) as place
        from {{ ref("int_orders") }} as orders
        inner join
            {{ ref("small_order_cut_offs") }} as rules
            on coalesce(
                rules.series_code = orders.series_code, rules.series_code is null
            )
            and coalesce(
                rules.ordered_from <= {{ local_date("orders.small_ordered_at") }}, true
            )
            and coalesce(
                rules.ordered_until > {{ local_date("orders.small_ordered_at") }}, true
            )
        where orders.small_ordered_at is not null
    ),

    limited as (
        select *, counted_from + lock_days * interval '1' day as cut_off_at
        from fitting
        where place = 1
    )

select
    order_no,
    one_id,
    series_code,
    dealer_code,
    region,
    small_ordered_at,
    locked_at,
    cut_off_at,
    coalesce(locked_at < cut_off_at, false) as is_locked_in_time
from limited
