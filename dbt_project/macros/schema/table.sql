{#-
    Tables on DuckDB, replaced in one statement: `create or replace` is atomic there, so the detour
    of the adapter (build beside, rename twice, drop) is five statements more for each of some two
    hundred models of a run and protects nothing. Indexes, grants and foreign keys, for which the
    adapter has it, no model has.
-#}
{% materialization table, adapter = "duckdb", supported_languages = ["sql"] %}

    {%- set existing = load_cached_relation(this) -%}
    {%- set target = this.incorporate(type="table") -%}
    {%- if existing is not none and not existing.is_table -%}
        {{ drop_relation_if_exists(existing) }}
    {%- endif -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement("main") -%}
        {%- if config.get("contract").enforced %}
            {{ get_assert_columns_equivalent(compiled_code) }}
            create or replace table {{ target }} {{ get_table_columns_and_constraints() }};
            insert into {{ target }} {{ get_column_names() }}
            ({{ get_select_subquery(compiled_code) }});
        {%- else %}
            create or replace table {{ target }} as ({{ compiled_code }});
        {%- endif %}
    {%- endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({"relations": [target]}) }}

{% endmaterialization %}
