-- Grain: one row per sales region (大区).
-- Why: the regions that the shared tables speak of, and how large they are.
select region, count(distinct area) as areas, count(*) as dealers
from {{ ref("stg_dms__dealers") }}
where region is not null
group by region
