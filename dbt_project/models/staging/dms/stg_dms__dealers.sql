-- Grain: one row per dealer_code, its newest version.
{{
    stage(
        "dms__dealers",
        key=["经销商代码"],
        version="updated_at",
        columns={
            "dealer_code": ["经销商代码", "key"],
            "name": ["经销商名称", "text"],
            "region": ["大区", "text"],
            "area": ["小区", "text"],
            "province": ["省", "text"],
            "city": ["市", "text"],
            "dealer_type": ["类型", "enum"],
            "opened_on": ["开业日期", "date", "attribute"],
            "updated_at": ["更新时间", "timestamp"],
        },
    )
}}
