-- Grain: one row per local date and dealer with a customer or a WeCom contact.
-- Why: whether customers are reached by phone and WeCom both, so that none is lost with
-- one adviser or one number.
{%- set links = [
    ("phone_link_rate", "has_phone"),
    ("wecom_link_rate", "has_wecom"),
    ("dual_link_rate", "has_both"),
] %}
with
    moves as (
        select
            dealer_code,
            date,
            is_customer_step,
            has_phone_step,
            has_wecom_step,
            has_both_step,
            0 as added,
            0 as deleted
        from {{ ref("int_dual_links") }}
        {%- for column in ["added", "deleted"] %}
            union all
            select
                dealer_code,
                {{ local_date(column ~ "_at") }},
                0,
                0,
                0,
                0,
                {{ 1 if column == "added" else 0 }},
                {{ 1 if column == "deleted" else 0 }}
            from {{ ref("int_wecom") }}
            where
                dealer_code is not null
                and {{ column }}_at < {{ as_of() }}
                and {{ column }}_at >= added_at
        {%- endfor %}
    ),

    per_day as (
        select
            dealer_code,
            date,
            sum(is_customer_step) as is_customer_step,
            sum(has_phone_step) as has_phone_step,
            sum(has_wecom_step) as has_wecom_step,
            sum(has_both_step) as has_both_step,
            sum(added) as added,
            sum(deleted) as deleted
        from moves
        group by dealer_code, date
    ),

    sizes as (
        select
            dealer_code,
            date,
            added,
            deleted,
            {%- for state in ["is_customer", "has_phone", "has_wecom", "has_both"] %}
                cast(
                    sum({{ state }}_step) over (
                        partition by dealer_code
                        order by date
                        rows between unbounded preceding and current row
                    ) as bigint
                ) as {{ state }},
            {%- endfor %}
            lead(date) over (partition by dealer_code order by date) as next_date
        from per_day
    )

select
    dates.date,
    sizes.dealer_code,
    sizes.is_customer as customers,
    {%- for name, state in links %}
        sizes.{{ state }} as {{ name }}_num,
        sizes.is_customer as {{ name }}_den,
        cast(sizes.{{ state }} as double) / nullif(sizes.is_customer, 0) as {{ name }},
    {%- endfor %}
    {%- for column in ["added", "deleted"] %}
        cast(
            case
                when dates.date = sizes.date then sizes.{{ column }} else 0
            end as bigint
        ) as wecom_{{ column }}{{ "," if not loop.last }}
    {%- endfor %}
from sizes
inner join
    {{ ref("int_dates") }} as dates
    on dates.date >= sizes.date
    and dates.date <= {{ last_date() }}
    and (sizes.next_date is null or dates.date < sizes.next_date)
where sizes.is_customer > 0 or dates.date = sizes.date
