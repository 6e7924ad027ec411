-- Grain: one row per local month and dealer that won persons as WeCom contacts (加粉).
-- Why: whether those who are won online come to a store. Decision 0059.
with
    firsts as (
        select
            one_id,
            dealer_code,
            added_at,
            row_number() over (
                partition by one_id order by added_at, record_key
            ) as place
        from {{ ref("int_wecom") }}
        where one_id is not null and added_at < {{ as_of() }}
    ),

    -- visits are of whom the store knows by a number: nobody else can be seen there
    matched as (
        select distinct one_id
        from {{ ref("bridge_user_identifiers") }}
        where identifier_type = 'mobile' and not is_shared
    ),

    fans as (
        select
            firsts.one_id,
            {{ key_text("firsts.dealer_code") }} as dealer_code,
            firsts.added_at,
            {{ as_of() }} as as_of,
            matched.one_id is not null as is_matched,
            min(visits.arrived_at) as arrived_at
        from firsts
        left join matched on matched.one_id = firsts.one_id
        left join
            {{ ref("int_store_visits") }} as visits
            on visits.one_id = firsts.one_id
            and visits.arrived_at >= firsts.added_at
        where firsts.place = 1
        group by firsts.one_id, firsts.dealer_code, firsts.added_at, matched.one_id
    )

select
    {{ local_month("added_at") }} as month,
    dealer_code,
    count(*) as fans_gained,
    count(*) filter (where is_matched) as fans_matched,
    {{
        ratio(
            "fan_to_visit_rate_90",
            in_window("arrived_at", "added_at", 90),
            "is_matched and " ~ is_mature("added_at", 90),
        )
    }}
from fans
group by {{ local_month("added_at") }}, dealer_code
