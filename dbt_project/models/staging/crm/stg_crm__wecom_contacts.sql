-- Grain: one row per wecom_external_id and staff_id, its newest version.
{{
    stage(
        "crm__wecom_contacts",
        key=["企微ExternalUserID", "员工ID"],
        version="updated_at",
        columns={
            "wecom_external_id": ["企微ExternalUserID", "key"],
            "unionid": ["微信UnionID", "reference"],
            "mobile": ["手机号", "mobile"],
            "staff_id": ["员工ID", "key"],
            "added_at": ["添加时间", "timestamp"],
            "deleted_at": ["删除时间", "timestamp"],
            "contact_source": ["来源", "text"],
            "updated_at": ["更新时间", "timestamp"],
        },
    )
}}
