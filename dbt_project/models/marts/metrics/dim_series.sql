-- Grain: one row per car series that any source names.
-- Why: every series_code of the shared tables has a row here.
with
    named as (
        select series_code, model_code, true as is_built
        from {{ ref("stg_dms__vehicles") }}
        {%- for fact in [
                "int_orders",
                "int_deliveries",
                "int_leads",
            ] %}
            union all
            select series_code, model_code, false
            from {{ ref(fact) }}
        {%- endfor %}
        {%- for fact in [
                "int_store_visits",
                "int_test_drives",
                "stg_workforce__content_posts",
                "stg_workforce__quality_issues",
            ] %}
            union all
            select series_code, null, false
            from {{ ref(fact) }}
        {%- endfor %}
    )

select
    series_code,
    bool_or(is_built) as is_built,
    count(*) filter (where is_built) as vehicles,
    count(distinct model_code) filter (where is_built) as models
from named
where series_code is not null
group by series_code
