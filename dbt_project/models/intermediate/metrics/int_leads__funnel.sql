-- Grain: one row per lead with everything that the lead funnel asks of it.
{%- set stages = [
    ("dispatch", "leads.created_at", "leads.dispatched_at"),
    ("contact", "leads.dispatched_at", "leads.first_contacted_at"),
    ("visit", "leads.first_contacted_at", "leads.visited_at"),
    ("test_drive", "leads.visited_at", "leads.test_driven_at"),
    ("order", "leads.test_driven_at", "leads.large_ordered_at"),
    ("delivery", "leads.large_ordered_at", "leads.delivered_at"),
    ("whole", "leads.created_at", "leads.delivered_at"),
] %}
with
    leads as (
        select
            leads.*,
            not leads.is_test as is_created,
            leads.large_ordered_at is not null
            and not leads.is_order_cancelled as has_kept_order,
            small_orders.cut_off_at as small_cut_off_at,
            small_orders.is_locked_in_time as is_small_locked_in_time,
            {%- for stage, before, after in stages %}
                -- only forward: a stage that was reached before the one before has no
                -- lag
                case
                    when leads.is_valid and {{ after }} >= {{ before }}
                    then
                        cast({{ dbt.datediff(before, after, "second") }} as double) / 60
                end as {{ stage }}_lag,
            {%- endfor %}
            {{ as_of() }} as as_of
        from {{ ref("int_leads") }} as leads
        left join
            {{ ref("int_leads__small_orders") }} as small_orders
            on small_orders.lead_id = leads.lead_id
        where leads.created_date is not null
    )

select
    *,
    is_valid
    and (coalesce(status in ('战败', '失效'), false) or has_kept_order) as is_closed
from leads
