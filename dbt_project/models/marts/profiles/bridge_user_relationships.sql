-- Grain: one row per pair of persons and relationship.
-- Persons who belong together without being one: families, who share a phone,
-- referrers.
-- A household pair is unordered and stands once; a referrer is one_id, the referred
-- related_one_id; of those who share a hub's phone each stands with the first.
with
    identifiers as (
        select e.*, m.one_id
        from {{ ref("int_identity_evidence") }} as e
        inner join
            {{ ref("bridge_user_records") }} as m
            on e.source = m.source
            and e.entity = m.entity
            and e.record_key = m.record_key
        where e.identifier_type = 'mobile'
    ),

    phones as (select distinct identifier_value, one_id from identifiers where is_edge),

    households as (
        select
            least(b.one_id, p.one_id) as one_id,
            greatest(b.one_id, p.one_id) as related_one_id,
            'household' as relationship,
            concat(
                'backup phone of ', b.source, ':', b.entity, ':', b.record_key
            ) as evidence
        from identifiers as b
        inner join
            phones as p
            on b.identifier_value = p.identifier_value
            and b.one_id <> p.one_id
        where b.reason = 'backup_phone'
    ),

    shared as (
        select
            least(l.one_id, r.one_id) as one_id,
            greatest(l.one_id, r.one_id) as related_one_id,
            case
                when x.reason = 'hub' then 'shared_phone' else 'household'
            end as relationship,
            concat(
                x.identifier_type, ' of ', x.source, ':', x.entity, ':', x.record_key
            ) as evidence
        from {{ source("identity", "refused_links") }} as x
        inner join {{ ref("identifiers") }} as d using (identifier_type)
        inner join
            {{ ref("bridge_user_records") }} as l
            on x.source = l.source
            and x.entity = l.entity
            and x.record_key = l.record_key
        inner join
            {{ ref("bridge_user_records") }} as r
            on x.other_source = r.source
            and x.other_entity = r.entity
            and x.other_record_key = r.record_key
        where
            d.over_limit = 'relationship_only'
            and (x.reason = 'hub' or x.reason like 'different/_%' escape '/')
    ),

    referrals as (
        {% for source, entity in [
            ("partner", "referrals"),
            ("crm", "leads"),
            ("dms", "orders"),
        ] %}
            select
                '{{ source }}' as source,
                '{{ entity }}' as entity,
                record_key,
                member_code
            from {{ ref("stg_" ~ source ~ "__" ~ entity) }}
            where member_code is not null
            {% if not loop.last %}
                union all
            {% endif %}
        {% endfor %}
    ),

    referrers as (
        select
            m.one_id,
            p.one_id as related_one_id,
            'referrer' as relationship,
            concat(
                'member code in ', r.source, ':', r.entity, ':', r.record_key
            ) as evidence
        from referrals as r
        inner join
            {{ ref("bridge_user_records") }} as m
            on m.source = 'partner'
            and m.entity = 'members'
            and m.record_key = r.member_code
        inner join
            {{ ref("bridge_user_records") }} as p
            on p.source = r.source
            and p.entity = r.entity
            and p.record_key = r.record_key
        where m.one_id <> p.one_id
    )

select one_id, related_one_id, relationship, min(evidence) as evidence
from
    (
        select *
        from households
        union all
        select *
        from shared
        union all
        select *
        from referrers
    ) as pairs
group by one_id, related_one_id, relationship
