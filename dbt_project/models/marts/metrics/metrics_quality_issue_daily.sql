-- Grain: one row per local date on which it was raised, series, fault part and source.
-- Why: how long a fault of a car takes from the customer to the plant and back.
{%- set lags = [
    ("escalation", "escalated_at"),
    ("fix", "fixed_at"),
    ("verification", "verified_at"),
] %}
with
    issues as (
        select
            issues.*,
            recurring.issue_id is not null as has_come_back,
            {%- for name, happened_at in lags %}
                -- only forward: what happened before it was raised took no time
                case
                    when issues.{{ happened_at }} >= issues.raised_at
                    then
                        cast(
                            {{
                                dbt.datediff(
                                    "issues.raised_at",
                                    "issues." ~ happened_at,
                                    "second",
                                )
                            }} as double
                        )
                        / 60
                end as minutes_to_{{ name }},
            {%- endfor %}
            {{ as_of() }} as as_of
        from {{ ref("int_quality_issues") }} as issues
        left join
            {{ ref("int_quality_issues__recurring") }} as recurring
            on recurring.issue_id = issues.issue_id
        where issues.raised_at is not null
    )

select
    {{ local_date("raised_at") }} as date,
    {{ key_text("series_code") }} as series_code,
    {{ key_text("fault_part") }} as fault_part,
    {{ key_text("issue_source") }} as source,
    count(*) as issues_raised,
    count(escalated_at) as issues_escalated,
    count(fixed_at) as issues_fixed,
    count(verified_at) as issues_verified,
    {{
        ratio(
            "escalated_rate_1d",
            in_window("escalated_at", "raised_at", 1),
            is_mature("raised_at", 1),
        )
    }},
    {%- for days in [1, 2, 7, 30] %}
        {{
            ratio(
                "fixed_rate_" ~ days ~ "d",
                in_window("fixed_at", "raised_at", days),
                is_mature("raised_at", days),
            )
        }},
    {%- endfor %}
    {{
        ratio(
            "verified_rate_30d",
            in_window("verified_at", "raised_at", 30),
            is_mature("raised_at", 30),
        )
    }},
    {{ ratio("recurrence_rate_30d", "has_come_back", is_mature("fixed_at", 30)) }}
    {%- for name, happened_at in lags %}
        ,
        count(minutes_to_{{ name }}) as {{ name }}_minutes_count,
        {{ percentiles("minutes_to_" ~ name, name ~ "_minutes") }}
    {%- endfor %}
from issues
group by
    {{ local_date("raised_at") }},
    {{ key_text("series_code") }},
    {{ key_text("fault_part") }},
    {{ key_text("issue_source") }}
