-- Grain: one row per local month and staff_id with anything to count: sums of training.
{%- set measures = [
    ("training_completion_den", "due_at", "1", "due_at <= as_of"),
    (
        "training_completion_num",
        "due_at",
        "1",
        "due_at <= as_of and is_completed_in_time",
    ),
    ("points", "booked_at", "points", "points <> 0"),
    (
        "training_satisfaction_ratings",
        "completed_at",
        "1",
        "satisfaction is not null",
    ),
    (
        "training_satisfaction_sum",
        "completed_at",
        "satisfaction",
        "satisfaction is not null",
    ),
    ("micro_lesson_fit_den", "completed_at", "1", "is_lesson_done"),
    (
        "micro_lesson_fit_num",
        "completed_at",
        "1",
        "is_lesson_done and course_minutes between 10 and 15",
    ),
    (
        "practice_after_lesson_7d_den",
        "completed_at",
        "1",
        "is_lesson_done and " ~ is_mature("completed_at", 7),
    ),
    (
        "practice_after_lesson_7d_num",
        "completed_at",
        "1",
        "is_lesson_done and is_practised and "
        ~ is_mature("completed_at", 7),
    ),
] %}
{%- set counts = (
    measures
    | map(attribute=0)
    | reject("equalto", "training_satisfaction_sum")
    | list
) %}
with
    records as (
        select training.*, {{ as_of() }} as as_of
        from {{ ref("int_training") }} as training
    ),

    entries as (
        {%- for measure, happened_at, value, condition in measures %}
            select
                '{{ measure }}' as measure,
                {{ local_month(happened_at) }} as month,
                {{ key_text("staff_id") }} as staff_id,
                -- exact sums, whatever the order of the rows
                cast({{ value }} as decimal(18, 4)) as value
            from records
            where
                {{ happened_at }} is not null and {{ condition }}
                {{ "union all" if not loop.last }}
        {%- endfor %}
    )

select
    month,
    staff_id,
    {%- for measure in counts %}
        cast(
            coalesce(sum(value) filter (where measure = '{{ measure }}'), 0) as bigint
        ) as {{ measure }},
    {%- endfor %}
    cast(
        sum(value) filter (where measure = 'training_satisfaction_sum') as double
    ) as training_satisfaction_sum
from entries
group by month, staff_id
