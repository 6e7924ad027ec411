-- Grain: one row per person who ordered: cars kept, orders that stand, and when the
-- last fell through.
select
    one_id,
    count(*) filter (where is_delivered and not is_returned) as cars_kept,
    count(*) filter (where not is_delivered and not is_cancelled) as orders_open,
    max(coalesce(returned_at, cancelled_at, first_ordered_at)) filter (
        where is_returned or (is_cancelled and not is_delivered)
    ) as last_fell_through_at
from {{ ref("int_orders") }}
where one_id is not null
group by one_id
