-- Grain: one row per request_id, as first delivered.
{{
    stage(
        "crm__erasure_requests",
        key=["申请ID"],
        columns={
            "request_id": ["申请ID", "key"],
            "identifier_type": ["标识类型", "enum"],
            "identifier_value": ["标识值", "reference"],
            "requested_at": ["申请时间", "timestamp"],
            "request_kind": ["类型", "enum"],
        },
    )
}}
