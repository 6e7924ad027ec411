{#-
  Full-width letters, digits and punctuation become half-width; zero-width characters, a leading
  apostrophe and the blanks around go. Two cheap tests let tidy text pass: `translate` takes more than
  a microsecond, and nearly every cell needs nothing.
-#}
{% macro tidy_text(text) -%}
    {%- set invisible = "\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad" -%}
    {%- set blanks = " \t\r\n\u00a0\u3000" -%}
    {%- set quotes = "''‘’" -%}
    {%- set wide = "！＂＃＄％＆＇（）＊＋，－．／０１２３４５６７８９：；＜＝＞？＠ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ［＼］＾＿｀ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ｛｜｝～\u3000" -%}
    {%- set narrow = "!\"#$%&''()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~ " -%}
    case
        when {{ _is_tidy_ascii(text) }}
        then {{ text }}
        when
            not {{
                matches(
                    text,
                    "^["
                    ~ blanks
                    ~ quotes
                    ~ "]|["
                    ~ blanks
                    ~ "]$|["
                    ~ invisible
                    ~ "！-～\u3000]",
                )
            }}
        then {{ text }}
        else
            rtrim(
                ltrim(
                    translate(
                        {{ replace_all(text, "[" ~ invisible ~ "]", "") }},
                        '{{ wide }}',
                        '{{ narrow }}'
                    ),
                    '{{ blanks }}{{ quotes }}'
                ),
                '{{ blanks }}'
            )
    end
{%- endmacro %}

{#- Blanks and control characters sort before the exclamation mark. -#}
{% macro _is_tidy_ascii(text) -%}
    (
        {{ byte_length(text) }} = length({{ text }})
        and {{ text }} >= '!'
        and {{ text }} not like '''%'
        and {{ text }} not like '% '
        and {{ text }} not like '%{{ "\t" }}'
        and {{ text }} not like '%{{ "\r" }}'
        and {{ text }} not like '%{{ "\n" }}'
    )
{%- endmacro %}
