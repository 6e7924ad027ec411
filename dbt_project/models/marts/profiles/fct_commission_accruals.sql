-- Grain: one row per entry of the commission ledger: an accrual, or the reversal of
-- one.
-- Why: an entry is never changed; what ends it is an entry of its own, in its own
-- month.
with
    rated as (
        select
            events.*,
            cast(rates.rate_numerator as double) / rates.rate_denominator as rate,
            {{
                share_of(
                    "events.base_fen",
                    "rates.rate_numerator",
                    "rates.rate_denominator",
                )
            }} as fen,
            moved.to_staff_id,
            moved.reassigned_at
        from {{ ref("int_commission_events") }} as events
        inner join
            {{ ref("commission_rates") }} as rates
            on rates.component = events.component
            and {{ holds_on("rates", "events.accrued_at") }}
        left join
            (
                select
                    component,
                    event_key,
                    to_staff_id,
                    cast(reassigned_on as timestamp)
                    - interval '8' hour as reassigned_at
                from {{ ref("commission_reassignments") }}
            ) as moved
            on moved.component = events.component
            and moved.event_key = events.event_key
            and moved.to_staff_id <> events.staff_id
            -- what was taken back before cannot be given to another
            and (events.reversed_at is null or moved.reassigned_at < events.reversed_at)
    ),

    holdings as (
        select
            *,
            staff_id as holder_id,
            accrued_at as held_from,
            because as held_because,
            coalesce(reassigned_at, reversed_at) as held_to,
            case
                when reassigned_at is not null then 'reassignment' else reversed_because
            end as ended_because
        from rated
        where reassigned_at is null or reassigned_at > accrued_at
        union all
        select
            *,
            to_staff_id,
            greatest(reassigned_at, accrued_at),
            'reassignment',
            reversed_at,
            reversed_because
        from rated
        where reassigned_at is not null
    ),

    named as (
        select *, concat(component, '|', event_key, '|', holder_id) as holding_id
        from holdings
    )

select
    holding_id as accrual_id,
    holder_id as staff_id,
    component,
    one_id,
    organisation_id,
    order_no,
    referral_id,
    sale_id,
    base_fen,
    rate,
    fen as accrued_fen,
    held_from as accrued_at,
    cast(null as varchar) as reverses_id,
    held_because as because
from named
union all
select
    concat(holding_id, '|reversal'),
    holder_id,
    component,
    one_id,
    organisation_id,
    order_no,
    referral_id,
    sale_id,
    base_fen,
    rate,
    - fen,
    held_to,
    holding_id,
    ended_because
from named
where held_to is not null
