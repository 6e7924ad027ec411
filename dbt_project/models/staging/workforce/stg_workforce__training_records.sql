-- Grain: one row per record_id, its newest version.
{{
    stage(
        "workforce__training_records",
        key=["record_id"],
        version="updated_at",
        columns={
            "record_id": ["record_id", "key"],
            "staff_id": ["staff_id", "code"],
            "course_code": ["course_code", "code"],
            "course_minutes": ["course_minutes", "decimal"],
            "training_kind": ["kind", "enum"],
            "assigned_at": ["assigned_at", "timestamp"],
            "due_at": ["due_at", "timestamp", "planned"],
            "completed_at": ["completed_at", "timestamp"],
            "score": ["score", "decimal"],
            "satisfaction": ["satisfaction", "decimal"],
            "points": ["points", "integer"],
            "updated_at": ["updated_at", "timestamp"],
        },
    )
}}
