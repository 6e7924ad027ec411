-- Grain: one row per local month, staff_id and customer whom they met, drove with,
-- handed over to or called.
{%- set meetings = [
    ("int_store_visits", "arrived_at", "one_id", "visit_id"),
    ("int_test_drives", "started_at", "one_id", "test_drive_id"),
    ("int_owner_contacts", "contacted_at", "one_id", "contact_id"),
    (
        "int_deliveries",
        "delivered_at",
        "coalesce(one_id, organisation_id)",
        "delivery_id",
    ),
] %}
{%- for fact, happened_at, customer, record in meetings %}
    select
        {{ local_month(happened_at) }} as month,
        staff_id,
        -- whom identity does not know is somebody by the record
        coalesce({{ customer }}, concat('{{ fact }} ', {{ record }})) as customer_key
    from {{ ref(fact) }}
    where
        {{ happened_at }} is not null and staff_id is not null
        {{ "union" if not loop.last }}
{%- endfor %}
