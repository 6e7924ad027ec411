{#- How a kind of value is read: its macros for tidying the text, cleaning it, and naming a reason. -#}
{% macro cleaners(kind) -%}
    {%- set known = {
        "key": {"tidy": clean_key, "clean": _as_it_is},
        "reference": {
            "tidy": tidy_text,
            "clean": clean_code,
            "issue": code_issue,
        },
        "text": {
            "tidy": tidy_text,
            "clean": clean_text,
            "issue": text_issue,
        },
        "name": {
            "tidy": tidy_text,
            "clean": clean_name,
            "issue": code_issue,
        },
        "code": {
            "tidy": tidy_text,
            "clean": clean_code,
            "issue": code_issue,
        },
        "enum": {
            "tidy": tidy_text,
            "clean": clean_text,
            "issue": text_issue,
        },
        "mobile": {
            "tidy": tidy_text,
            "clean": clean_mobile,
            "issue": mobile_issue,
        },
        "email": {
            "tidy": tidy_text,
            "clean": clean_email,
            "issue": email_issue,
        },
        "id_card": {
            "tidy": tidy_text,
            "clean": clean_id_card,
            "issue": id_card_issue,
        },
        "vin": {"tidy": tidy_text, "clean": clean_vin, "issue": vin_issue},
        "timestamp": {
            "tidy": tidy_text,
            "clean": clean_timestamp,
            "issue": time_issue,
        },
        "date": {
            "tidy": tidy_text,
            "clean": clean_date,
            "issue": time_issue,
        },
        "epoch": {
            "tidy": tidy_text,
            "clean": clean_epoch,
            "issue": time_issue,
        },
        "money": {
            "tidy": tidy_text,
            "clean": clean_money,
            "issue": number_issue,
        },
        "fen": {
            "tidy": tidy_text,
            "clean": clean_fen,
            "issue": number_issue,
        },
        "integer": {
            "tidy": tidy_text,
            "clean": clean_integer,
            "issue": number_issue,
        },
        "decimal": {
            "tidy": tidy_text,
            "clean": clean_decimal,
            "issue": number_issue,
        },
        "boolean": {
            "tidy": tidy_text,
            "clean": clean_boolean,
            "issue": number_issue,
        },
        "json": {
            "tidy": tidy_json,
            "clean": clean_json,
            "issue": number_issue,
        },
    } -%}
    {%- if kind not in known -%}
        {%- do exceptions.raise_compiler_error(
            "no cleaning for kind '"
            ~ kind
            ~ "', expected one of "
            ~ known.keys()
            | join(", ")
        ) -%}
    {%- endif -%}
    {{ return(known[kind]) }}
{%- endmacro %}

{% macro _as_it_is(text) -%} {{ text }} {%- endmacro %}
