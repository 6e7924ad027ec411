{#-
  A query over the raw table: record_key, metadata, and each column cleaned to its type. Beside a
  column whose cleaning may fail stands its text, `<name>__text`, for the reason.
-#}
{% macro typed_values(table, record_key, columns, metadata, only_repeated=false) -%}
    select
        record_key,
        {{ metadata | join(", ") }},
        {%- for name, spec in columns.items() %}
            {{ cleaners(spec[1]).clean(name) }} as {{ name }},
            {%- if spec[1] != "key" %} {{ name }} as {{ name }}__text, {% endif %}
            {%- if spec[1] == "enum" %} {{ name }}__known, {% endif %}
        {%- endfor %}
        _placeholder_mobiles
    from
        (
            {{ _meaningful_texts(table, record_key, columns, metadata, only_repeated) }}
        ) as meaningful
{%- endmacro %}

{#- Null instead of the words that mean nothing. -#}
{% macro _meaningful_texts(table, record_key, columns, metadata, only_repeated) -%}
    select
        record_key,
        {{ metadata | join(", ") }},
        {%- for name, spec in columns.items() %}
            {% if spec[1] == "key" %} {{ name }}
            {% else %} {{ drop_null_words(name) }}
            {% endif %} as {{ name }},
            {%- if spec[1] == "enum" %} {{ name }}__known, {% endif %}
        {%- endfor %}
        _placeholder_mobiles
    from
        (
            {{ _tidy_texts(table, record_key, columns, metadata, only_repeated) }}
        ) as tidied
    cross join vocabulary
{%- endmacro %}

{% macro _tidy_texts(table, record_key, columns, metadata, only_repeated) -%}
    select
        {{ record_key }} as record_key,
        {{ metadata | join(", ") }}
        {%- for name, spec in columns.items() %}
            , {{ cleaners(spec[1]).tidy(adapter.quote(spec[0])) }} as {{ name }}
        {%- endfor %}
    from {{ source("raw", table) }} as delivered
    where
        {% if only_repeated -%}
            {{ hash_of(record_key) }} in (select key_hash from repeated)
        {%- else -%}
            not exists (
                select 1
                from superseded
                where
                    superseded._delivery_id = delivered._delivery_id
                    and superseded._row_number = delivered._row_number
            )
        {%- endif %}
{%- endmacro %}
