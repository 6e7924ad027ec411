{#-
  Of a dated history the two local dates between which a row stands at the end of the day: `date_from`
  to before `date_to`. What is over before a day ends has none of it (date_from >= date_to). What
  begins at as-of counts on the last date; what is older than the calendar from its first day on.
-#}
{% macro day_period(valid_from, valid_to) -%}
    greatest(
        least({{ local_date(valid_from) }}, {{ last_date() }}), date '2015-01-01'
    ) as date_from,
    case
        when {{ valid_to }} is null
        then cast({{ last_date() }} + interval '1' day as date)
        else greatest({{ local_date(valid_to) }}, date '2015-01-01')
    end as date_to
{%- endmacro %}
