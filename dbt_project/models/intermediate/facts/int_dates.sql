-- Grain: one row per day, 2015 to the end of the year after as-of.
select date
from
    (
        {{
            each_date(
                "date '2015-01-01'",
                "(select cast(date_trunc('year', as_of) + interval '2' year - interval '1' day as date) from "
                ~ source("meta", "run_context")
                ~ ")",
            )
        }}
    ) as days
