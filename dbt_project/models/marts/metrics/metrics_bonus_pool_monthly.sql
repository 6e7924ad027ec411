-- Grain: one row per local month and staff_id who served, or was asked or complained
-- about.
-- Why: who shares in the NPS pool of a month: liked by enough customers, complained
-- about by none.
with
    entries as (
        select month, staff_id, 'served' as what, 1 as value
        from {{ ref("int_customers_served") }}
        union all
        select {{ local_month("accepted_at") }}, staff_id, 'complaints', 1
        from {{ ref("int_complaints") }}
        where accepted_at is not null and staff_id is not null
        union all
        select
            month,
            staff_id,
            case
                when is_promoter
                then 'promoters'
                when is_detractor
                then 'detractors'
                else 'passives'
            end,
            1
        from {{ ref("int_survey_responses") }}
        where staff_id is not null
        union all
        select {{ local_month("sent_at") }}, staff_id, 'surveys', 1
        from {{ ref("int_surveys") }}
        where sent_at is not null and staff_id is not null
        union all
        select {{ local_month("surveys.sent_at") }}, surveys.staff_id, 'responses', 1
        from {{ ref("int_surveys") }} as surveys
        inner join
            {{ ref("int_survey_responses") }} as responses
            on responses.survey_id = surveys.survey_id
        where surveys.sent_at is not null and surveys.staff_id is not null
    ),

    counts as (
        select
            month,
            staff_id,
            {%- for what in [
                "served",
                "complaints",
                "promoters",
                "passives",
                "detractors",
                "surveys",
                "responses",
            ] %}
                cast(
                    count(*) filter (where what = '{{ what }}') as bigint
                ) as {{ what }}
                {{- "," if not loop.last }}
            {%- endfor %}
        from entries
        group by month, staff_id
    ),

    judged as (
        select
            counts.*,
            counts.complaints = 0 and counts.served > 0 as zero_complaint_flag,
            rules.pool_fen,
            case
                when
                    counts.promoters + counts.passives + counts.detractors >= 10
                    and (
                        not rules.needs_zero_complaint
                        or (counts.complaints = 0 and counts.served > 0)
                    )
                then
                    greatest(
                        counts.promoters * rules.points_promoter
                        + counts.detractors * rules.points_detractor,
                        0
                    )
                else 0
            end as points
        from counts
        left join
            {{ ref("bonus_rules") }} as rules
            on {{ is_valid_in("rules", "counts.month") }}
    ),

    shared as (
        select *, cast(sum(points) over (partition by month) as bigint) as all_points
        from judged
    ),

    floored as (
        select
            *,
            -- integers only: whole fen first, the fen left over go to the largest
            -- remainders
            cast(
                (pool_fen * points - pool_fen * points % nullif(all_points, 0))
                / nullif(all_points, 0) as bigint
            ) as whole_fen,
            pool_fen * points % nullif(all_points, 0) as remainder
        from shared
    )

select
    month,
    staff_id,
    {{ nps("promoters", "detractors", "(promoters + passives + detractors)") }},
    responses as response_rate_num,
    surveys as response_rate_den,
    cast(responses as double) / nullif(surveys, 0) as response_rate,
    complaints as complaints_accepted,
    served as customers_served,
    zero_complaint_flag,
    cast(points as bigint) as pool_share_num,
    all_points as pool_share_den,
    cast(points as double) / nullif(all_points, 0) as pool_share,
    whole_fen + case
        when
            row_number() over (
                partition by month order by remainder desc nulls last, staff_id
            )
            <= pool_fen - sum(whole_fen) over (partition by month)
        then 1
        else 0
    end as bonus_fen
from floored
