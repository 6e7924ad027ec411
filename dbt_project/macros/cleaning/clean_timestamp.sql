{#-
  Any spelling of a time as naive UTC; a time without an offset is Asia/Shanghai (UTC+8).
  Expects tidy text. The first branch is by far the most common and the cheapest. Epochs of a
  column with gaps may have been floats on their way (`1769911200000.0`).
-#}
{% macro clean_timestamp(text) -%}
    case
        when
            {{ text }} like '____-__-__ __:__:__'
            or {{ text }} like '____-__-__T__:__:__'
        then try_cast({{ text }} as timestamp) - interval '8' hour
        when {{ matches(text, "^[0-9]{13}([.]0*)?$") }}
        then {{ timestamp_from_millis("substr(" ~ text ~ ", 1, 13)") }}
        when {{ matches(text, "^[0-9]{10}([.]0*)?$") }}
        then {{ timestamp_from_millis("concat(substr(" ~ text ~ ", 1, 10), '000')") }}
        when {{ matches(text, "^[0-9]{5}([.][0-9]+)?$") }}
        then {{ _spreadsheet_time(text) }}
        when {{ matches(text, "^[0-9]{8}([0-9]{4}([0-9]{2})?)?$") }}
        then {{ _compact_time(text) }}
        when {{ matches(text, _written_time_pattern()) }}
        then {{ _written_time(text) }}
    end
{%- endmacro %}

{#- Days since 1899-12-30; readers convert workbooks that count from 1904. -#}
{% macro _spreadsheet_time(text) -%}
    timestamp '1899-12-30 00:00:00'
    + cast(floor(try_cast({{ text }} as double)) as integer) * interval '1' day
    + cast(round(try_cast({{ text }} as double) % 1 * 86400) as integer)
    * interval '1' second
    - interval '8' hour
{%- endmacro %}

{#- 20260305, 202603051405 and 20260305140500. -#}
{% macro _compact_time(text) -%}
    try_cast(
        concat(
            substr({{ text }}, 1, 4),
            '-',
            substr({{ text }}, 5, 2),
            '-',
            substr({{ text }}, 7, 2),
            ' ',
            substr(concat(substr({{ text }}, 9), '000000'), 1, 2),
            ':',
            substr(concat(substr({{ text }}, 9), '000000'), 3, 2),
            ':',
            substr(concat(substr({{ text }}, 9), '000000'), 5, 2)
        ) as timestamp
    )
    - interval '8' hour
{%- endmacro %}

{#- Groups: 1 year, 2 month, 3 day, 4 hour, 5 minute, 6 second, 7 fraction. -#}
{% macro _written_time_pattern() -%}
    {{
        return(
            "^([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?(?:[T ]*"
            ~ _half_of_day()
            ~ "? *([0-9]{1,2})[:点时](?:([0-9]{1,2})分?)?(?::?([0-9]{1,2})秒?)?(?:[.,]([0-9]{1,9}))?"
            ~ " *(?:[AaPp][Mm])? *(?:[Zz]|UTC|GMT|[+-][0-9]{1,2}:?[0-9]{0,2})?)?$"
        )
    }}
{%- endmacro %}

{% macro _half_of_day() -%}
    {{ return("(?:上午|下午|中午|晚上|凌晨|早上|[AaPp][Mm])") }}
{%- endmacro %}

{% macro _written_time(text) -%}
    {%- set pattern = _written_time_pattern() -%}
    {%- set half = "upper(" ~ extract_group(text, _half_of_day(), 0) ~ ")" -%}
    {%- set hour = _number_in(text, pattern, 4) -%}
    {%- set minute = _number_in(text, pattern, 5) -%}
    {%- set second = _number_in(text, pattern, 6) -%}
    {%- set fraction = extract_group(text, pattern, 7) -%}
    case
        when {{ hour }} <= 24 and {{ minute }} <= 59 and {{ second }} <= 59
        then
            cast(
                try_cast(
                    concat(
                        {{ extract_group(text, pattern, 1) }},
                        '-',
                        lpad({{ extract_group(text, pattern, 2) }}, 2, '0'),
                        '-',
                        lpad({{ extract_group(text, pattern, 3) }}, 2, '0')
                    ) as date
                ) as timestamp
            ) + case
                when {{ half }} in ('下午', 'PM', '晚上') and {{ hour }} < 12
                then {{ hour }} + 12
                when {{ half }} = '中午' and {{ hour }} < 4
                then {{ hour }} + 12
                when {{ half }} = '晚上' and {{ hour }} = 12
                then 24
                when {{ half }} in ('上午', '凌晨', '早上', 'AM') and {{ hour }} = 12
                then 0
                else {{ hour }}
            end
            * interval '1' hour
            + {{ minute }} * interval '1' minute
            + {{ second }} * interval '1' second
            + coalesce(
                try_cast(
                    substr(rpad(nullif({{ fraction }}, ''), 6, '0'), 1, 6) as integer
                ),
                0
            )
            * interval '1' microsecond
            - {{ _offset_minutes(text) }} * interval '1' minute
    end
{%- endmacro %}

{% macro _number_in(text, pattern, group) -%}
    coalesce(try_cast({{ extract_group(text, pattern, group) }} as integer), 0)
{%- endmacro %}

{#- Minutes ahead of UTC; Asia/Shanghai unless said. Broken offsets (`-08:0`) occur. -#}
{% macro _offset_minutes(text) -%}
    {%- set pattern = "[:点时][0-9分秒:.,]* *(?:[AaPp][Mm])? *([Zz]|UTC|GMT|([+-][0-9]{1,2}):?([0-9]{0,2}))$" -%}
    {%- set hours = extract_group(text, pattern, 2) -%}
    {%- set minutes = extract_group(text, pattern, 3) -%}
    case
        when {{ extract_group(text, pattern, 1) }} = ''
        then 480
        else
            coalesce(try_cast({{ hours }} as integer), 0) * 60 + coalesce(
                try_cast(
                    concat(
                        left({{ hours }}, 1), rpad(nullif({{ minutes }}, ''), 2, '0')
                    ) as integer
                ),
                0
            )
    end
{%- endmacro %}
