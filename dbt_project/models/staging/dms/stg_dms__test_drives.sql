-- Grain: one row per test_drive_id, as first delivered.
{{
    stage(
        "dms__test_drives",
        key=["试驾单号"],
        columns={
            "test_drive_id": ["试驾单号", "key"],
            "dealer_code": ["经销商代码", "code"],
            "name": ["客户姓名", "name"],
            "mobile": ["手机", "mobile"],
            "series_code": ["试驾车系", "code"],
            "vin": ["试驾车VIN", "vin"],
            "started_at": ["开始时间", "timestamp"],
            "ended_at": ["结束时间", "timestamp"],
            "start_mileage": ["起始里程", "decimal"],
            "end_mileage": ["结束里程", "decimal"],
            "satisfaction": ["满意度", "decimal"],
            "staff_id": ["销售顾问ID", "code"],
        },
    )
}}
