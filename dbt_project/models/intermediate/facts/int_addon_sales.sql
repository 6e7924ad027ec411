-- Grain: one row per subscription, service package or accessory sold.
select
    sales.sale_id,
    records.one_id,
    sales.vin,
    sales.product_type,
    sales.product_name,
    sales.staff_id,
    sales.amount_fen,
    sales.paid_at,
    sales.refunded_at
from {{ ref("stg_dms__addon_sales") }} as sales
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'dms'
    and records.entity = 'addon_sales'
    and records.record_key = sales.record_key
