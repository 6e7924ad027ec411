-- Grain: one row per training record, its newest version.
with
    practised as (
        select distinct lessons.record_id
        from {{ ref("stg_workforce__training_records") }} as lessons
        inner join
            {{ ref("stg_workforce__training_records") }} as practices
            on practices.staff_id = lessons.staff_id
            and practices.training_kind = '实战'
            and practices.score is not null
            and {{ in_window("practices.completed_at", "lessons.completed_at", 7) }}
        where lessons.training_kind = '微课'
    )

select
    records.record_id,
    records.staff_id,
    records.course_code,
    records.training_kind,
    records.course_minutes,
    records.assigned_at,
    records.due_at,
    records.completed_at,
    records.score,
    case
        when records.satisfaction between 0 and 100 then records.satisfaction
    end as satisfaction,
    records.points,
    -- what takes points back needs no lesson done
    coalesce(
        records.completed_at, case when records.points < 0 then records.updated_at end
    ) as booked_at,
    coalesce(records.completed_at <= records.due_at, false) as is_completed_in_time,
    records.training_kind = '微课' and records.completed_at is not null as is_lesson_done,
    practised.record_id is not null as is_practised
from {{ ref("stg_workforce__training_records") }} as records
left join practised on practised.record_id = records.record_id
