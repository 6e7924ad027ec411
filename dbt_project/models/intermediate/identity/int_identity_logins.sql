-- Every value that is known to be a login of the app: it tells logins from devices.
with
    logins as (
        select login_id
        from {{ ref("int_identity_signals") }}
        union all
        select distinct_id
        from {{ ref("int_identity_signals") }}
        where is_signup
        union all
        select {{ identity_value("entry_value") }}
        from
            (
                select distinct identities from {{ ref("int_identity_signals") }}
            ) as signals
            {{ each_json_entry("identities") }}
        where entry_key = '$identity_login_id'
        union all
        select login_id
        from {{ ref("int_identity_visitors") }}
    )

select distinct login_id
from logins
where login_id is not null
