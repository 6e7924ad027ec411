-- Grain: one row per delivery_id, as first delivered.
{{
    stage(
        "dms__deliveries",
        key=["交车单号"],
        columns={
            "delivery_id": ["交车单号", "key"],
            "order_no": ["订单号", "reference"],
            "vin": ["VIN", "vin"],
            "delivered_at": ["交车时间", "timestamp"],
            "dealer_code": ["经销商代码", "code"],
            "plate": ["车牌号", "text"],
            "staff_id": ["销售顾问ID", "code"],
            "mileage": ["里程", "decimal"],
        },
    )
}}
