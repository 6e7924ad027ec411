{#-
  An identifier from an analytics payload as text: blanks around and the prefix that some SDKs put
  before the value (`$identity_login_id+U1`) go; nothing becomes null.
-#}
{% macro identity_value(text) -%}
    nullif(
        {{ trim_blanks(replace_all(text, "^[$]identity_[A-Za-z0-9_]+[+]", "")) }}, ''
    )
{%- endmacro %}
