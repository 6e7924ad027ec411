{# Comments of columns in one statement, without asking for the columns first as the adapter does:
   a documented column that is not there is an error here, and the question costs every model a
   query with a result. #}
{% macro duckdb__alter_column_comment(relation, column_dict) %}
    {% for name, column in column_dict.items() %}
        comment on column {{ relation }}.{{ adapter.quote(name) if column["quote"] else name }}
        is {{ duckdb_escape_comment(column["description"]) }}
        ;
    {% endfor %}
{% endmacro %}
