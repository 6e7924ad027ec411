-- Grain: one row per contact_id, as first delivered.
{{
    stage(
        "crm__owner_contacts",
        key=["联系ID"],
        columns={
            "contact_id": ["联系ID", "key"],
            "mobile": ["手机号", "mobile"],
            "vin": ["VIN", "vin"],
            "staff_id": ["顾问ID", "code"],
            "contacted_at": ["联系时间", "timestamp"],
            "method": ["方式", "text"],
            "purpose": ["目的", "enum"],
            "is_proactive": ["是否主动", "boolean"],
        },
    )
}}
