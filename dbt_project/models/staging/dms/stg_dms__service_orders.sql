-- Grain: one row per service_order_id, as first delivered.
{{
    stage(
        "dms__service_orders",
        key=["工单号"],
        columns={
            "service_order_id": ["工单号", "key"],
            "dealer_code": ["经销商代码", "code"],
            "vin": ["VIN", "vin"],
            "plate": ["车牌号", "text"],
            "owner_name": ["车主姓名", "name"],
            "sender_name": ["送修人", "name"],
            "sender_mobile": ["送修人手机", "mobile"],
            "arrived_at": ["进厂时间", "timestamp"],
            "left_at": ["出厂时间", "timestamp"],
            "service_kind": ["维修类型", "enum"],
            "fault_part": ["故障部位", "text"],
            "mileage": ["里程", "decimal"],
            "amount_fen": ["金额", "money"],
            "is_rework": ["是否返修", "boolean"],
        },
    )
}}
