{#-
  As dbt's own `unique`, for tables of any size: 64-bit hashes are grouped instead of texts, and only
  hashes that repeat are looked at by value.
-#}
{% test is_unique(model, column_name) %}
    select {{ column_name }}, count(*) as row_count
    from {{ model }}
    where
        {{ hash_of(column_name) }} in (
            select key_hash
            from
                (
                    select {{ hash_of(column_name) }} as key_hash from {{ model }}
                ) as hashed
            group by key_hash
            having count(*) > 1
        )
    group by {{ column_name }}
    having count(*) > 1
{% endtest %}
