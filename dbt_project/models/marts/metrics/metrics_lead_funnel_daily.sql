-- Grain: one row per local date of the lead, channels, series, dealer, region, tier.
-- Why: where leads come from, how far they get, and where they are lost.
{%- set keys = [
    "channel_1",
    "channel_2",
    "channel_3",
    "channel_4",
    "series_code",
    "dealer_code",
    "region",
    "tier",
] %}
{%- set lags = [
    ("stage_lag_dispatch", "dispatch_lag"),
    ("stage_lag_contact", "contact_lag"),
    ("stage_lag_visit", "visit_lag"),
    ("stage_lag_test_drive", "test_drive_lag"),
    ("stage_lag_order", "order_lag"),
    ("stage_lag_delivery", "delivery_lag"),
    ("stage_lag", "whole_lag"),
] %}
select
    created_date as date,
    {%- for key in keys %} {{ key_text(key) }} as {{ key }}, {%- endfor %}
    count(*) filter (where is_created) as leads_created,
    count(*) filter (where is_test) as leads_test,
    count(*) filter (where is_created and is_staff) as leads_staff,
    count(*) filter (where is_valid) as leads_valid,
    {{ ratio("duplicate_rate", "is_duplicate_30d", "is_created") }},
    {{ ratio("dup_same_dealer_rate", "is_duplicate_same_dealer_30d", "is_created") }},
    {{ ratio("dispatch_rate", "dispatched_at is not null", "is_valid") }},
    {{
        ratio(
            "dispatch_rate_24h",
            in_window("dispatched_at", "created_at", 1),
            "is_valid and " ~ is_mature("created_at", 1),
        )
    }},
    {{ ratio("connect_rate", "is_connected", "is_created and is_called") }},
    {{ ratio("effective_call_rate", "call_seconds >= 45", "is_created and is_called") }},
    {{
        ratio(
            "same_day_contact_rate",
            local_date("first_contacted_at") ~ " <= " ~ local_date("dispatched_at"),
            "is_created and "
            ~ local_date("dispatched_at")
            ~ " < "
            ~ local_date("as_of"),
        )
    }},
    {%- for days in [7, 14, 30] %}
        {{
            ratio(
                "visit_rate_" ~ days ~ "d",
                in_window("visited_at", "created_at", days),
                "is_valid and " ~ is_mature("created_at", days),
            )
        }},
    {%- endfor %}
    {%- for days in [7, 14, 21, 30] %}
        {{
            ratio(
                "test_drive_rate_" ~ days ~ "d",
                in_window("test_driven_at", "created_at", days),
                "is_valid and " ~ is_mature("created_at", days),
            )
        }},
    {%- endfor %}
    {%- for name, kind in [("order_rate", "large"), ("small_order_rate", "small")] %}
        {%- for days in [30, 60, 90] %}
            {{
                ratio(
                    name ~ "_" ~ days ~ "d",
                    kept_order_in_window(kind, days),
                    "is_valid and " ~ is_mature("created_at", days),
                )
            }},
        {%- endfor %}
    {%- endfor %}
    {%- for days in [90, 180] %}
        {{
            ratio(
                "delivery_rate_" ~ days ~ "d",
                in_window("delivered_at", "created_at", days),
                "is_valid and " ~ is_mature("created_at", days),
            )
        }},
    {%- endfor %}
    {{ ratio("lost_rate", "status = '战败'", "is_closed") }},
    {{
        ratio(
            "subjective_lost_rate",
            "status = '战败' and (coalesce(lost_reason_class= '流程', false) or contact_count < 2)",
            "is_closed",
        )
    }},
    {{
        ratio(
            "small_order_lock_rate",
            "is_small_locked_in_time",
            "is_valid and small_cut_off_at <= as_of",
        )
    }},
    {%- for name, lag in lags %}
        count({{ lag }}) as {{ name }}_count,
        {{ percentiles(lag, name) }},
        {{ log_histogram(lag) }} as {{ name }}_sketch {{- "," if not loop.last }}
    {%- endfor %}
from {{ ref("int_leads__funnel") }}
group by
    created_date,
    {%- for key in keys %} {{ key_text(key) }}{{ "," if not loop.last }} {%- endfor %}
