-- Grain: one row per reward_id, its newest version.
{{
    stage(
        "partner__rewards",
        key=["reward_id"],
        version="updated_at",
        columns={
            "reward_id": ["reward_id", "key"],
            "referral_id": ["referral_id", "reference"],
            "member_code": ["member_code", "code"],
            "amount_fen": ["amount_fen", "fen"],
            "status": ["status", "enum"],
            "decided_at": ["decided_at", "timestamp"],
            "updated_at": ["updated_at", "timestamp"],
        },
    )
}}
