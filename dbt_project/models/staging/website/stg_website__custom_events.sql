-- Grain: one row per visitor_id and session_id and event_name and occurred_at and
-- event_number, as first delivered.
{{
    stage(
        "website__custom_events",
        key=["visitUserId", "sessionId", "eventName", "time", "eventNumber"],
        subject="visitor_id",
        columns={
            "visitor_id": ["visitUserId", "key"],
            "session_id": ["sessionId", "key"],
            "occurred_at": ["time", "epoch"],
            "sent_at": ["sendTime", "epoch"],
            "domain": ["domain", "text"],
            "page": ["page", "text"],
            "event_name": ["eventName", "key"],
            "event_number": ["eventNumber", "key"],
            "event_variables": ["eventVariable", "json"],
            "login_id": ["loginUserId", "reference"],
            "page_request_id": ["pageRequestId", "reference"],
        },
    )
}}
