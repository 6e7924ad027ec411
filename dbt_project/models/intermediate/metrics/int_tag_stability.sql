-- Grain: one row per tag that somebody had when the local day of as-of began.
-- The population stability index between then and now: the sum over values, those who
-- have none among them, of (share now - share then) * ln(share now / share then). Half
-- a person is added to each value, so that one that comes or goes stays finite.
with
    persons as (
        select
            count(*) as now,
            coalesce(
                (
                    select max(user_share_den)
                    from {{ source("tags", "days") }} as days
                    where
                        days.date = (
                            select max(date)
                            from {{ source("tags", "days") }}
                            where date < {{ local_date(as_of()) }}
                        )
                ),
                count(*)
            ) as before
        from {{ ref("dim_users") }}
    ),

    buckets as (
        select tag_id, bucket, sum(now) as now, sum(before) as before
        from
            (
                select tag_id, bucket_now as bucket, persons as now, 0 as before
                from {{ ref("int_tag_counts") }}
                where has_now = 1
                union all
                select tag_id, bucket_before as bucket, 0 as now, persons as before
                from {{ ref("int_tag_counts") }}
                where had_before = 1
            ) as counted
        group by tag_id, bucket
    ),

    -- a list gives a person several values, so what is over is never less than nobody
    everybody as (
        select tag_id, bucket, now, before
        from buckets
        union all
        select
            buckets.tag_id,
            '(none)' as bucket,
            greatest(max(persons.now) - sum(buckets.now), 0) as now,
            greatest(max(persons.before) - sum(buckets.before), 0) as before
        from buckets
        cross join persons
        group by buckets.tag_id
    ),

    shares as (
        select
            tag_id,
            (now + 0.5) / (sum(now + 0.5) over (partition by tag_id)) as share_now,
            (before + 0.5)
            / (sum(before + 0.5) over (partition by tag_id)) as share_before,
            sum(case when bucket <> '(none)' then before else 0 end) over (
                partition by tag_id
            ) as holders_before
        from everybody
    )

select
    tag_id,
    sum((share_now - share_before) * ln(share_now / share_before)) as stability_index
from shares
where holders_before > 0
group by tag_id
