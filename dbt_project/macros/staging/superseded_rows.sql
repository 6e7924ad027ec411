{#-
  The delivered rows that lose against another row with their key. Only keys that occur more than
  once are ranked: keys are few bytes and repeats are rare, while rows are wide.
-#}
{% macro superseded_rows(table, record_key, columns, version) -%}
    {%- set metadata = ["_delivery_id", "_row_number", "_delivery_order", "_as_of"] -%}
    {%- set versions = {version: columns[version]} if version else {} -%}
    {%- set order -%}
        {%- if version -%} {{ version }} desc nulls last, _delivery_order desc, _row_number desc
        {%- else -%} _delivery_order, _row_number
        {%- endif -%}
    {%- endset -%}
    with
        repeated as (
            select {{ hash_of("record_key") }} as key_hash
            from
                (
                    select {{ record_key }} as record_key
                    from {{ source("raw", table) }}
                    {% if is_incremental() %}
                        union all
                        {{ _rows_at_hand(table, record_key, ["record_key"]) }}
                    {% endif %}
                ) as keys
            group by 1
            having count(*) > 1
        ),
        candidates as (
            select
                record_key,
                _delivery_id,
                _row_number,
                _delivery_order
                {%- if version %}
                    , {{ _value_in_range(version, columns[version]) }} as {{ version }}
                {% endif %}
            from
                (
                    {{
                        typed_values(
                            table, record_key, versions, metadata, only_repeated=true
                        )
                    }}
                ) as typed
            {% if is_incremental() %}
                union all
                {{
                    _rows_at_hand(
                        table,
                        record_key,
                        [
                            "record_key",
                            "_delivery_id",
                            "_row_number",
                            "_delivery_order",
                        ]
                        + versions.keys()
                        | list,
                    )
                }}
            {% endif %}
        ),
        ranked as (
            select
                _delivery_id,
                _row_number,
                row_number() over (
                    partition by record_key order by {{ order }}
                ) as place
            from candidates
        )
    select distinct _delivery_id, _row_number
    from ranked
    where place > 1
{%- endmacro %}

{#- Rows of earlier runs that share a key with what is delivered now. -#}
{% macro _rows_at_hand(table, record_key, names) -%}
    select {{ names | join(", ") }}
    from {{ this }}
    where record_key in (select {{ record_key }} from {{ source("raw", table) }})
{%- endmacro %}
