-- Grain: one row per local month, kind of member and department, from its first
-- member on.
-- Why: who takes part in the programme, what comes of it, and what it costs.
{%- set brought = [
    "referral_valid_orders",
    "leads_valid",
    "leads_mature",
    "leads_converted",
    "reward_due_fen",
    "reward_withdrawn_fen",
    "reward_clawed_back_fen",
    "reward_paid_fen",
] %}
{%- set keys = ["month", "member_kind", "department"] %}
with
    activity as (
        select
            activity.*,
            {{ key_text("members.member_kind") }} as member_kind,
            {{ key_text("members.department") }} as department
        from {{ ref("int_referral_activity") }} as activity
        left join
            {{ ref("int_referral_members") }} as members
            on members.member_code = activity.member_code
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by {{ keys | join(", ") }}
                order by referral_valid_orders desc, member_code
            ) as place
        from activity
    ),

    sums as (
        select
            {{ keys | join(", ") }},
            {%- for measure in brought %}
                cast(sum({{ measure }}) as bigint) as {{ measure }},
            {%- endfor %}
            count(*) as active_members,
            cast(max(referral_valid_orders) as bigint) as most_orders,
            -- of orders times places counted from the most to the fewest
            cast(sum(referral_valid_orders * place) as bigint) as placed_orders
        from ranked
        group by {{ keys | join(", ") }}
    ),

    visits as (
        select
            visits.month,
            {{ key_text("members.member_kind") }} as member_kind,
            {{ key_text("members.department") }} as department,
            count(distinct visits.visitor_key) as visitors,
            count(distinct visits.visitor_key) filter (
                where visits.has_left_phone
            ) as visitors_with_phone
        from {{ ref("int_referral_visits") }} as visits
        left join
            {{ ref("int_referral_members") }} as members
            on members.member_code = visits.member_code
        group by
            visits.month,
            {{ key_text("members.member_kind") }},
            {{ key_text("members.department") }}
    ),

    joined as (
        select
            stock.*,
            {%- for measure in brought %}
                coalesce(sums.{{ measure }}, 0) as {{ measure }},
            {%- endfor %}
            coalesce(sums.most_orders, 0) as most_orders,
            coalesce(sums.placed_orders, 0) as placed_orders,
            greatest(stock.registered, coalesce(sums.active_members, 0)) as sharers,
            coalesce(visits.visitors, 0) as visitors,
            coalesce(visits.visitors_with_phone, 0) as visitors_with_phone
        from {{ ref("int_referral_stock") }} as stock
        left join
            sums
            on sums.month = stock.month
            and sums.member_kind = stock.member_kind
            and sums.department = stock.department
        left join
            visits
            on visits.month = stock.month
            and visits.member_kind = stock.member_kind
            and visits.department = stock.department
    )

select
    month,
    member_kind,
    department,
    registered as registered_members,
    referral_valid_orders,
    leads_valid,
    captured as lead_capture_rate_members_num,
    registered as lead_capture_rate_members_den,
    cast(captured as double) / nullif(registered, 0) as lead_capture_rate_members,
    visitors_with_phone as lead_capture_rate_visitors_num,
    visitors as lead_capture_rate_visitors_den,
    cast(visitors_with_phone as double)
    / nullif(visitors, 0) as lead_capture_rate_visitors,
    leads_converted as member_conversion_90d_num,
    leads_mature as member_conversion_90d_den,
    cast(leads_converted as double) / nullif(leads_mature, 0) as member_conversion_90d,
    most_orders as top1_share_num,
    referral_valid_orders as top1_share_den,
    cast(most_orders as double) / nullif(referral_valid_orders, 0) as top1_share,
    (sharers + 1) * referral_valid_orders - 2 * placed_orders as gini_num,
    sharers * referral_valid_orders as gini_den,
    cast((sharers + 1) * referral_valid_orders - 2 * placed_orders as double)
    / nullif(sharers * referral_valid_orders, 0) as gini,
    reward_due_fen,
    reward_withdrawn_fen,
    reward_clawed_back_fen,
    reward_paid_fen,
    operators as active_operators,
    mentorships,
    cast(mentorships as double) / nullif(operators, 0) as mentor_load
from joined
