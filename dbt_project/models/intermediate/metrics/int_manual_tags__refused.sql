-- Grain: one row per delivery that has rows whose value several persons share.
-- Known only now that persons are: such rows are in the raw zone and have no effect.
select delivered.delivery_id, count(*) as rows_refused
from {{ ref("int_manual_tags__delivered") }} as delivered
inner join
    {{ ref("int_manual_tags__holders") }} as holders
    on holders.identifier_type = delivered.identifier_type
    and holders.identifier_value = delivered.identifier_value
where holders.is_shared
group by delivered.delivery_id
