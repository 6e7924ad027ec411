{#-
  Lateral join: one row per field of a JSON object, `entry_key` and its text `entry_value`.
  A field that holds a list gives one row per item; JSON that is no object gives none.
-#}
{% macro each_json_entry(json) -%}
    {{ return(adapter.dispatch("each_json_entry", "zhongtai")(json)) }}
{%- endmacro %}

{% macro default__each_json_entry(json) -%}
    cross join
        lateral(
            select
                entry.key as entry_key,
                unnest(
                    case
                        when json_type(entry.value) = 'ARRAY'
                        then entry.value ->> '$[*]'
                        else [entry.value ->> '$']
                    end
                ) as entry_value
            from
                (
                    select
                        unnest(
                            map_entries(
                                cast(
                                    cast(
                                        case
                                            when left({{ json }}, 1) = '{'
                                            then {{ json }}
                                        end as json
                                    ) as map(varchar, json)
                                )
                            )
                        ) as entry
                )
        ) as entries
{%- endmacro %}

{% macro spark__each_json_entry(json) -%}
    lateral view
        explode(from_json({{ json }}, 'map<string,string>')) fields as entry_key,
        entry_field
    lateral view
        explode(
            coalesce(from_json(entry_field, 'array<string>'), array(entry_field))
        ) entries as entry_value
{%- endmacro %}
