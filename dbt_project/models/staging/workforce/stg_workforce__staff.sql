-- Grain: one row per staff_id, its newest version.
{{
    stage(
        "workforce__staff",
        key=["staff_id"],
        version="updated_at",
        columns={
            "staff_id": ["staff_id", "key"],
            "name": ["name", "name"],
            "mobile": ["mobile", "mobile"],
            "unionid": ["unionid", "reference"],
            "role": ["role", "enum"],
            "dealer_code": ["dealer_code", "code"],
            "department": ["department", "text"],
            "hired_on": ["hired_on", "date", "attribute"],
            "left_on": ["left_on", "date", "planned"],
            "updated_at": ["updated_at", "timestamp"],
        },
    )
}}
