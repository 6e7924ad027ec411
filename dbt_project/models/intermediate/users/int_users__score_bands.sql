-- Grain: one row per score band.
select band, at_least, lead(at_least) over (order by at_least) as less_than
from {{ ref("score_bands") }}
