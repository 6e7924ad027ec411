-- Grain: one row per visitor_id and session_id and page_request_id, as first delivered.
{{
    stage(
        "website__pages",
        key=["visitUserId", "sessionId", "pageRequestId"],
        subject="visitor_id",
        columns={
            "visitor_id": ["visitUserId", "key"],
            "session_id": ["sessionId", "key"],
            "domain": ["domain", "text"],
            "page": ["page", "text"],
            "query_parameters": ["queryParameters", "text"],
            "referrer": ["referrer", "text"],
            "title": ["title", "text"],
            "occurred_at": ["time", "epoch"],
            "sent_at": ["sendTime", "epoch"],
            "login_id": ["loginUserId", "reference"],
            "page_group": ["pageGroup", "text"],
            "app_variables": ["appVariable", "json"],
            "page_request_id": ["pageRequestId", "key"],
            "visit_request_id": ["vstRequestId", "reference"],
        },
    )
}}
