-- Grain: one row per company customer of a dealer.
-- Who the buyer of a fleet car is, without making the company a person.
select
    r.organisation_id,
    min(o.name) as name,
    min(o.dealer_code) as dealer_code,
    count(*) as record_count
from {{ ref("bridge_organisation_records") }} as r
inner join
    {{ ref("int_identity_organisations") }} as o
    on r.organisation_id = concat('o_', md5(o.organisation_key))
group by r.organisation_id
