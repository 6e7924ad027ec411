-- Grain: one row per lead whose phone had brought a lead in the 30 days before.
with
    leads as (
        select lead_id, mobile, dealer_code, created_at
        from {{ ref("int_leads__delivered") }}
        where mobile is not null and created_at is not null and not is_test
    ),

    preceded as (
        select
            lead_id,
            created_at,
            max(created_at) over (
                partition by mobile
                order by
                    created_at
                    range
                    between interval '30' day preceding
                    and interval '1' microsecond preceding
            ) as previous_at,
            case
                when dealer_code is not null
                then
                    max(created_at) over (
                        partition by mobile, dealer_code
                        order by
                            created_at
                            range
                            between interval '30' day preceding
                            and interval '1' microsecond preceding
                    )
            end as previous_at_dealer_at
        from leads
    )

select lead_id, previous_at_dealer_at is not null as is_same_dealer
from preceded
where previous_at is not null
