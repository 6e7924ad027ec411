-- Grain: one row per person.
-- The golden profile: attributes by declared survivorship, flags, lifecycle, when and
-- where seen.
with
    attributes as (
        select
            one_id,
            {% for attribute in [
                "name",
                "gender",
                "birth_date",
                "mobile",
                "email",
                "province",
                "city",
                "allows_marketing",
            ] %}
                max(
                    case when attribute = '{{ attribute }}' then value end
                ) as {{ attribute }}
                {% if not loop.last %}, {% endif %}
            {% endfor %}
        from {{ ref("dim_users_sources") }}
        group by one_id
    ),

    owners as (
        select distinct one_id
        from {{ ref("bridge_user_vehicles") }}
        where role = 'owner' and valid_to is null
    ),

    partners as (
        select distinct m.one_id
        from {{ ref("bridge_user_records") }} as m
        inner join {{ ref("stg_partner__members") }} as p on m.record_key = p.record_key
        where
            m.source = 'partner'
            and m.entity = 'members'
            and coalesce(p.status, '') <> '注销'
    )

select
    p.one_id,
    a.name,
    a.gender,
    cast(a.birth_date as date) as birth_date,
    a.mobile,
    a.email,
    a.province,
    a.city,
    owners.one_id is not null as is_owner,
    staff.one_id is not null as is_staff,
    partners.one_id is not null as is_partner,
    coalesce(a.allows_marketing = 'true', false) as allows_marketing,
    l.lifecycle_stage,
    l.nurture_pool,
    l.lead_tier,
    p.first_seen_at,
    p.last_seen_at,
    p.source_count,
    p.record_count,
    (
        select identity_version from {{ source("identity", "version") }}
    ) as identity_version
from {{ ref("int_users__persons") }} as p
left join attributes as a on p.one_id = a.one_id
left join owners on p.one_id = owners.one_id
left join {{ ref("int_staff_persons") }} as staff on p.one_id = staff.one_id
left join partners on p.one_id = partners.one_id
left join {{ ref("int_users__lifecycle") }} as l on p.one_id = l.one_id
