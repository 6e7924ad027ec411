{#-
  Whether a cleaned time can be true. The bound is the as-of of the run that loaded the delivery, not
  of this run: what was staged then and what a rebuild stages now must be the same. Planned times may
  lie ahead, and a clock may be a day wrong.
-#}
{% macro is_plausible_time(name, kind, role=none) -%}
    {%- if role == "planned" -%}
        {{ name }}
        between timestamp '1900-01-01 00:00:00' and timestamp '2099-12-31 23:59:59'
    {%- elif kind == "date" -%}
        {{ name }} between date '1900-01-01' and {{ local_date("_as_of") }}
    {%- else -%}
        {{ name }} between timestamp '1900-01-01 00:00:00' and _as_of + interval '1' day
    {%- endif -%}
{%- endmacro %}
