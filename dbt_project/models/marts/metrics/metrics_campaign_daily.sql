-- Grain: one row per local date and campaign.
-- Why: whom a campaign reaches, what its leads become, and what that costs.
with
    days as (
        select campaign_code, date, 1 as is_running, budget_fen
        from {{ ref("int_campaign_days") }}
    ),

    joins as (
        select
            campaign_code,
            {{ local_date("occurred_at") }} as date,
            count(*) as joins,
            count(distinct one_id) as participants
        from {{ ref("int_events") }}
        where
            event = 'join_activity'
            and campaign_code is not null
            and occurred_at is not null
        group by campaign_code, {{ local_date("occurred_at") }}
    ),

    firsts as (
        select
            campaign_code,
            {{ local_date("joined_at") }} as date,
            count(*) as participants_new,
            {{
                ratio(
                    "join_lead_rate_30d",
                    in_window("next_lead_at", "joined_at", 30),
                    is_mature("joined_at", 30),
                )
            }}
        from
            (
                select *, {{ as_of() }} as as_of from {{ ref("int_campaign_joins") }}
            ) as joined
        group by campaign_code, {{ local_date("joined_at") }}
    ),

    leads as (
        select
            campaign_code,
            created_date as date,
            count(*) filter (where is_created) as leads_created,
            count(*) filter (where is_test) as leads_test,
            count(*) filter (where is_created and is_staff) as leads_staff,
            count(*) filter (where is_valid) as leads_valid,
            {%- for name, happened_at, days in [
                ("visit_rate_30d", "visited_at", 30),
                ("test_drive_rate_30d", "test_driven_at", 30),
                ("delivery_rate_90d", "delivered_at", 90),
            ] %}
                {{
                    ratio(
                        name,
                        in_window(happened_at, "created_at", days),
                        "is_valid and " ~ is_mature("created_at", days),
                    )
                }},
            {%- endfor %}
            {{
                ratio(
                    "order_rate_30d",
                    kept_order_in_window("large", 30),
                    "is_valid and " ~ is_mature("created_at", 30),
                )
            }}
        from {{ ref("int_leads__funnel") }}
        where campaign_code is not null
        group by campaign_code, created_date
    ),

    keys as (
        select campaign_code, date
        from days
        union
        select campaign_code, date
        from joins
        union
        select campaign_code, date
        from leads
    )

select
    keys.date,
    keys.campaign_code,
    coalesce(days.is_running, 0) = 1 as is_running,
    coalesce(days.budget_fen, 0) as budget_fen,
    coalesce(joins.joins, 0) as joins,
    coalesce(joins.participants, 0) as participants,
    coalesce(firsts.participants_new, 0) as participants_new,
    {%- for measure in [
        "leads_created",
        "leads_test",
        "leads_staff",
        "leads_valid",
    ] %}
        coalesce(leads.{{ measure }}, 0) as {{ measure }},
    {%- endfor %}
    coalesce(firsts.join_lead_rate_30d_num, 0) as join_lead_rate_30d_num,
    coalesce(firsts.join_lead_rate_30d_den, 0) as join_lead_rate_30d_den,
    firsts.join_lead_rate_30d
    {%- for name in [
        "visit_rate_30d",
        "test_drive_rate_30d",
        "order_rate_30d",
        "delivery_rate_90d",
    ] %}
        ,
        coalesce(leads.{{ name }}_num, 0) as {{ name }}_num,
        coalesce(leads.{{ name }}_den, 0) as {{ name }}_den,
        leads.{{ name }}
    {%- endfor %}
from keys
left join days on days.campaign_code = keys.campaign_code and days.date = keys.date
left join joins on joins.campaign_code = keys.campaign_code and joins.date = keys.date
left join
    firsts on firsts.campaign_code = keys.campaign_code and firsts.date = keys.date
left join leads on leads.campaign_code = keys.campaign_code and leads.date = keys.date
