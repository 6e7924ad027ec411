-- Grain: one row per review of a member of staff with a score of 0 to 100.
with
    reviews as (
        select
            review_id,
            staff_id,
            reviewer_kind,
            cast(score as decimal(9, 4)) as score,
            try_cast(
                case
                    when {{ matches("period", "^[0-9]{4}-[0-9]{2}$") }}
                    then concat(period, '-01')
                end as date
            ) as period,
            {{ local_month("reviewed_at") }} as reviewed_in
        from {{ ref("stg_workforce__peer_reviews") }}
        where score between 0 and 100
    ),

    -- the month under review; where none that has begun can be read, that of the review
    dated as (
        select
            review_id,
            staff_id,
            reviewer_kind,
            score,
            case
                when period between date '1900-01-01' and {{ local_date(as_of()) }}
                then period
                else reviewed_in
            end as month
        from reviews
    )

select
    dated.review_id,
    dated.staff_id,
    dated.reviewer_kind,
    dated.month,
    dated.score,
    coalesce(weights.weight, 1) as weight
from dated
left join
    {{ ref("review_weights") }} as weights
    on weights.reviewer_kind = dated.reviewer_kind
    and {{ is_valid_in("weights", "dated.month") }}
where dated.month is not null
