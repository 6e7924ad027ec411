-- Grain: one row per post_id and stat_date, as first delivered.
{{
    stage(
        "workforce__content_posts",
        key=["post_id", "stat_date"],
        columns={
            "post_id": ["post_id", "key"],
            "stat_date": ["stat_date", "key"],
            "stat_on": ["stat_date", "date"],
            "staff_id": ["staff_id", "code"],
            "platform": ["platform", "enum"],
            "series_code": ["series_code", "code"],
            "posted_at": ["posted_at", "timestamp"],
            "views": ["views", "integer"],
            "likes": ["likes", "integer"],
            "saves": ["saves", "integer"],
            "comments": ["comments", "integer"],
            "shares": ["shares", "integer"],
            "followers": ["followers", "integer"],
        },
    )
}}
