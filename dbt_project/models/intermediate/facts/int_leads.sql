-- Grain: one row per lead: CRM leads (tests included and flagged) and ADF prospects.
with
    staff as (select mobile, unionid from {{ ref("stg_workforce__staff") }}),

    milestones as (
        select
            leads.lead_id,
            outcomes.small_ordered_at as small_matched_at,
            outcomes.small_kept_at,
            outcomes.large_ordered_at as large_matched_at,
            outcomes.large_kept_at,
            outcomes.delivered_at,
            -- the CRM knows its own leads' steps; a prospect's are found in the dms
            case
                when leads.entity = 'leads'
                then leads.visited_at
                else outcomes.visited_at
            end as visited_at,
            case
                when leads.entity = 'leads'
                then leads.test_driven_at
                else outcomes.test_driven_at
            end as test_driven_at,
            case
                when leads.entity = 'leads'
                then leads.small_ordered_at
                else outcomes.small_ordered_at
            end as small_ordered_at,
            case
                when leads.entity = 'leads'
                then leads.large_ordered_at
                else outcomes.large_ordered_at
            end as large_ordered_at
        from {{ ref("int_leads__delivered") }} as leads
        left join
            {{ ref("int_leads__outcomes") }} as outcomes
            on outcomes.lead_id = leads.lead_id
    )

select
    leads.lead_id,
    leads.entity,
    leads.one_id,
    leads.channel_1,
    leads.channel_2,
    leads.channel_3,
    leads.channel_4,
    leads.series_code,
    leads.model_code,
    leads.dealer_code,
    dealers.region,
    dealers.area,
    leads.staff_id,
    leads.member_code,
    leads.campaign_code,
    leads.inquiry_id,
    leads.tier,
    leads.status,
    leads.lost_reason,
    lost_reasons.class as lost_reason_class,
    leads.is_test,
    leads.mobile in (select mobile from staff where mobile is not null)
    and leads.mobile is not null
    or leads.unionid in (select unionid from staff where unionid is not null)
    and leads.unionid is not null
    or leads.one_id in (select one_id from {{ ref("int_staff_persons") }})
    and leads.one_id is not null as is_staff,
    not leads.is_test and coalesce(leads.status not in ('无效', '重复'), true) as is_valid,
    repeats.lead_id is not null as is_duplicate_30d,
    coalesce(repeats.is_same_dealer, false) as is_duplicate_same_dealer_30d,
    contacts.first_contacted_at is not null as is_called,
    coalesce(contacts.is_connected, false) as is_connected,
    milestones.large_ordered_at is not null
    and milestones.large_matched_at is not null
    and milestones.large_kept_at is null as is_order_cancelled,
    contacts.call_seconds,
    coalesce(contacts.contact_count, 0) as contact_count,
    leads.created_at,
    {{ local_date("leads.created_at") }} as created_date,
    leads.dispatched_at,
    contacts.first_contacted_at,
    milestones.visited_at,
    milestones.test_driven_at,
    milestones.small_ordered_at,
    milestones.small_matched_at,
    milestones.small_kept_at,
    milestones.large_ordered_at,
    milestones.large_matched_at,
    milestones.large_kept_at,
    milestones.delivered_at,
    leads.lost_at,
    leads.updated_at
from {{ ref("int_leads__delivered") }} as leads
left join milestones on milestones.lead_id = leads.lead_id
left join
    {{ ref("int_leads__contacts") }} as contacts on contacts.lead_id = leads.lead_id
left join {{ ref("int_leads__repeats") }} as repeats on repeats.lead_id = leads.lead_id
left join
    {{ ref("stg_dms__dealers") }} as dealers on dealers.dealer_code = leads.dealer_code
left join
    {{ ref("lost_reasons") }} as lost_reasons on lost_reasons.reason = leads.lost_reason
