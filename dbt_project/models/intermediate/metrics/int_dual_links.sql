-- Grain: one row per dealer, person and local date at whose end their links changed.
-- A customer of a dealer had a valid lead or an order there. Linked by phone since a
-- call was answered; by WeCom while at least one of the dealer's staff is a contact.
with
    calls as (
        select
            leads.one_id, leads.dealer_code, delivered.first_contacted_at as happened_at
        from {{ ref("int_users__leads") }} as leads
        inner join
            {{ ref("int_leads__delivered") }} as delivered
            on delivered.lead_id = leads.lead_id
        where delivered.is_connected
        union all
        select leads.one_id, leads.dealer_code, follow_ups.followed_up_at
        from {{ ref("int_users__leads") }} as leads
        inner join
            {{ ref("stg_crm__follow_ups") }} as follow_ups
            on follow_ups.lead_id = leads.lead_id
            and leads.entity = 'leads'
        where follow_ups.is_connected and follow_ups.method = '电话'
    ),

    edges as (
        select
            one_id,
            dealer_code,
            created_at as happened_at,
            1 as known,
            0 as phone,
            0 as wecom
        from {{ ref("int_users__leads") }}
        union all
        select one_id, dealer_code, first_ordered_at, 1, 0, 0
        from {{ ref("int_orders") }}
        union all
        select one_id, dealer_code, happened_at, 0, 1, 0
        from calls
        union all
        select one_id, dealer_code, added_at, 0, 0, 1
        from {{ ref("int_wecom") }}
        union all
        -- who was added again after a deletion is a contact
        select one_id, dealer_code, deleted_at, 0, 0, -1
        from {{ ref("int_wecom") }}
        where deleted_at >= added_at
    ),

    per_day as (
        select
            dealer_code,
            one_id,
            {{ local_date("happened_at") }} as date,
            sum(known) as known,
            sum(phone) as phone,
            sum(wecom) as wecom
        from edges
        where
            one_id is not null
            and dealer_code is not null
            and happened_at < {{ as_of() }}
        group by dealer_code, one_id, {{ local_date("happened_at") }}
    ),

    counted as (
        select
            dealer_code,
            one_id,
            date,
            {% for link in ["known", "phone", "wecom"] %}
                sum({{ link }}) over (
                    partition by dealer_code, one_id
                    order by date
                    rows between unbounded preceding and current row
                )
                > 0 as {{ link }}{{ "," if not loop.last }}
            {% endfor %}
        from per_day
    ),

    states as (
        select
            dealer_code,
            one_id,
            date,
            case when known then 1 else 0 end as is_customer,
            case when known and phone then 1 else 0 end as has_phone,
            case when known and wecom then 1 else 0 end as has_wecom,
            case when known and phone and wecom then 1 else 0 end as has_both
        from counted
    )

select
    dealer_code,
    one_id,
    date,
    {% for state in ["is_customer", "has_phone", "has_wecom", "has_both"] %}
        {{ state }},
        {{ state }} - coalesce(
            lag({{ state }}) over (partition by dealer_code, one_id order by date), 0
        ) as {{ state }}_step{{ "," if not loop.last }}
    {% endfor %}
from states
