-- Grain: one row per local date of acceptance, level, type, source, dealer, region.
-- Why: whether complaints are heard, solved and truly closed, in clock hours.
{%- set keys = ["level", "type", "source", "dealer_code", "region"] %}
with
    complaints as (
        select
            {{ local_date("complaints.accepted_at") }} as date,
            {{ key_text("complaints.complaint_level") }} as level,
            {{ key_text("complaints.complaint_type") }} as type,
            {{ key_text("complaints.complaint_source") }} as source,
            {{ key_text("complaints.dealer_code") }} as dealer_code,
            {{ key_text("complaints.region") }} as region,
            complaints.accepted_at,
            complaints.first_contacted_at,
            complaints.resolved_at,
            complaints.revisited_at,
            complaints.closed_at,
            -- in this order only: a revisit before the solution proves nothing
            coalesce(
                complaints.first_contacted_at <= complaints.resolved_at
                and complaints.resolved_at <= complaints.revisited_at
                and complaints.revisit_result is not null,
                false
            ) as is_loop_closed,
            complaints.is_reopened
            or recurring.complaint_id is not null as has_come_back,
            cast(
                {{
                    dbt.datediff(
                        "complaints.accepted_at", "complaints.notified_at", "second"
                    )
                }} as double
            )
            / 60 as minutes_to_adviser,
            coalesce(owners.owners, 0) as owners,
            {{ as_of() }} as as_of
        from {{ ref("int_complaints") }} as complaints
        left join
            {{ ref("int_complaints__recurring") }} as recurring
            on recurring.complaint_id = complaints.complaint_id
        left join
            {{ ref("int_owners_monthly") }} as owners
            on owners.month = cast(
                date_trunc('month', {{ local_date("complaints.accepted_at") }}) as date
            )
        where complaints.accepted_at is not null
    )

select
    date,
    {{ keys | join(",\n    ") }},
    count(*) as accepted,
    count(closed_at) as closed,
    {{
        ratio(
            "contact_24h_rate",
            within_limit("first_contacted_at", "accepted_at", 24),
            is_mature("accepted_at", 1),
        )
    }},
    {%- for days in [1, 3, 7] %}
        {{
            ratio(
                "resolved_" ~ days ~ "d_rate",
                within_limit("resolved_at", "accepted_at", 24 * days),
                is_mature("accepted_at", days),
            )
        }},
    {%- endfor %}
    {{ ratio("closed_loop_rate", "is_loop_closed", is_mature("accepted_at", 30)) }},
    {{
        ratio(
            "closed_loop_24h_rate",
            "is_loop_closed and " ~ within_limit("revisited_at", "accepted_at", 24),
            is_mature("accepted_at", 1),
        )
    }},
    {{ ratio("reopen_rate_30d", "has_come_back", is_mature("closed_at", 30)) }},
    {{ ratio("misleading_share", "type = '销售误导'", "true") }},
    count(minutes_to_adviser) as dispatch_to_adviser_count,
    {{ percentiles("minutes_to_adviser", "dispatch_to_adviser") }},
    cast(max(owners) as bigint) as owners_at_month_start,
    cast(count(*) as double)
    * 1000
    / nullif(max(owners), 0) as complaints_per_1000_owners
from complaints
group by date, {{ keys | join(", ") }}
