-- Grain: one row per local month and member with an order, a lead or a reward in it.
{%- set measures = [
    "referral_valid_orders",
    "leads_valid",
    "leads_mature",
    "leads_converted",
    "reward_due_fen",
    "reward_withdrawn_fen",
    "reward_clawed_back_fen",
    "reward_paid_fen",
] %}
with
    orders as (
        select member_code, one_id, ordered_at
        from {{ ref("int_referral_orders") }}
        where is_valid and member_code is not null
    ),

    leads as (
        select
            lead_id,
            one_id,
            member_code,
            created_at,
            {{ is_mature("created_at", 90) }} as is_mature
        from
            (
                select *, {{ as_of() }} as as_of
                from {{ ref("int_leads") }}
                where is_valid and member_code is not null and created_at is not null
            ) as valid
    ),

    converted as (
        select distinct leads.lead_id
        from leads
        inner join
            orders
            on orders.member_code = leads.member_code
            and orders.one_id = leads.one_id
            and {{ in_window("orders.ordered_at", "leads.created_at", 90) }}
        where leads.is_mature
    ),

    happened as (
        select
            {{ local_month("ordered_at") }} as month,
            member_code,
            'referral_valid_orders' as measure,
            cast(1 as bigint) as amount
        from orders
        union all
        select {{ local_month("created_at") }}, member_code, 'leads_valid', 1
        from leads
        union all
        select {{ local_month("created_at") }}, member_code, 'leads_mature', 1
        from leads
        where is_mature
        union all
        select
            {{ local_month("leads.created_at") }},
            leads.member_code,
            'leads_converted',
            1
        from leads
        inner join converted on converted.lead_id = leads.lead_id
        union all
        select
            {{ local_month("entered_at") }},
            member_code,
            case
                when entry = 'paid'
                then 'reward_paid_fen'
                when entry = 'due'
                then 'reward_due_fen'
                when entry = 'clawback'
                then 'reward_clawed_back_fen'
                else 'reward_withdrawn_fen'
            end,
            case
                when entry = 'paid'
                then paid_fen
                when entry = 'due'
                then due_fen
                else - due_fen
            end
        from {{ ref("fct_referral_rewards") }}
        where member_code is not null and entry <> 'not_due'
    )

select
    month,
    member_code,
    {%- for measure in measures %}
        cast(
            coalesce(sum(amount) filter (where measure = '{{ measure }}'), 0) as bigint
        ) as {{ measure }}{{ "," if not loop.last }}
    {%- endfor %}
from happened
where month is not null
group by month, member_code
