{#-
  The cleaned rows of one delivered entity, one row per key: `columns` maps each English name to
  [delivered name, kind] or [delivered name, "timestamp" or "date", time role].

  Of several rows with one key, a mutable entity (`version` names its updated time) keeps the newest
  version, then the latest delivery, then the last row; an immutable one keeps the first. Incremental
  runs see only new deliveries and compare them with the rows at hand, so any order of deliveries
  gives the table that a rebuild would give.

  Each level of the nested queries computes one thing from plain columns, because DuckDB evaluates
  an expression again wherever a macro repeats it.
-#}
{% macro stage(table, key, columns, version=none, subject=none, fallback=none) -%}
    {%- set record_key = record_key(key, columns, fallback) -%}
    {%- set metadata = ["_delivery_id", "_row_number", "_delivery_order", "_as_of"] -%}
    with
        vocabulary as ({{ _vocabulary(table, columns) }}),
        superseded as ({{ superseded_rows(table, record_key, columns, version) }})

    select
        record_key,
        {% if subject %} {{ subject }} as subject_key,{% endif %}
        {%- for name, spec in columns.items() %}
            {{ _value_in_range(name, spec) }} as {{ name }},
        {%- endfor %}
        {{ value_issues(columns) }} as _issues,
        {%- if columns.values() | selectattr(1, "equalto", "mobile") | list %}
            {{ masked_mobiles(columns) }} as _masked_mobiles,
        {%- endif %}
        _delivery_id,
        _row_number,
        _delivery_order
    from ({{ typed_values(table, record_key, columns, metadata) }}) as typed
{%- endmacro %}

{#- One row: the words and known values that cleaning compares with. -#}
{% macro _vocabulary(table, columns) -%}
    select
        (select {{ collect("word") }} from {{ ref("null_words") }}) as _null_words,
        (
            select max({{ byte_length("word") }}) from {{ ref("null_words") }}
        ) as _null_word_bytes,
        (
            select {{ collect("mobile") }} from {{ ref("placeholder_mobiles") }}
        ) as _placeholder_mobiles
        {%- for name, spec in columns.items() if spec[1] == "enum" %}
            ,
            (
                select {{ collect("value") }}
                from {{ source("meta", "known_values") }}
                where table_name = '{{ table }}' and column_name = '{{ name }}'
            ) as {{ name }}__known
        {%- endfor %}
{%- endmacro %}

{% macro _value_in_range(name, spec) -%}
    {%- if spec[1] in ("timestamp", "epoch", "date") -%}
        case when {{ is_plausible_time(name, spec[1], spec[2]) }} then {{ name }} end
    {%- else -%} {{ name }}
    {%- endif -%}
{%- endmacro %}
