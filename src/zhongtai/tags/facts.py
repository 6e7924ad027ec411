"""What tags may ask about: the fact tables and the profile, with the types of their columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

ColumnType = Literal["text", "integer", "boolean", "time", "date"]


# when a fact happened, as Asia/Shanghai reads the clock: 0 to 23, and 1 (Monday) to 7
LOCAL_COLUMNS: Mapping[str, ColumnType] = {"local_hour": "integer", "local_weekday": "integer"}


@dataclass(frozen=True)
class Fact:
    """A dbt model with `one_id`, one row per thing that happened at `time` (SQL, naive UTC)."""

    name: str
    model: str
    time: str
    source: str
    columns: Mapping[str, ColumnType]

    @cached_property
    def types(self) -> Mapping[str, ColumnType]:
        """Every column that a tag may name, those read from the time included."""
        return {**self.columns, **LOCAL_COLUMNS}


@dataclass(frozen=True)
class Property:
    """An attribute of a person: SQL over `dim_users` (alias users, with `as_of`), and its type.

    Of personal data a tag may only ask whether it is known, and what `also_allowed` names.
    """

    type: ColumnType
    sql: str
    is_personal: bool = False
    also_allowed: tuple[str, ...] = ()


FACTS: Mapping[str, Fact] = {
    fact.name: fact
    for fact in (
        Fact("events", "int_events", "occurred_at", "app, miniprogram, website", {
            "source": "text", "event": "text", "series_code": "text", "model_code": "text",
            "dealer_code": "text", "content_id": "text", "campaign_code": "text",
            "member_code": "text", "amount_fen": "integer", "duration_seconds": "integer",
        }),
        Fact("leads", "int_leads", "created_at", "crm.leads, crm.adf_leads", {
            "entity": "text", "channel_1": "text", "channel_2": "text", "series_code": "text",
            "dealer_code": "text", "region": "text", "tier": "text", "status": "text",
            "is_test": "boolean", "is_staff": "boolean", "is_valid": "boolean",
            "is_called": "boolean", "is_connected": "boolean", "visited_at": "time",
            "test_driven_at": "time", "large_ordered_at": "time", "lost_at": "time",
            "lost_reason": "text", "campaign_code": "text", "member_code": "text",
        }),
        Fact("orders", "int_orders", "first_ordered_at", "dms.orders", {
            "series_code": "text", "dealer_code": "text", "is_cancelled": "boolean",
            "is_delivered": "boolean", "is_returned": "boolean", "large_ordered_at": "time",
            "locked_at": "time", "delivered_at": "time", "price_fen": "integer",
            "payment_method": "text", "model_code": "text",
        }),
        Fact("store_visits", "int_store_visits", "arrived_at", "dms.store_visits", {
            "dealer_code": "text", "visit_kind": "text", "series_code": "text",
        }),
        Fact("test_drives", "int_test_drives", "started_at", "dms.test_drives", {
            "dealer_code": "text", "series_code": "text",
        }),
        Fact("service_visits", "int_service_visits", "arrived_at", "dms.service_orders", {
            "dealer_code": "text", "service_kind": "text", "amount_fen": "integer",
            "is_rework": "boolean",
        }),
        Fact("addon_sales", "int_addon_sales", "paid_at", "dms.addon_sales", {
            "product_type": "text", "amount_fen": "integer", "refunded_at": "time",
        }),
        Fact("complaints", "int_complaints", "accepted_at", "crm.complaints", {
            "complaint_type": "text", "complaint_level": "text", "dealer_code": "text",
            "resolved_at": "time", "closed_at": "time", "status": "text",
        }),
        Fact("surveys", "int_surveys", "submitted_at", "crm.surveys", {
            "survey_kind": "text", "recommend_score": "integer", "satisfaction_tenths": "integer",
        }),
        Fact("wecom", "int_wecom", "added_at", "crm.wecom_contacts", {
            "staff_id": "text", "deleted_at": "time",
        }),
        Fact("owner_contacts", "int_owner_contacts", "contacted_at", "crm.owner_contacts", {
            "staff_id": "text", "method": "text", "purpose": "text", "is_proactive": "boolean",
        }),
        Fact("referrals_made", "int_referrals__made", "referred_at", "partner.referrals", {
            "member_code": "text", "member_kind": "text", "order_no": "text", "status": "text",
        }),
        Fact("referrals", "int_referrals", "referred_at", "partner.referrals", {
            "member_code": "text", "channel": "text", "order_no": "text", "status": "text",
        }),
        Fact("manual_tags", "int_manual_tags", "updated_at", "crm.manual_tags", {
            "tag_id": "text", "value": "text", "is_set": "boolean",
        }),
        Fact("imported_tags", "int_imported_tags", "updated_at", "seeds.tag_imports", {
            "tag_id": "text", "value": "text", "is_set": "boolean",
        }),
        Fact("vehicles", "bridge_user_vehicles", "valid_from", "dms.orders, dms.deliveries", {
            "role": "text", "valid_to": "time",
        }),
    )
}  # fmt: skip

PROFILE: Mapping[str, Property] = {
    "name": Property("text", "users.name", is_personal=True),
    "mobile": Property("text", "users.mobile", is_personal=True),
    "email": Property("text", "users.email", is_personal=True),
    "birth_date": Property(
        "date", "users.birth_date", is_personal=True, also_allowed=("anniversary_within_days",)
    ),
    "age": Property("integer", "{{ full_years('users.birth_date', local_date('users.as_of')) }}"),
    "first_seen_at": Property("time", "users.first_seen_at"),
    "last_seen_at": Property("time", "users.last_seen_at"),
    "gender": Property("text", "users.gender"),
    "province": Property("text", "users.province"),
    "city": Property("text", "users.city"),
    "is_owner": Property("boolean", "users.is_owner"),
    "is_staff": Property("boolean", "users.is_staff"),
    "is_partner": Property("boolean", "users.is_partner"),
    "allows_marketing": Property("boolean", "users.allows_marketing"),
    "lifecycle_stage": Property("text", "users.lifecycle_stage"),
    "nurture_pool": Property("text", "users.nurture_pool"),
    "lead_tier": Property("text", "users.lead_tier"),
    "source_count": Property("integer", "users.source_count"),
    "record_count": Property("integer", "users.record_count"),
    "days_known": Property(
        "integer",
        "{{ dbt.datediff(local_date('users.first_seen_at'), local_date('users.as_of'), 'day') }}",
    ),
    "days_since_seen": Property(
        "integer",
        "{{ dbt.datediff(local_date('users.last_seen_at'), local_date('users.as_of'), 'day') }}",
    ),
}
