-- Grain: one row per order_no, its newest version.
{{
    stage(
        "dms__orders",
        key=["订单号"],
        version="updated_at",
        columns={
            "order_no": ["订单号", "key"],
            "dealer_code": ["经销商代码", "code"],
            "dms_customer_id": ["DMS客户号", "reference"],
            "name": ["客户姓名", "name"],
            "mobile": ["手机", "mobile"],
            "id_card": ["证件号码", "id_card"],
            "series_code": ["车系", "code"],
            "model_code": ["车型", "code"],
            "small_ordered_at": ["小订时间", "timestamp"],
            "large_ordered_at": ["大定时间", "timestamp"],
            "locked_at": ["锁单时间", "timestamp"],
            "cancelled_at": ["取消时间", "timestamp"],
            "deposit_fen": ["订金", "money"],
            "price_fen": ["成交价", "money"],
            "unit_profit_fen": ["单车利润", "money"],
            "payment_method": ["支付方式", "enum"],
            "vin": ["VIN", "vin"],
            "staff_id": ["销售顾问ID", "code"],
            "member_code": ["推荐会员编码", "code"],
            "blue_invoiced_at": ["蓝票时间", "timestamp"],
            "red_invoiced_at": ["红票时间", "timestamp"],
            "status": ["订单状态", "enum"],
            "updated_at": ["更新时间", "timestamp"],
        },
    )
}}
