-- Grain: one row per campaign and local day on which it runs, up to as-of.
with
    campaigns as (
        select
            campaign_code,
            coalesce(budget_fen, 0) as budget_fen,
            {{ local_date("started_at") }} as first_day,
            -- an end at midnight closes the day before; without an end it is one day
            greatest(
                {{ local_date("started_at") }},
                coalesce(
                    {{ local_date("ended_at - interval '1' microsecond") }},
                    {{ local_date("started_at") }}
                )
            ) as last_day,
            ended_at is null as is_open
        from {{ ref("stg_crm__campaigns") }}
        where started_at is not null
    ),

    numbered as (
        select
            campaigns.campaign_code,
            dates.date,
            campaigns.budget_fen,
            {{ dbt.datediff("campaigns.first_day", "dates.date", "day") }} + 1 as place,
            {{ dbt.datediff("campaigns.first_day", "campaigns.last_day", "day") }}
            + 1 as days
        from campaigns
        inner join
            {{ ref("int_dates") }} as dates
            on dates.date >= campaigns.first_day
            and (campaigns.is_open or dates.date <= campaigns.last_day)
            and dates.date <= {{ local_date(as_of()) }}
    )

select
    campaign_code,
    date,
    -- running sums rounded down, so that the days add up to the budget to the fen
    case
        when place <= days
        then
            cast(
                floor(cast(budget_fen * place as double) / days)
                - floor(cast(budget_fen * (place - 1) as double) / days) as bigint
            )
        else cast(0 as bigint)
    end as budget_fen
from numbered
