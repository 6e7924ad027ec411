-- Grain: one row per week (its Monday) and region.
-- Why: the one page of the joint task force: what plant and dealers reached together.
{%- set week = "cast(date_trunc('week', {}) as date)" %}
with
    leads as (
        select
            {{ week.format("created_date") }} as week,
            {{ key_text("region") }} as region,
            count(*) filter (where is_created) as leads_created,
            count(*) filter (where is_valid) as leads_valid,
            {%- for name, days in [
                ("joint_conversion", 30),
                ("joint_conversion_60d", 60),
                ("joint_conversion_90d", 90),
            ] %}
                {{
                    ratio(
                        name,
                        kept_order_in_window("large", days),
                        "is_valid and " ~ is_mature("created_at", days),
                    )
                }}{{ "," if not loop.last }}
            {%- endfor %}
        from {{ ref("int_leads__funnel") }}
        group by 1, 2
    ),

    surveys as (
        select
            {{ week.format(local_date("submitted_at")) }} as week,
            {{ key_text("region") }} as region,
            count(*) filter (where recommend_score >= 9) as promoters,
            count(*) filter (where recommend_score <= 6) as detractors,
            count(*) as responses
        from {{ ref("int_surveys") }}
        where submitted_at is not null and recommend_score between 0 and 10
        group by 1, 2
    ),

    actions as (
        select
            {{ week.format(local_date("meeting_at")) }} as week,
            {{ key_text("region") }} as region,
            count(*) as actions,
            {{
                ratio(
                    "meeting_action_close_rate",
                    "closed_at <= due_at",
                    "due_at <= as_of",
                )
            }},
            {{ joined_texts("staff_id", "not is_of_dealer") }} as oem_owners,
            {{ joined_texts("staff_id", "is_of_dealer") }} as dealer_owners
        from
            (
                select *, {{ as_of() }} as as_of from {{ ref("int_action_items") }}
            ) as items
        where meeting_at is not null
        group by 1, 2
    ),

    keys as (
        select week, region
        from leads
        union
        select week, region
        from surveys
        union
        select week, region
        from actions
    )

select
    keys.week,
    keys.region,
    coalesce(leads.leads_created, 0) as leads_created,
    coalesce(leads.leads_valid, 0) as leads_valid,
    {%- for name in [
        "joint_conversion",
        "joint_conversion_60d",
        "joint_conversion_90d",
    ] %}
        coalesce(leads.{{ name }}_num, 0) as {{ name }}_num,
        coalesce(leads.{{ name }}_den, 0) as {{ name }}_den,
        leads.{{ name }},
    {%- endfor %}
    coalesce(surveys.promoters - surveys.detractors, 0) as joint_nps_num,
    coalesce(surveys.responses, 0) as joint_nps_den,
    -- fewer than ten answers say nothing
    case
        when surveys.responses >= 10
        then cast(surveys.promoters - surveys.detractors as double) / surveys.responses
    end as joint_nps,
    coalesce(actions.actions, 0) as actions,
    coalesce(actions.meeting_action_close_rate_num, 0) as meeting_action_close_rate_num,
    coalesce(actions.meeting_action_close_rate_den, 0) as meeting_action_close_rate_den,
    actions.meeting_action_close_rate,
    actions.oem_owners,
    actions.dealer_owners
from keys
left join leads on leads.week = keys.week and leads.region = keys.region
left join surveys on surveys.week = keys.week and surveys.region = keys.region
left join actions on actions.week = keys.week and actions.region = keys.region
