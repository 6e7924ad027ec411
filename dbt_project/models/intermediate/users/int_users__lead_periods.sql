-- Grain: one row per person, lead and period in which the lead says something of them.
-- comparing: open and not older than 90 days; deciding: rated H or A in the last 90
-- days
-- and open; ordered: the CRM knows of an order (of no use where the dealer reports it);
-- lost: the latest lead ended without another.
with
    leads as (select * from {{ ref("int_users__leads") }}),

    periods as (
        select
            one_id,
            lead_id,
            'comparing' as kind,
            created_at as valid_from,
            least(created_at + interval '90' day, lost_at) as valid_to
        from leads
        union all
        select
            leads.one_id,
            leads.lead_id,
            'deciding',
            tiers.valid_from,
            least(tiers.valid_from + interval '90' day, tiers.valid_to, leads.lost_at)
        from leads
        inner join
            {{ ref("int_users__lead_tiers") }} as tiers
            on tiers.lead_id = leads.lead_id
            and tiers.tier in ('H', 'A')
        union all
        select
            one_id,
            lead_id,
            'ordered',
            greatest(ordered_at, created_at),
            least(succeeded_at, lost_at)
        from leads
        where ordered_at is not null and not is_order_cancelled
        union all
        select one_id, lead_id, 'lost', lost_at, succeeded_at
        from leads
        where lost_at is not null
    )

select one_id, lead_id, kind, valid_from, valid_to
from periods
where valid_to is null or valid_from < valid_to
