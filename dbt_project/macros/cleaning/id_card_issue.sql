{#- Why an id card number was refused. -#}
{% macro id_card_issue(text) -%}
    case
        when contains({{ text }}, '*')
        then 'masked'
        when {{ matches(text, "^[0-9]([.][0-9]*)?[eE][+]?[0-9]+$") }}
        then 'scientific_notation'
        when
            replace({{ text }}, left({{ text }}, 1), '') = ''
            and length({{ text }}) >= 7
        then 'placeholder'
        when {{ matches(text, "^[0-9]+[xX]?$") }} and length({{ text }}) not in (15, 18)
        then 'wrong_length'
        else 'malformed'
    end
{%- endmacro %}
