-- Grain: one row per first visit of a person for whom the dealer then filed a card.
select
    visits.visit_id,
    visits.dealer_code,
    visits.region,
    visits.series_code,
    visits.arrived_at
from {{ ref("int_store_visits") }} as visits
where
    visits.is_first
    and exists (
        select 1
        from {{ ref("int_customer_cards") }} as cards
        where
            cards.one_id = visits.one_id
            and cards.dealer_code = visits.dealer_code
            and cards.filed_on >= {{ local_date("visits.arrived_at") }}
    )
