-- Grain: one row per member_code, its newest version.
{{
    stage(
        "partner__members",
        key=["member_code"],
        version="updated_at",
        columns={
            "member_code": ["member_code", "key"],
            "member_kind": ["kind", "enum"],
            "name": ["name", "name"],
            "mobile": ["mobile", "mobile"],
            "unionid": ["unionid", "reference"],
            "department": ["department", "text"],
            "base": ["base", "text"],
            "mentor_codes": ["mentor_codes", "text"],
            "registered_at": ["registered_at", "timestamp"],
            "status": ["status", "enum"],
            "updated_at": ["updated_at", "timestamp"],
        },
    )
}}
