-- Grain: one row per record, attribute of a person that it knows, and value.
-- Only these rows are ever preferred or lost; the rules for that are in the seeds.
with
    observed as (
        select
            d.source,
            d.entity,
            d.record_key,
            d.attribute,
            case
                when
                    d.attribute = 'gender'
                    and lower(d.value) in ('男', '男性', '先生', 'm', 'male')
                then '男'
                when
                    d.attribute = 'gender'
                    and lower(d.value) in ('女', '女性', '女士', 'f', 'female')
                then '女'
                when d.attribute = 'gender'
                then null
                when d.attribute = 'birth_date'
                then cast(try_cast(d.value as date) as varchar)
                else d.value
            end as value,
            coalesce(d.observed_at, r.last_seen_at) as observed_at
        from {{ ref("int_users__stated_values") }} as d
        inner join
            {{ ref("int_identity_records") }} as r
            on d.source = r.source
            and d.entity = r.entity
            and d.record_key = r.record_key
    ),

    known as (
        select
            m.one_id,
            o.attribute,
            o.value,
            o.source,
            o.entity,
            o.record_key,
            o.observed_at,
            cast(null as boolean) as is_verified,
            false as is_shared
        from observed as o
        inner join
            {{ ref("bridge_user_records") }} as m
            on o.source = m.source
            and o.entity = m.entity
            and o.record_key = m.record_key
        union all
        select
            one_id,
            attribute,
            value,
            source,
            entity,
            record_key,
            observed_at,
            is_verified,
            is_shared
        from {{ ref("int_users__contact_values") }}
        union all
        select
            one_id,
            'allows_marketing',
            case when is_yes then 'true' else 'false' end,
            source,
            entity,
            record_key,
            said_at,
            null,
            false
        from {{ ref("int_users__consents") }}
    )

select *
from known
where
    value is not null
    -- what a form calls somebody without a name is no name
    and not (
        attribute = 'name'
        and value
        in ('先生', '女士', '小姐', '客户', '用户', '匿名', '未知', '不详', '测试', '微信用户', '匿名用户')
    )
    and not (
        attribute = 'birth_date'
        and (
            try_cast(value as date) < date '1900-01-01'
            or try_cast(value as date) > {{ local_date(as_of()) }}
        )
    )
