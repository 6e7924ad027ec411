-- Grain: one row per item_id, its newest version.
{{
    stage(
        "workforce__action_items",
        key=["item_id"],
        version="updated_at",
        columns={
            "item_id": ["item_id", "key"],
            "region": ["region", "text"],
            "meeting_at": ["meeting_at", "timestamp"],
            "staff_id": ["owner", "code"],
            "due_at": ["due_at", "timestamp", "planned"],
            "closed_at": ["closed_at", "timestamp"],
            "updated_at": ["updated_at", "timestamp"],
        },
    )
}}
