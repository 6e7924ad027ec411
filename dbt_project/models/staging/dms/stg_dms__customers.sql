-- Grain: one row per dealer_code and dms_customer_id, its newest version.
{{
    stage(
        "dms__customers",
        key=["经销商代码", "DMS客户号"],
        version="updated_at",
        columns={
            "dealer_code": ["经销商代码", "key"],
            "dms_customer_id": ["DMS客户号", "key"],
            "name": ["客户姓名", "name"],
            "customer_kind": ["客户性质", "enum"],
            "id_document_type": ["证件类型", "text"],
            "id_card": ["证件号码", "id_card"],
            "mobile": ["手机", "mobile"],
            "backup_mobile": ["备用电话", "mobile"],
            "email": ["邮箱", "email"],
            "address": ["地址", "text"],
            "province": ["省", "text"],
            "city": ["市", "text"],
            "district": ["区", "text"],
            "filed_on": ["建档日期", "date", "attribute"],
            "updated_at": ["最后更新", "timestamp"],
        },
    )
}}
