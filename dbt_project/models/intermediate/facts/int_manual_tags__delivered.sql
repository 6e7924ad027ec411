-- Grain: one row per hand-set tag as delivered, older versions and repeats too.
-- Spells phones as the bridge of identifiers does.
with
    words as (
        select {{ collect("mobile") }} as _placeholder_mobiles
        from {{ ref("placeholder_mobiles") }}
    ),

    delivered as (
        select
            _delivery_id as delivery_id,
            {{ clean_key(adapter.quote("标识类型")) }} as identifier_type,
            {{ clean_key(adapter.quote("标识值")) }} as identifier_value
        from {{ source("delivered", "crm__manual_tags__every_row") }}
    ),

    tidied as (
        select *, {{ tidy_text("identifier_value") }} as tidy_value from delivered
    )

select
    delivery_id,
    identifier_type,
    identifier_value,
    case
        when identifier_type = 'mobile'
        then {{ clean_mobile("tidy_value") }}
        else identifier_value
    end as clean_value
from tidied
cross join words
