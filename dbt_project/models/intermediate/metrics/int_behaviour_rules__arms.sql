-- Grain: one row per rule, person, series and hit.
-- Why: what contacting people brings can only be read against people whom a lot leaves
-- alone. Asked before anybody contacted them, they were not won by a contact.
with
    hits as (
        select
            hits.rule,
            hits.one_id,
            hits.series_code,
            hits.hit_at,
            hits.week,
            rules.inquiry_event,
            rules.holdout_tag,
            hits.hit_at + interval '1' day * rules.uplift_days as ends_at
        from {{ ref("int_behaviour_rules__hits") }} as hits
        inner join
            {{ ref("behaviour_rules") }} as rules
            on rules.rule = hits.rule
            and rules.valid_from <= hits.week
            and (rules.valid_to is null or hits.week < rules.valid_to)
    ),

    held_out as (
        select distinct tags.one_id, tags.tag_id
        from {{ ref("fct_user_tags") }} as tags
        inner join
            {{ ref("behaviour_rules") }} as rules on rules.holdout_tag = tags.tag_id
        where tags.valid_to is null and tags.value = 'true'
    ),

    contacts as (
        select one_id, first_contacted_at as contacted_at
        from {{ ref("int_leads") }}
        union all
        select leads.one_id, follow_ups.followed_up_at
        from {{ ref("int_leads") }} as leads
        inner join
            {{ ref("stg_crm__follow_ups") }} as follow_ups
            on follow_ups.lead_id = leads.lead_id
        where leads.entity = 'leads'
        union all
        select one_id, contacted_at
        from {{ ref("int_owner_contacts") }}
    ),

    happened as (
        select
            hits.rule,
            hits.one_id,
            hits.series_code,
            hits.hit_at,
            asked.occurred_at as responded_at,
            cast(null as timestamp) as contacted_at
        from hits
        inner join
            {{ ref("int_events") }} as asked
            on asked.one_id = hits.one_id
            and asked.event = hits.inquiry_event
            and asked.occurred_at >= hits.hit_at
            and asked.occurred_at < hits.ends_at
        union all
        select
            hits.rule,
            hits.one_id,
            hits.series_code,
            hits.hit_at,
            visits.arrived_at,
            null
        from hits
        inner join
            {{ ref("int_store_visits") }} as visits
            on visits.one_id = hits.one_id
            and visits.arrived_at >= hits.hit_at
            and visits.arrived_at < hits.ends_at
        union all
        select
            hits.rule,
            hits.one_id,
            hits.series_code,
            hits.hit_at,
            null,
            contacts.contacted_at
        from hits
        inner join
            contacts
            on contacts.one_id = hits.one_id
            and contacts.contacted_at >= hits.hit_at
            and contacts.contacted_at < hits.ends_at
    ),

    firsts as (
        select
            rule,
            one_id,
            series_code,
            hit_at,
            min(responded_at) as responded_at,
            min(contacted_at) as contacted_at
        from happened
        group by rule, one_id, series_code, hit_at
    )

select
    hits.rule,
    hits.one_id,
    hits.series_code,
    hits.hit_at,
    hits.week,
    hits.ends_at <= {{ as_of() }} as is_mature,
    held_out.one_id is not null as is_held_out,
    firsts.responded_at is not null as has_responded,
    coalesce(
        firsts.contacted_at < coalesce(firsts.responded_at, hits.ends_at), false
    ) as is_contacted
from hits
left join
    held_out on held_out.one_id = hits.one_id and held_out.tag_id = hits.holdout_tag
left join
    firsts
    on firsts.rule = hits.rule
    and firsts.one_id = hits.one_id
    and firsts.series_code = hits.series_code
    and firsts.hit_at = hits.hit_at
