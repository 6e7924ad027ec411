-- Grain: one row per visit_id, as first delivered.
{{
    stage(
        "dms__store_visits",
        key=["接待单号"],
        columns={
            "visit_id": ["接待单号", "key"],
            "dealer_code": ["经销商代码", "code"],
            "name": ["客户姓名", "name"],
            "mobile": ["手机", "mobile"],
            "arrived_at": ["到店时间", "timestamp"],
            "left_at": ["离店时间", "timestamp"],
            "visit_kind": ["到店方式", "enum"],
            "series_code": ["意向车系", "code"],
            "intent_level": ["意向级别", "enum"],
            "staff_id": ["销售顾问ID", "code"],
        },
    )
}}
