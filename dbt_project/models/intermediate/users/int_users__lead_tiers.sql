-- Grain: one row per lead and period of one rating.
-- A lead's rating changes when somebody follows up and rates it anew. What the CRM says
-- of it now is the last word; when that differs from the last follow-up, it came with
-- the order, the delivery or the last change.
with
    leads as (select * from {{ ref("int_users__leads") }}),

    ratings as (
        select
            leads.lead_id,
            follow_ups.tier_before,
            follow_ups.tier_after,
            follow_ups.follow_up_id,
            greatest(follow_ups.followed_up_at, leads.created_at) as rated_at
        from leads
        inner join
            {{ ref("stg_crm__follow_ups") }} as follow_ups
            on leads.entity = 'leads'
            and follow_ups.lead_id = leads.lead_id
            and follow_ups.followed_up_at < {{ as_of() }}
        where follow_ups.tier_after is not null
    ),

    placed as (
        select
            *,
            row_number() over (
                partition by lead_id order by rated_at, follow_up_id
            ) as place,
            row_number() over (
                partition by lead_id order by rated_at desc, follow_up_id desc
            ) as place_from_end
        from ratings
    ),

    rated as (
        select
            leads.*,
            firsts.lead_id is not null as is_rated,
            firsts.tier_before as first_tier,
            lasts.tier_after as last_tier,
            changes.rated_at as last_rated_at
        from leads
        left join
            placed as firsts on firsts.lead_id = leads.lead_id and firsts.place = 1
        left join
            placed as lasts
            on lasts.lead_id = leads.lead_id
            and lasts.place_from_end = 1
        left join
            (
                select lead_id, max(rated_at) as rated_at
                from placed
                where coalesce(tier_before <> tier_after, true)
                group by lead_id
            ) as changes
            on changes.lead_id = leads.lead_id
    ),

    steps as (
        -- as it came: a lead that was contacted before anybody rated it was new
        select
            lead_id,
            created_at as since,
            0 as step,
            '' as follow_up_id,
            case
                when is_rated
                then first_tier
                when
                    tier in ('O', 'D', 'T')
                    or (called_at > created_at and tier is not null)
                then 'N'
                else tier
            end as tier
        from rated
        union all
        select lead_id, rated_at, 1, follow_up_id, tier_after
        from placed
        where coalesce(tier_before <> tier_after, true)
        union all
        select
            lead_id,
            greatest(
                created_at,
                coalesce(last_rated_at, created_at),
                coalesce(
                    case
                        when tier = 'O'
                        then ordered_at
                        when tier = 'D'
                        then delivered_at
                        when tier <> 'T' and not is_rated
                        then coalesce(called_at, created_at)
                    end,
                    updated_at,
                    created_at
                )
            ),
            2,
            '',
            tier
        from rated
        where tier is not null and coalesce(tier <> last_tier, true)
    ),

    -- of several at one moment the last word
    dated as (
        select
            steps.lead_id,
            steps.tier,
            case
                when steps.since < {{ as_of() }}
                then steps.since
                else coalesce(rated.last_rated_at, rated.created_at)
            end as since,
            steps.step,
            steps.follow_up_id
        from steps
        inner join rated on rated.lead_id = steps.lead_id
    ),

    last_words as (
        select
            *,
            row_number() over (
                partition by lead_id, since order by step desc, follow_up_id desc
            ) as place
        from dated
    ),

    changed as (
        select
            lead_id,
            tier,
            since,
            lag(tier) over (partition by lead_id order by since) as tier_before,
            lag(since) over (partition by lead_id order by since) as since_before
        from last_words
        where place = 1
    )

select
    lead_id,
    tier,
    since as valid_from,
    lead(since) over (partition by lead_id order by since) as valid_to
from changed
where since_before is null or coalesce(tier, '') <> coalesce(tier_before, '')
