"""Where the columns of the facts and of the profile come from: `source.entity.column`.

Columns have the English names that the contracts give them. A column of a fact that is not told
here has the same name in the entity, or entities, of the fact.
"""

from collections.abc import Mapping

_CHANNELS = ("app.events", "miniprogram.events", "website.custom_events")
_PROPERTIES = (
    "app.events.properties",
    "miniprogram.events.properties",
    "website.custom_events.event_variables",
)
_REGION = "dms.dealers.region"
_CARS = ("dms.orders.vin", "dms.deliveries.vin", "dms.deliveries.delivered_at")
_BINDINGS = ("app.events.properties", "miniprogram.events.properties")

# fact -> column -> where it comes from, where that is not the column of the same name
FACT_ORIGINS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "events": {
        "source": tuple(f"{entity}.occurred_at" for entity in (*_CHANNELS, "website.visits")),
        "event": (
            "app.events.event",
            "miniprogram.events.event",
            "website.custom_events.event_name",
            "website.visits.occurred_at",
            "website.pages.occurred_at",
        ),
        "occurred_at": tuple(
            f"{entity}.occurred_at" for entity in (*_CHANNELS, "website.visits", "website.pages")
        ),
        **dict.fromkeys(
            (
                "series_code", "model_code", "dealer_code", "content_id", "campaign_code",
                "member_code", "amount_fen", "duration_seconds",
            ),
            _PROPERTIES,
        ),
    },
    "leads": {
        "entity": ("crm.leads.lead_id", "crm.adf_leads.prospect_id"),
        "created_at": ("crm.leads.created_at", "crm.adf_leads.requested_at"),
        "channel_2": ("crm.leads.channel_2", "crm.adf_leads.provider_name"),
        "series_code": ("crm.leads.series_code", "crm.adf_leads.vehicle_model"),
        "status": ("crm.leads.status", "crm.adf_leads.mobile"),
        "is_valid": ("crm.leads.status", "crm.leads.is_test", "crm.adf_leads.mobile"),
        "is_staff": ("crm.leads.mobile", "crm.leads.unionid", "workforce.staff.mobile"),
        "is_called": ("crm.leads.first_contacted_at", "crm.follow_ups.followed_up_at"),
        "is_connected": ("crm.leads.is_connected", "crm.follow_ups.is_connected"),
        "visited_at": ("crm.leads.visited_at", "dms.store_visits.arrived_at"),
        "test_driven_at": ("crm.leads.test_driven_at", "dms.test_drives.started_at"),
        "large_ordered_at": ("crm.leads.large_ordered_at", "dms.orders.large_ordered_at"),
        "region": ("crm.leads.dealer_code", "crm.adf_leads.dealer_code", _REGION),
    },
    "orders": {
        "first_ordered_at": (
            "dms.orders.small_ordered_at", "dms.orders.large_ordered_at", "dms.orders.locked_at",
        ),
        "is_cancelled": ("dms.orders.cancelled_at", "dms.orders.status"),
        "is_delivered": ("dms.deliveries.order_no",),
        "is_returned": (
            "dms.deliveries.order_no", "dms.orders.status", "dms.orders.red_invoiced_at",
        ),
        "delivered_at": ("dms.deliveries.delivered_at",),
    },
    "surveys": {"satisfaction_tenths": ("crm.surveys.satisfaction",)},
    "referrals_made": {"member_kind": ("partner.members.member_kind",)},
    "manual_tags": {"is_set": ("crm.manual_tags.value",)},
    "imported_tags": {
        "is_set": ("seeds.tag_imports.value",),
        "updated_at": ("seeds.tag_imports.set_on",),
    },
    "vehicles": {
        "role": (*_CARS, *_BINDINGS, "dms.service_orders.vin"),
        "valid_from": (*_CARS, *_BINDINGS, "dms.service_orders.arrived_at"),
        "valid_to": (*_CARS, "dms.orders.red_invoiced_at", *_BINDINGS),
    },
}  # fmt: skip

# attribute of the profile -> where it comes from; those that survive among several sources are in
# seeds/survivorship_sources.csv instead
PROFILE_ORIGINS: Mapping[str, tuple[str, ...]] = {
    "is_owner": (*_CARS, "dms.orders.red_invoiced_at"),
    "is_staff": ("workforce.staff.mobile", "workforce.staff.unionid"),
    "is_partner": ("partner.members.status",),
    "allows_marketing": (
        "crm.contacts.allows_marketing", "crm.contacts.is_closed",
        "crm.erasure_requests.requested_at",
    ),
}  # fmt: skip
# another name of an attribute that survives
SURVIVORS: Mapping[str, str] = {"age": "birth_date"}
# (entity, attribute) -> the column that tells it, where that has another name
SURVIVOR_COLUMNS: Mapping[tuple[str, str], str] = {
    ("dms.service_orders", "name"): "sender_name",
    ("dms.service_orders", "mobile"): "sender_mobile",
    **{
        (entity, attribute): "id_card"
        for entity in ("dms.customers", "dms.orders")
        for attribute in ("birth_date", "gender")
    },
    **{
        (entity, attribute): column
        for entity in ("app.events", "miniprogram.events")
        for attribute, column in {
            "name": "properties", "gender": "properties", "birth_date": "properties",
            "province": "properties", "city": "properties",
            "mobile": "identities", "email": "identities",
        }.items()
    },
    ("website.visits", "mobile"): "visitor_id",
}  # fmt: skip
