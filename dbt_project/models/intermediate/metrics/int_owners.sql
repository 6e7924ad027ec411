-- Grain: one row per known buyer, a person or a company, who kept a car delivered to
-- them.
-- Why: whose customer an owner is, and whether they bought again.
with
    cars as (
        select
            buyer_key,
            one_id,
            staff_id,
            delivered_at,
            row_number() over (
                partition by buyer_key order by delivered_at, order_no
            ) as place,
            lead(delivered_at) over (
                partition by buyer_key order by delivered_at, order_no
            ) as next_delivered_at
        from {{ ref("int_car_sales") }}
        -- a car given back makes nobody an owner
        where
            reversed_at is null
            and delivered_at is not null
            and (one_id is not null or organisation_id is not null)
    )

select buyer_key, one_id, staff_id, delivered_at, next_delivered_at
from cars
where place = 1
