-- Grain: one row per delivery and contact of staff with its owner in the 180 days
-- after.
-- A contact is about the car that it names; where it names none, about every car that
-- its person took delivery of.
{% set matches = [
    "contacts.vin= deliveries.vin",
    "contacts.vin is null and contacts.one_id = deliveries.one_id",
] %}

{% for match in matches %}
    select
        deliveries.delivery_id,
        contacts.contact_id,
        contacts.contacted_at,
        contacts.is_proactive,
        contacts.is_proactive and coalesce(contacts.purpose, '') <> '保养提醒' as is_touch,
        {{
            dbt.datediff(
                local_date("deliveries.delivered_at"),
                local_date("contacts.contacted_at"),
                "day",
            )
        }} as day_number,
        {{ in_window("contacts.contacted_at", "deliveries.delivered_at", 90) }}
        as is_in_90d
    from {{ ref("int_deliveries") }} as deliveries
    inner join
        {{ ref("int_owner_contacts") }} as contacts
        on {{ match }}
        and {{ in_window("contacts.contacted_at", "deliveries.delivered_at", 180) }}
        {{ "union all" if not loop.last }}
{% endfor %}
