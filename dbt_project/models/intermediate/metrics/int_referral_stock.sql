-- Grain: one row per local month, kind of member and department, from its first
-- member on.
with
    members as (select * from {{ ref("int_referral_members") }}),

    joined as (
        select distinct
            member_code,
            member_kind,
            department,
            registered_month,
            {{ each_item("split(replace(mentor_codes, ' ', ''), ';')") }} as mentor_code
        from members
        where member_kind = '星级运营师' and is_active and registered_month is not null
    ),

    changes as (
        select
            registered_month as month, member_kind, department, 'registered' as measure
        from members
        union all
        select captured_month, member_kind, department, 'captured'
        from members
        union all
        select registered_month, member_kind, department, 'operators'
        from members
        where member_kind = '星级运营师' and is_active
        union all
        -- a mentor counts from when both have joined
        select
            greatest(joined.registered_month, mentors.registered_month),
            joined.member_kind,
            joined.department,
            'mentorships'
        from joined
        inner join
            members as mentors
            on mentors.member_code = joined.mentor_code
            and mentors.is_active
            and mentors.registered_month is not null
        union all
        -- what codes outside the member list brought is shown as well
        select
            activity.month,
            {{ key_text("members.member_kind") }},
            {{ key_text("members.department") }},
            'other'
        from {{ ref("int_referral_activity") }} as activity
        left join members on members.member_code = activity.member_code
        union all
        select
            visits.month,
            {{ key_text("members.member_kind") }},
            {{ key_text("members.department") }},
            'other'
        from {{ ref("int_referral_visits") }} as visits
        left join members on members.member_code = visits.member_code
    ),

    counted as (
        select month, member_kind, department, measure, count(*) as amount
        from changes
        where month is not null
        group by month, member_kind, department, measure
    ),

    -- from the first member on, who may have joined before the calendar begins
    months as (
        select distinct cast(date_trunc('month', date) as date) as month
        from
            (
                {{
                    each_date(
                        "(select min(month) from counted)", local_date(as_of())
                    )
                }}
            ) as days
        union
        select month
        from counted
    ),

    shown as (
        select months.month, cells.member_kind, cells.department
        from
            (
                select member_kind, department, min(month) as month
                from counted
                group by member_kind, department
            ) as cells
        inner join months on months.month >= cells.month
    )

select
    shown.month,
    shown.member_kind,
    shown.department,
    {%- for measure in ["registered", "captured", "operators", "mentorships"] %}
        cast(
            coalesce(
                sum(counted.amount) filter (where counted.measure = '{{ measure }}'), 0
            ) as bigint
        ) as {{ measure }}{{ "," if not loop.last }}
    {%- endfor %}
from shown
inner join
    counted
    on counted.member_kind = shown.member_kind
    and counted.department = shown.department
    and counted.month <= shown.month
group by shown.month, shown.member_kind, shown.department
