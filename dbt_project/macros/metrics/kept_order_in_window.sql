{#-
  Whether a lead ordered (kind: small or large) within the window and did not cancel. The dms says
  whether its orders stand: with matching dms orders in the window, one of them must. Without any,
  the lead's own word holds.
-#}
{% macro kept_order_in_window(kind, days) -%}
    (
        {{ in_window(kind ~ "_ordered_at", "created_at", days) }}
        and (
            not coalesce(
                {{ in_window(kind ~ "_matched_at", "created_at", days) }}, false
            )
            or coalesce({{ in_window(kind ~ "_kept_at", "created_at", days) }}, false)
        )
    )
{%- endmacro %}
