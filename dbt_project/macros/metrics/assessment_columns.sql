{#-
  What both assessments publish of a period, month or year: the measures, each ratio with its parts,
  and the three dimensions. `totals` is the alias of int_assessment_totals.
-#}
{% macro assessment_columns(totals) -%}
    {%- set ratios = [
        "conversion",
        "repurchase_rate_36m",
        "referral_rate_12m",
        "community_activity",
        "first_response_timely_rate",
        "content_quality",
        "training_completion",
    ] -%}
    {{ totals }}.deals,
    {{ totals }}.revenue_fen,
    {{ totals }}.content_posts,
    {%- for ratio in ratios %}
        {{ totals }}.{{ ratio }}_num,
        {{ totals }}.{{ ratio }}_den,
        cast({{ totals }}.{{ ratio }}_num as double)
        / nullif({{ totals }}.{{ ratio }}_den, 0) as {{ ratio }},
    {%- endfor %}
    {{ totals }}.nps_num,
    {{ totals }}.nps_den,
    case
        when {{ totals }}.nps_den >= 10
        then cast({{ totals }}.nps_num as double) / {{ totals }}.nps_den
    end as nps,
    {{ totals }}.peer_score,
    {{ totals }}.performance_score,
    {{ totals }}.performance_coverage,
    {{ totals }}.user_score,
    {{ totals }}.user_coverage,
    {{ totals }}.process_score,
    {{ totals }}.process_coverage
{%- endmacro %}
