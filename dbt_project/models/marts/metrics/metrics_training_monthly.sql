-- Grain: one row per local month and staff_id.
-- Why: who finishes training in time, and how far it has brought them.
with
    totals as (
        select
            *,
            cast(
                sum(points) over (partition by staff_id order by month) as bigint
            ) as points_total,
            -- what was before the first levels is judged by these
            greatest(
                month, (select min(valid_from) from {{ ref("training_levels") }})
            ) as judged_in
        from {{ ref("int_training_months") }}
    ),

    reached as (
        select totals.month, totals.staff_id, max(levels.points_from) as points_from
        from totals
        inner join
            {{ ref("training_levels") }} as levels
            -- who owes points is where everybody began
            on levels.points_from <= greatest(totals.points_total, 0)
            and {{ is_valid_in("levels", "totals.judged_in") }}
        group by totals.month, totals.staff_id
    )

select
    totals.month,
    totals.staff_id,
    {%- for name in [
        "training_completion",
        "micro_lesson_fit",
        "practice_after_lesson_7d",
    ] %}
        totals.{{ name }}_num,
        totals.{{ name }}_den,
        cast(totals.{{ name }}_num as double)
        / nullif(totals.{{ name }}_den, 0) as {{ name }},
    {%- endfor %}
    totals.training_satisfaction_ratings,
    totals.training_satisfaction_sum
    / nullif(totals.training_satisfaction_ratings, 0) as training_satisfaction,
    totals.points,
    totals.points_total,
    levels.level,
    case
        when totals.staff_id <> ''
        then
            dense_rank() over (
                partition by totals.month, totals.staff_id = ''
                order by totals.points desc
            )
    end as board_rank
from totals
left join reached on reached.month = totals.month and reached.staff_id = totals.staff_id
left join
    {{ ref("training_levels") }} as levels
    on levels.points_from = reached.points_from
    and {{ is_valid_in("levels", "totals.judged_in") }}
