-- Grain: one row per review_id, as first delivered.
{{
    stage(
        "workforce__peer_reviews",
        key=["review_id"],
        columns={
            "review_id": ["review_id", "key"],
            "staff_id": ["staff_id", "code"],
            "reviewer_kind": ["reviewer_kind", "enum"],
            "period": ["period", "code"],
            "score": ["score", "decimal"],
            "reviewed_at": ["reviewed_at", "timestamp"],
        },
    )
}}
