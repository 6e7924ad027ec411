-- Grain: one row per type and event and distinct_id and occurred_at and track_id, as
-- first delivered.
{{
    stage(
        "app__events",
        key=["type", "event", "distinct_id", "time", "_track_id"],
        subject="distinct_id",
        fallback={"absent": "_track_id", "ignoring": ["_flush_time"]},
        columns={
            "type": ["type", "enum"],
            "event": ["event", "code"],
            "distinct_id": ["distinct_id", "key"],
            "occurred_at": ["time", "epoch"],
            "track_id": ["_track_id", "key"],
            "flushed_at": ["_flush_time", "epoch"],
            "original_id": ["original_id", "reference"],
            "anonymous_id": ["anonymous_id", "reference"],
            "login_id": ["login_id", "reference"],
            "identities": ["identities", "json"],
            "project": ["project", "code"],
            "lib": ["lib", "json"],
            "properties": ["properties", "json"],
        },
    )
}}
