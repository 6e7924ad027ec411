-- Grain: one row per lead whose person paid a small order since, the first of these.
with
    ranked as (
        select
            leads.lead_id,
            orders.order_no,
            orders.cut_off_at,
            orders.is_locked_in_time,
            row_number() over (
                partition by leads.lead_id
                order by orders.small_ordered_at, orders.order_no
            ) as place
        from {{ ref("int_leads__delivered") }} as leads
        inner join
            {{ ref("int_small_orders") }} as orders
            on orders.one_id = leads.one_id
            and orders.small_ordered_at >= leads.created_at
    )

select lead_id, order_no, cut_off_at, is_locked_in_time
from ranked
where place = 1
