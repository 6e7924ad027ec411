-- Grain: one row per survey_id, as first delivered.
{{
    stage(
        "crm__surveys",
        key=["问卷ID"],
        columns={
            "survey_id": ["问卷ID", "key"],
            "survey_kind": ["问卷类型", "enum"],
            "mobile": ["手机号", "mobile"],
            "vin": ["VIN", "vin"],
            "dealer_code": ["经销商代码", "code"],
            "staff_id": ["顾问ID", "code"],
            "sent_at": ["发送时间", "timestamp"],
            "submitted_at": ["提交时间", "timestamp"],
            "recommend_score": ["推荐分", "integer"],
            "satisfaction": ["满意度", "decimal"],
            "comment": ["评论", "text"],
        },
    )
}}
