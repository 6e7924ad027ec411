-- Grain: one row per scope and scope_id and period and metric, its newest version.
{{
    stage(
        "workforce__targets",
        key=["scope", "scope_id", "period", "metric"],
        version="updated_at",
        columns={
            "scope": ["scope", "key"],
            "scope_id": ["scope_id", "key"],
            "period": ["period", "key"],
            "metric": ["metric", "key"],
            "target": ["target", "decimal"],
            "updated_at": ["updated_at", "timestamp"],
        },
    )
}}
