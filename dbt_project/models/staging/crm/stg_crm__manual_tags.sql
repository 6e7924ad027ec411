-- Grain: one row per identifier_type and identifier_value and tag_id, its newest
-- version.
{{
    stage(
        "crm__manual_tags",
        key=["标识类型", "标识值", "tag_id"],
        version="updated_at",
        columns={
            "identifier_type": ["标识类型", "key"],
            "identifier_value": ["标识值", "key"],
            "tag_id": ["tag_id", "key"],
            "value": ["value", "text"],
            "author": ["作者", "text"],
            "reason": ["原因", "text"],
            "expires_at": ["到期时间", "timestamp", "planned"],
            "updated_at": ["更新时间", "timestamp"],
        },
    )
}}
