-- Grain: one row per complaint_id, its newest version.
{{
    stage(
        "crm__complaints",
        key=["投诉单号"],
        version="updated_at",
        columns={
            "complaint_id": ["投诉单号", "key"],
            "name": ["客户姓名", "name"],
            "mobile": ["手机号", "mobile"],
            "vin": ["VIN", "vin"],
            "complaint_type": ["投诉类型", "enum"],
            "complaint_level": ["投诉级别", "enum"],
            "complaint_source": ["来源", "enum"],
            "dealer_code": ["经销商代码", "code"],
            "staff_id": ["责任顾问ID", "code"],
            "accepted_at": ["受理时间", "timestamp"],
            "notified_at": ["通知顾问时间", "timestamp"],
            "first_contacted_at": ["首次联系时间", "timestamp"],
            "resolved_at": ["解决时间", "timestamp"],
            "revisited_at": ["回访时间", "timestamp"],
            "revisit_result": ["回访结果", "text"],
            "closed_at": ["关闭时间", "timestamp"],
            "is_reopened": ["是否重开", "boolean"],
            "fault_part": ["故障部位", "text"],
            "status": ["状态", "enum"],
            "updated_at": ["更新时间", "timestamp"],
        },
    )
}}
