-- Grain: one row per vin, its newest version.
{{
    stage(
        "dms__vehicles",
        key=["VIN"],
        version="updated_at",
        columns={
            "vin": ["VIN", "vin"],
            "series_code": ["车系", "code"],
            "model_code": ["车型", "code"],
            "colour": ["颜色", "text"],
            "software_version": ["软件版本", "code"],
            "built_on": ["下线日期", "date", "attribute"],
            "shipped_on": ["发运日期", "date", "attribute"],
            "dealer_code": ["经销商代码", "code"],
            "stock_status": ["库存状态", "enum"],
            "updated_at": ["更新时间", "timestamp"],
        },
    )
}}
