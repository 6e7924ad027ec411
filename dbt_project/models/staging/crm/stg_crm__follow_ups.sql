-- Grain: one row per follow_up_id, as first delivered.
{{
    stage(
        "crm__follow_ups",
        key=["跟进ID"],
        columns={
            "follow_up_id": ["跟进ID", "key"],
            "lead_id": ["线索唯一ID", "reference"],
            "staff_id": ["销售顾问ID", "code"],
            "method": ["跟进方式", "enum"],
            "followed_up_at": ["跟进时间", "timestamp"],
            "is_connected": ["是否接通", "boolean"],
            "call_seconds": ["通话时长秒", "integer"],
            "tier_before": ["跟进前评级", "enum"],
            "tier_after": ["跟进后评级", "enum"],
            "result": ["跟进结果", "text"],
            "next_follow_up_at": ["下次跟进时间", "timestamp", "planned"],
        },
    )
}}
