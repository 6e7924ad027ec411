-- Grain: one row per record that names a car and no person.
-- The name of whoever owned the car then. A car links nobody: the name only tells the
-- members of a family apart who share a phone.
{% set carriers = [
    ("crm", "surveys", "sent_at"),
    ("crm", "owner_contacts", "contacted_at"),
    ("dms", "addon_sales", "paid_at"),
] %}

with
    companies as (select distinct name from {{ ref("int_identity_organisations") }}),

    owners as (
        select
            o.vin,
            o.name,
            coalesce(o.locked_at, o.large_ordered_at, o.small_ordered_at) as since
        from {{ ref("stg_dms__orders") }} as o
        where o.cancelled_at is null
        union all
        select vin, owner_name, arrived_at
        from {{ ref("stg_dms__service_orders") }}
    ),

    seen as (
        {% for source, entity, time in carriers %}
            select
                '{{ source }}' as source,
                '{{ entity }}' as entity,
                record_key,
                vin,
                {{ time }} as seen_at
            from {{ ref("stg_" ~ source ~ "__" ~ entity) }}
            where vin is not null
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    ),

    -- the last one who owned it before, else the first who is known at all
    placed as (
        select
            s.source,
            s.entity,
            s.record_key,
            o.name,
            row_number() over (
                partition by s.source, s.entity, s.record_key
                order by
                    case when o.since <= s.seen_at then 0 else 1 end,
                    case when o.since <= s.seen_at then o.since end desc,
                    o.since,
                    o.name
            ) as place
        from seen as s
        inner join owners as o on s.vin = o.vin
        where o.name is not null and o.since is not null
    )

select p.source, p.entity, p.record_key, p.name
from placed as p
left join companies as c on p.name = c.name
where p.place = 1 and c.name is null and not {{ matches("p.name", "公司|集团|商行|中心$|厂$") }}
