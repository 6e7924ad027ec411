-- Grain: one row per local date of dispatch, dealer, region and channel_1.
-- Why: whether leads are answered in time, on the clock on which dealers work.
select
    dispatched_date as date,
    {{ key_text("dealer_code") }} as dealer_code,
    {{ key_text("region") }} as region,
    {{ key_text("channel_1") }} as channel_1,
    count(*) as leads_dispatched,
    {%- for minutes in [30, 60, 240, 720] %}
        {{
            ratio(
                "first_response_timely_rate_" ~ minutes ~ "m",
                "response_seconds <= " ~ minutes * 60,
                "elapsed_seconds >= " ~ minutes * 60,
            )
        }}
        {{- "," if not loop.last }}
    {%- endfor %}
from {{ ref("int_lead_responses") }}
group by
    dispatched_date,
    {{ key_text("dealer_code") }},
    {{ key_text("region") }},
    {{ key_text("channel_1") }}
