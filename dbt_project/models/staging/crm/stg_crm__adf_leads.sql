-- Grain: one row per prospect_id and prospect_source, its newest version.
{{
    stage(
        "crm__adf_leads",
        key=["id", "source"],
        version="requested_at",
        columns={
            "prospect_id": ["id", "key"],
            "prospect_source": ["source", "key"],
            "requested_at": ["requestdate", "timestamp"],
            "vehicle_interest": ["vehicle_interest", "code"],
            "vehicle_year": ["vehicle_year", "integer"],
            "vehicle_make": ["vehicle_make", "text"],
            "vehicle_model": ["vehicle_model", "text"],
            "vehicle_trim": ["vehicle_trim", "text"],
            "name": ["name", "name"],
            "mobile": ["phone", "mobile"],
            "email": ["email", "email"],
            "address": ["address", "text"],
            "city": ["city", "text"],
            "province": ["regioncode", "text"],
            "comments": ["comments", "text"],
            "dealer_code": ["vendor_id", "code"],
            "provider_name": ["provider_name", "text"],
        },
    )
}}
