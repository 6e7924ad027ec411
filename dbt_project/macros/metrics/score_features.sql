{#- The columns of int_users__features, which points of seed score_points are given for. -#}
{% macro score_features() -%}
    {{
        return(
            [
                "views_30d",
                "comparisons_30d",
                "finance_clicks_30d",
                "rule_series_30d",
                "active_days_7d",
                "inquiries_30d",
            ]
        )
    }}
{%- endmacro %}
