-- Grain: one row per review of a member of staff with a score of 0 to 100.
with
    reviews as (
        select
            review_id,
            staff_id,
            reviewer_kind,
            cast(score as decimal(9, 4)) as score,
            -- the month under review; where no month can be read, that of the review
            coalesce(
                try_cast(
                    case
                        when {{ matches("period", "^[0-9]{4}-[0-9]{2}$") }}
                        then concat(period, '-01')
                    end as date
                ),
                {{ local_month("reviewed_at") }}
            ) as month
        from {{ ref("stg_workforce__peer_reviews") }}
        where score between 0 and 100
    )

select
    reviews.review_id,
    reviews.staff_id,
    reviews.reviewer_kind,
    reviews.month,
    reviews.score,
    coalesce(weights.weight, 1) as weight
from reviews
left join
    {{ ref("review_weights") }} as weights
    on weights.reviewer_kind = reviews.reviewer_kind
    and {{ is_valid_in("weights", "reviews.month") }}
