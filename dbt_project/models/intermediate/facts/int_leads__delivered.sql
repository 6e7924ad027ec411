-- Grain: one row per lead of the CRM or prospect of an ADF message, with its person.
with
    leads as (
        select
            'leads' as entity,
            record_key,
            lead_id,
            mobile,
            unionid,
            channel_1,
            channel_2,
            channel_3,
            channel_4,
            series_code,
            model_code,
            dealer_code,
            staff_id,
            tier,
            status,
            lost_reason,
            member_code,
            campaign_code,
            inquiry_id,
            coalesce(is_test, false) as is_test,
            is_connected,
            call_seconds,
            created_at,
            dispatched_at,
            first_contacted_at,
            visited_at,
            test_driven_at,
            small_ordered_at,
            large_ordered_at,
            lost_at,
            updated_at
        from {{ ref("stg_crm__leads") }}
    ),

    prospects as (
        select
            'adf_leads' as entity,
            record_key,
            concat('adf|', record_key) as lead_id,
            mobile,
            cast(null as varchar) as unionid,
            '第三方' as channel_1,
            provider_name as channel_2,
            cast(null as varchar) as channel_3,
            cast(null as varchar) as channel_4,
            vehicle_model as series_code,
            vehicle_trim as model_code,
            dealer_code,
            cast(null as varchar) as staff_id,
            cast(null as varchar) as tier,
            case when mobile is null then '无效' else '有效' end as status,
            cast(null as varchar) as lost_reason,
            cast(null as varchar) as member_code,
            cast(null as varchar) as campaign_code,
            cast(null as varchar) as inquiry_id,
            false as is_test,
            cast(null as boolean) as is_connected,
            cast(null as bigint) as call_seconds,
            requested_at as created_at,
            cast(null as timestamp) as dispatched_at,
            cast(null as timestamp) as first_contacted_at,
            cast(null as timestamp) as visited_at,
            cast(null as timestamp) as test_driven_at,
            cast(null as timestamp) as small_ordered_at,
            cast(null as timestamp) as large_ordered_at,
            cast(null as timestamp) as lost_at,
            requested_at as updated_at
        from {{ ref("stg_crm__adf_leads") }}
    ),

    delivered as (
        select *
        from leads
        union all
        select *
        from prospects
    )

select delivered.*, records.one_id
from delivered
left join
    {{ ref("bridge_user_records") }} as records
    on records.source = 'crm'
    and records.entity = delivered.entity
    and records.record_key = delivered.record_key
