-- Grain: one row per claim of the founding documents and reading of it.
-- Why: a number that everybody repeats is compared with what is measured, with the
-- uncertainty of the measurement. Everything that was published counts, all periods
-- together; of what is told as a stock only the last month does.
{%- set measured = [
    (
        "inquiry_after_views",
        "hits",
        "metrics_behaviour_rule_weekly",
        "rule_precision_72h",
    ),
    (
        "complaint_contact_24h",
        "accepted",
        "metrics_complaint_daily",
        "contact_24h_rate",
    ),
    (
        "complaints_misleading",
        "accepted",
        "metrics_complaint_daily",
        "misleading_share",
    ),
    (
        "lead_capture",
        "members",
        "metrics_referral_member_monthly",
        "lead_capture_rate_members",
    ),
    (
        "lead_capture",
        "visitors",
        "metrics_referral_member_monthly",
        "lead_capture_rate_visitors",
    ),
    (
        "quality_issue_day",
        "escalated",
        "metrics_quality_issue_daily",
        "escalated_rate_1d",
    ),
    (
        "quality_issue_repair",
        "fixed",
        "metrics_quality_issue_daily",
        "fixed_rate_2d",
    ),
    (
        "silent_owners",
        "deliveries",
        "metrics_owner_care_monthly",
        "silent_180_rate",
    ),
    (
        "contacts_after_delivery",
        "deliveries",
        "metrics_owner_care_monthly",
        "owner_touch_90d",
    ),
    (
        "proactive_contacts",
        "contacts",
        "metrics_owner_care_monthly",
        "proactive_share",
    ),
    (
        "fan_visits",
        "fans",
        "metrics_wecom_fans_monthly",
        "fan_to_visit_rate_90",
    ),
    (
        "training_completion",
        "due",
        "metrics_training_monthly",
        "training_completion",
    ),
] %}
with
    measured as (
        {%- for claim, reading, table, metric in measured %}
            select
                '{{ claim }}' as claim,
                '{{ reading }}' as reading,
                cast(coalesce(sum({{ metric }}_num), 0) as bigint) as measured_num,
                cast(coalesce(sum({{ metric }}_den), 0) as bigint) as measured_den
            from {{ ref(table) }}
            {%- if metric == "lead_capture_rate_members" %}
                where month = (select max(month) from {{ ref(table) }})
            {%- endif %}
            {%- if not loop.last %}
                union all
            {%- endif %}
        {%- endfor %}
    ),

    bounded as (
        select
            claims.claim,
            claims.reading,
            claims.document,
            claims.statement,
            claims.says,
            claims.claimed,
            measured.measured_num,
            measured.measured_den,
            measured.measured_num
            / cast(nullif(measured.measured_den, 0) as double) as measured,
            {% for side, name in [(-1, "low"), (1, "high")] %}
                case
                    when claims.is_share
                    then
                        {{
                            wilson_bound(
                                "measured.measured_num",
                                "measured.measured_den",
                                side,
                            )
                        }}
                end as measured_{{ name }}
                {%- if not loop.last %},{% endif %}
            {% endfor %}
        from {{ ref("claims") }} as claims
        inner join
            measured
            on measured.claim = claims.claim
            and measured.reading = claims.reading
    )

select
    *,
    case
        when measured is null
        then 'no data'
        when
            claimed between coalesce(measured_low, measured) and coalesce(
                measured_high, measured
            )
        then 'agrees'
        when measured > claimed and says = 'at_most'
        then 'missed'
        when measured < claimed and says = 'at_least'
        then 'missed'
        when says in ('at_least', 'at_most')
        then 'kept'
        when measured > claimed
        then 'higher'
        else 'lower'
    end as verdict
from bounded
