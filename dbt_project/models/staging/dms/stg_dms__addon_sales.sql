-- Grain: one row per sale_id, its newest version.
{{
    stage(
        "dms__addon_sales",
        key=["单号"],
        version="updated_at",
        columns={
            "sale_id": ["单号", "key"],
            "vin": ["VIN", "vin"],
            "mobile": ["手机", "mobile"],
            "product_type": ["产品类型", "enum"],
            "product_name": ["产品名称", "text"],
            "amount_fen": ["金额", "money"],
            "paid_at": ["支付时间", "timestamp"],
            "refunded_at": ["退款时间", "timestamp"],
            "staff_id": ["顾问ID", "code"],
            "updated_at": ["更新时间", "timestamp"],
        },
    )
}}
