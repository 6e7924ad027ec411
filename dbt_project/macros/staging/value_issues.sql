{#-
  List of 'column: reason' for each value that cleaning refused, and for words that are new to the
  contract (those load). Expects the columns of `typed_values`.
-#}
{% macro value_issues(columns) -%}
    {%- set issues = [] -%}
    {%- for name, spec in columns.items() if spec[1] != "key" -%}
        {%- set issue -%}
            case
                when {{ name }}__text is not null and {{ name }} is null
                then concat('{{ name }}: ', {{ cleaners(spec[1]).issue(name ~ "__text") }})
                {%- if spec[1] in ("timestamp", "epoch", "date") %}
                when not ({{ is_plausible_time(name, spec[1], spec[2]) }})
                then concat('{{ name }}: ', {{ _out_of_range(name, spec) }})
                {%- elif spec[1] == "enum" %}
                when not {{ list_has(name ~ "__known", name) }}
                then '{{ name }}: unknown_value'
                {%- endif %}
            end
        {%- endset -%}
        {%- do issues.append(issue) -%}
    {%- endfor -%}
    {%- if issues -%}
        case
            when coalesce({{ issues | join(", ") }}) is null
            then {{ empty_list() }}
            else {{ list_without_nulls(issues) }}
        end
    {%- else -%} {{ empty_list() }}
    {%- endif -%}
{%- endmacro %}

{#- Only a time that says what has happened is "in the future"; a date or a plan is out of range. -#}
{% macro _out_of_range(name, spec) -%}
    {%- if spec[2] or spec[1] == "date" -%} 'out_of_range'
    {%- else -%} case when {{ name }} > _as_of then 'in_future' else 'out_of_range' end
    {%- endif -%}
{%- endmacro %}
