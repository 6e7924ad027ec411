-- Grain: one row per campaign_code, its newest version.
{{
    stage(
        "crm__campaigns",
        key=["活动编码"],
        version="updated_at",
        columns={
            "campaign_code": ["活动编码", "key"],
            "name": ["名称", "text"],
            "platform": ["平台", "text"],
            "started_at": ["开始时间", "timestamp", "planned"],
            "ended_at": ["结束时间", "timestamp", "planned"],
            "promised_benefit": ["承诺权益", "text"],
            "discount_fen": ["优惠金额", "money"],
            "budget_fen": ["预算", "money"],
            "updated_at": ["更新时间", "timestamp"],
        },
    )
}}
