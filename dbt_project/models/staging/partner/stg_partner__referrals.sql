-- Grain: one row per referral_id, its newest version.
{{
    stage(
        "partner__referrals",
        key=["referral_id"],
        version="updated_at",
        columns={
            "referral_id": ["referral_id", "key"],
            "member_code": ["member_code", "code"],
            "channel": ["channel", "text"],
            "name": ["customer_name", "name"],
            "mobile": ["mobile", "mobile"],
            "unionid": ["unionid", "reference"],
            "inquiry_id": ["inquiry_id", "reference"],
            "referred_at": ["referred_at", "timestamp"],
            "order_no": ["order_no", "reference"],
            "reserved_at": ["reserve_time", "timestamp"],
            "buy_expires_at": ["buy_expire_time", "timestamp", "planned"],
            "status": ["status", "enum"],
            "updated_at": ["updated_at", "timestamp"],
        },
    )
}}
