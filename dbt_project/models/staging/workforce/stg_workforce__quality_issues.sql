-- Grain: one row per issue_id, its newest version.
{{
    stage(
        "workforce__quality_issues",
        key=["issue_id"],
        version="updated_at",
        columns={
            "issue_id": ["issue_id", "key"],
            "vin": ["vin", "vin"],
            "series_code": ["series_code", "code"],
            "fault_part": ["fault_part", "text"],
            "issue_source": ["source", "enum"],
            "raised_at": ["raised_at", "timestamp"],
            "escalated_at": ["escalated_at", "timestamp"],
            "fixed_at": ["fixed_at", "timestamp"],
            "verified_at": ["verified_at", "timestamp"],
            "updated_at": ["updated_at", "timestamp"],
        },
    )
}}
