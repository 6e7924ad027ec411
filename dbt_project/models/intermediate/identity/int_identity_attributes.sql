-- Grain: one row per record and attribute of its person.
-- What tells namesakes apart and finds the person of a record without identifiers.
{% set attributes = {
    ("crm", "contacts"): [
        "gender",
        "birth_date",
        "province",
        "city",
        "address",
        "masked_mobile",
    ],
    ("crm", "leads"): [
        "gender",
        "province",
        "city",
        "dealer_code",
        "masked_mobile",
    ],
    ("crm", "adf_leads"): [
        "province",
        "city",
        "address",
        "dealer_code",
        "masked_mobile",
    ],
    ("crm", "complaints"): ["dealer_code", "masked_mobile"],
    ("crm", "surveys"): ["dealer_code", "masked_mobile"],
    ("crm", "owner_contacts"): ["masked_mobile"],
    ("dms", "customers"): [
        "province",
        "city",
        "address",
        "dealer_code",
        "born_by_card",
        "masked_mobile",
    ],
    ("dms", "orders"): ["dealer_code", "born_by_card", "masked_mobile"],
    ("dms", "service_orders"): ["dealer_code", "masked_mobile"],
    ("dms", "store_visits"): ["dealer_code", "masked_mobile"],
    ("dms", "test_drives"): ["dealer_code", "masked_mobile"],
    ("dms", "addon_sales"): ["masked_mobile"],
    ("partner", "members"): ["masked_mobile"],
    ("partner", "referrals"): ["masked_mobile"],
} %}
{% set expressions = {
    "birth_date": "cast(birth_date as varchar)",
    "masked_mobile": list_item("_masked_mobiles", 1),
    "born_by_card": "case when length(id_card) = 18 then concat(substring(id_card, 7, 4), '-',"
    ~ " substring(id_card, 11, 2), '-', substring(id_card, 13, 2)) end",
} %}

with
    known as (
        {% for (source, entity), names in attributes.items() %}
            {% set outer = loop %}
            {% for name in names %}
                select
                    '{{ source }}' as source,
                    '{{ entity }}' as entity,
                    record_key,
                    '{{ "birth_date" if name == "born_by_card" else name }}'
                    as attribute,
                    {{ expressions.get(name, name) }} as value
                from {{ ref("stg_" ~ source ~ "__" ~ entity) }}
                {% if not (outer.last and loop.last) %}
                    union all
                {% endif %}
            {% endfor %}
        {% endfor %}
    )

select source, entity, record_key, attribute, value
from known
where value is not null
