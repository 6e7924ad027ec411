-- Grain: one row per visitor_id and session_id and visit_request_id, as first
-- delivered.
{{
    stage(
        "website__visits",
        key=["visitUserId", "sessionId", "vstRequestId"],
        subject="visitor_id",
        columns={
            "visitor_id": ["visitUserId", "key"],
            "session_id": ["sessionId", "key"],
            "platform": ["platform", "code"],
            "domain": ["domain", "text"],
            "page": ["page", "text"],
            "query_parameters": ["queryParameters", "text"],
            "referrer": ["referrer", "text"],
            "language": ["language", "code"],
            "occurred_at": ["time", "epoch"],
            "sent_at": ["sendTime", "epoch"],
            "ip": ["ip", "text"],
            "user_agent": ["userAgent", "text"],
            "operating_system": ["operatingSystem", "text"],
            "channel": ["channel", "text"],
            "device_type": ["deviceType", "code"],
            "visit_request_id": ["vstRequestId", "key"],
        },
    )
}}
