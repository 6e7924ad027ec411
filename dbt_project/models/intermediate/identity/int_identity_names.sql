-- Every identifier that an event line names, as text, before cleaning.
with
    signals as (select * from {{ ref("int_identity_signals") }}),

    entries as (
        select
            source,
            distinct_id,
            is_unbind,
            identities,
            first_seen_at,
            last_seen_at,
            event_count,
            case
                when entry_key = '$identity_login_id'
                then 'login_id'
                when entry_key = '$identity_anonymous_id'
                then 'anonymous_id'
                when entry_key = '$identity_mobile'
                then 'mobile'
                when entry_key = '$identity_email'
                then 'email'
                when entry_key = '$identity_mp_unionid'
                then 'unionid'
                when entry_key like '$identity/_mp/_%openid' escape '/'
                then 'openid'
            end as identifier_type,
            {{ extract_group("entry_key", "^[$]identity_mp_(.+)_openid$", 1) }}
            as identifier_scope,
            {{ identity_value("entry_value") }} as identifier_value
        from signals {{ each_json_entry("identities") }}
    ),

    -- a device beside other identifiers on an unbind line is the sender, not what is
    -- taken back
    retractable as (
        select
            *,
            is_unbind
            and identifier_value <> distinct_id
            and (
                identifier_type <> 'anonymous_id'
                or max(
                    case
                        when
                            identifier_type <> 'anonymous_id'
                            and identifier_value <> distinct_id
                        then 1
                        else 0
                    end
                ) over (partition by source, distinct_id, identities, first_seen_at)
                = 0
            ) as is_retraction
        from entries
        where identifier_type is not null
    ),

    openid_apps as (
        select identifier_value, min(identifier_scope) as identifier_scope
        from entries
        where identifier_type = 'openid' and identifier_scope <> ''
        group by identifier_value
    ),

    logins as (select login_id from {{ ref("int_identity_logins") }}),

    named as (
        select
            source,
            distinct_id,
            identifier_type,
            identifier_scope,
            identifier_value,
            cast(null as varchar) as reason,
            is_retraction,
            identifier_type in ('mobile', 'email') as is_verified,
            first_seen_at,
            last_seen_at,
            event_count
        from retractable
        where is_retraction or not is_unbind
        union all
        {% for column in ["anonymous_id", "login_id", "mobile"] %}
            select
                source,
                distinct_id,
                '{{ column }}',
                '',
                {{ column }},
                null,
                false,
                false,
                first_seen_at,
                last_seen_at,
                event_count
            from signals
            where not is_unbind
            union all
        {% endfor %}
        -- signing up from another login is a change of user on one device, not one
        -- person
        select
            source,
            distinct_id,
            case when l.login_id is null then 'anonymous_id' else 'login_id' end,
            '',
            original_id,
            case when l.login_id is not null then 'account_switch' end,
            false,
            false,
            first_seen_at,
            last_seen_at,
            event_count
        from signals
        left join logins as l on original_id = l.login_id
        union all
        select
            source,
            distinct_id,
            case
                when source = 'miniprogram'
                then 'openid'
                when l.login_id is null
                then 'anonymous_id'
                else 'login_id'
            end,
            case
                when source = 'miniprogram'
                then coalesce(a.identifier_scope, '')
                else ''
            end,
            distinct_id,
            null,
            false,
            false,
            first_seen_at,
            last_seen_at,
            event_count
        from signals
        left join logins as l on distinct_id = l.login_id
        left join openid_apps as a on distinct_id = a.identifier_value
    )

select *
from named
where identifier_value is not null
