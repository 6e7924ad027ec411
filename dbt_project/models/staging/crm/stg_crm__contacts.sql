-- Grain: one row per crm_customer_id, its newest version.
{{
    stage(
        "crm__contacts",
        key=["客户ID"],
        version="updated_at",
        columns={
            "crm_customer_id": ["客户ID", "key"],
            "name": ["姓名", "name"],
            "gender": ["性别", "enum"],
            "birth_date": ["出生日期", "date", "attribute"],
            "mobile": ["手机号", "mobile"],
            "backup_mobile": ["备用手机号", "mobile"],
            "email": ["邮箱", "email"],
            "unionid": ["微信UnionID", "reference"],
            "wecom_external_id": ["企微ExternalUserID", "reference"],
            "province": ["省", "text"],
            "city": ["市", "text"],
            "address": ["地址", "text"],
            "occupation": ["职业", "text"],
            "household_size": ["家庭人口", "integer"],
            "allows_marketing": ["是否允许营销", "boolean"],
            "consented_at": ["同意时间", "timestamp"],
            "is_closed": ["是否注销", "boolean"],
            "created_at": ["创建时间", "timestamp"],
            "updated_at": ["更新时间", "timestamp"],
        },
    )
}}
