-- Grain: one row per person, model, version and week that is over: the score of the
-- evening before, and whether the outcome came in the week.
with
    outcomes as (
        select
            scores.one_id,
            scores.model,
            scores.model_version,
            scores.week,
            max(case when events.one_id is null then 0 else 1 end) as is_positive
        from {{ ref("int_users__scores") }} as scores
        left join
            {{ ref("int_events") }} as events
            on events.one_id = scores.one_id
            and events.event = 'submit_inquiry'
            and events.occurred_at >= scores.scored_at
            and events.occurred_at
            < scores.scored_at + interval '1' day * scores.horizon_days
        where scores.is_mature
        group by scores.one_id, scores.model, scores.model_version, scores.week
    )

select
    scores.one_id,
    scores.model,
    scores.model_version,
    scores.week,
    scores.score,
    scores.log_odds,
    bands.band,
    outcomes.is_positive,
    -- equal scores share a place: whom an id puts first would change with the ids
    rank() over (
        partition by scores.model, scores.model_version, scores.week
        order by scores.log_odds desc
    ) <= ceil(
        0.1
        * count(*) over (partition by scores.model, scores.model_version, scores.week)
    ) as is_top
from {{ ref("int_users__scores") }} as scores
inner join
    outcomes
    on outcomes.one_id = scores.one_id
    and outcomes.model = scores.model
    and outcomes.model_version = scores.model_version
    and outcomes.week = scores.week
inner join
    {{ ref("int_users__score_bands") }} as bands
    on scores.score >= bands.at_least
    and (bands.less_than is null or scores.score < bands.less_than)
where scores.is_mature
