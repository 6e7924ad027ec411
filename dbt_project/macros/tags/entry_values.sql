{#- The values of the first entries of `sorted_entries`, in the order of the alphabet. -#}
{% macro entry_values(entries, top) -%}
    {{ return(adapter.dispatch("entry_values", "zhongtai")(entries, top)) }}
{%- endmacro %}

{% macro default__entry_values(entries, top) -%}
    list_sort(list_transform(list_slice({{ entries }}, 1, {{ top }}), lambda e:e.entry))
{%- endmacro %}

{% macro spark__entry_values(entries, top) -%}
    array_sort(transform(slice({{ entries }}, 1, {{ top }}), e -> e.entry))
{%- endmacro %}
