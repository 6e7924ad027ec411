-- Grain: one row per local month of delivery, dealer and member of staff.
-- Why: whether owners hear from us after the car is sold, and whether they come back.
with
    contacts as (
        select
            delivery_id,
            count(*) filter (where is_in_90d) as contacts_90d,
            count(*) filter (where is_in_90d and is_proactive) as proactive_90d,
            count(*) filter (where is_in_90d and is_touch) as touches_90d,
            count(*) filter (where is_proactive) as proactive_180d,
            count(*) filter (where day_number between 5 and 9) as day7_contacts
        from {{ ref("int_deliveries__contacts") }}
        group by delivery_id
    ),

    deliveries as (
        select
            cast(
                date_trunc('month', {{ local_date("deliveries.delivered_at") }}) as date
            ) as month,
            {{ key_text("deliveries.dealer_code") }} as dealer_code,
            {{ key_text("deliveries.staff_id") }} as staff_id,
            deliveries.delivered_at,
            coalesce(contacts.contacts_90d, 0) as contacts_90d,
            coalesce(contacts.proactive_90d, 0) as proactive_90d,
            coalesce(contacts.touches_90d, 0) as touches_90d,
            coalesce(contacts.proactive_180d, 0) as proactive_180d,
            coalesce(contacts.day7_contacts, 0) as day7_contacts,
            -- day 9 is over
            {{
                dbt.datediff(
                    local_date("deliveries.delivered_at"), local_date(as_of()), "day"
                )
            }} >= 10 as is_day7_mature,
            returns.next_delivered_at,
            returns.referred_at,
            deliveries.one_id is not null as is_of_person,
            returns.is_service_active,
            returns.is_due_for_service,
            deliveries.is_returned,
            {{ as_of() }} as as_of
        from {{ ref("int_deliveries") }} as deliveries
        left join contacts on contacts.delivery_id = deliveries.delivery_id
        left join
            {{ ref("int_deliveries__returns") }} as returns
            on returns.delivery_id = deliveries.delivery_id
        where deliveries.delivered_at is not null
    )

select
    month,
    dealer_code,
    staff_id,
    count(*) as deliveries,
    {% for name, hits, anchors in [
        ("owner_touch_90d", "touches_90d", "1"),
        ("proactive_share", "proactive_90d", "contacts_90d"),
    ] %}
        {%- set mature = is_mature("delivered_at", 90) %}
        cast(
            coalesce(sum({{ hits }}) filter (where {{ mature }}), 0) as bigint
        ) as {{ name }}_num,
        cast(
            coalesce(sum({{ anchors }}) filter (where {{ mature }}), 0) as bigint
        ) as {{ name }}_den,
        cast(sum({{ hits }}) filter (where {{ mature }}) as double)
        / nullif(sum({{ anchors }}) filter (where {{ mature }}), 0) as {{ name }},
    {%- endfor %}
    {{
        ratio(
            "silent_180_rate",
            "proactive_180d = 0",
            is_mature("delivered_at", 180),
        )
    }},
    {{ ratio("day7_visit_rate", "day7_contacts > 0", "is_day7_mature") }},
    {%- for months in [36, 60] %}
        {{
            ratio(
                "repurchase_rate_" ~ months ~ "m",
                "next_delivered_at < " ~ months_after("delivered_at", months),
                months_after("delivered_at", months) ~ " <= as_of",
            )
        }},
    {%- endfor %}
    {{
        ratio(
            "referral_rate_12m",
            "referred_at < " ~ months_after("delivered_at", 12),
            "is_of_person and " ~ months_after("delivered_at", 12) ~ " <= as_of",
        )
    }},
    {{
        ratio(
            "service_active",
            "is_service_active",
            "is_due_for_service and not is_returned",
        )
    }}
from deliveries
group by month, dealer_code, staff_id
