-- Grain: one row per identifier that hand-set tags name, as delivered.
-- Finds the person meant. Of a value that several persons share nobody can say whom;
-- who merely names it as a backup phone does not share it.
with
    named as (
        select distinct identifier_type, identifier_value, clean_value
        from {{ ref("int_manual_tags__delivered") }}
        where identifier_type in ('mobile', 'unionid', 'login_id', 'crm_customer_id')
    ),

    holders as (
        select
            identifier_type,
            identifier_value,
            min(one_id) as one_id,
            count(distinct one_id) as holder_count
        from {{ ref("bridge_user_identifiers") }}
        where not is_shared
        group by identifier_type, identifier_value
    ),

    shared as (
        select distinct identifier_type, identifier_value
        from {{ source("identity", "shared_values") }}
        where sharing <> 'blocked'
    ),

    judged as (
        select
            named.identifier_type,
            named.identifier_value,
            holders.one_id,
            shared.identifier_value is not null
            or coalesce(holders.holder_count, 0) > 1 as is_shared
        from named
        left join
            holders
            on holders.identifier_type = named.identifier_type
            and holders.identifier_value = named.clean_value
        left join
            shared
            on shared.identifier_type = named.identifier_type
            and shared.identifier_value = named.clean_value
    )

select
    identifier_type,
    identifier_value,
    case when not is_shared then one_id end as one_id,
    is_shared
from judged
