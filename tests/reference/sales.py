"""What the dms reports, event by event."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from datetime import datetime
from typing import Any

from reference.exports import Row, count, local_date, ratio
from reference.field import FieldExports
from reference.small_orders import cut_off

Event = dict[str, Any]
FIRST_VISITS = ("首次自然来店", "线索首次", "转介绍")


def sales(exports: FieldExports) -> dict[Hashable, Counter[str]]:
    """The counts of metrics_sales_daily by (date, series, dealer, region), money as well."""

    def key(event: Row) -> Hashable:
        dealer = event["dealer"]
        return local_date(event["at"]), event["series"] or "", dealer or "", exports.region(dealer)

    def of(kind: str) -> Callable[[Row], bool]:
        return lambda event: event["kind"] == kind

    counts = ("store_visits", "test_drives", "orders_small", "orders_large", "orders_locked")
    counts += ("orders_cancelled", "deliveries", "deliveries_returned")
    measures: dict[str, Callable[[Row], bool]] = {kind: of(kind) for kind in counts}
    measures |= {"legacy_card_rate_num": _carded, "legacy_card_rate_den": _first}
    measures |= {"legacy_order_rate_num": of("orders_large"), "legacy_order_rate_den": _carded}
    measures |= {"legacy_delivery_rate_num": of("deliveries"), "legacy_delivery_rate_den": _carded}
    measures |= {
        "legacy_test_drive_rate_num": of("test_drives"),
        "legacy_test_drive_rate_den": of("store_visits"),
    }
    measures |= ratio(
        "small_order_lock_rate",
        lambda event: event["locked_in_time"],
        lambda event: event["kind"] == "orders_small" and event["cut_off"] <= exports.as_of,
    )
    events = [event for event in _events(exports) if event["at"] is not None]
    found = count(events, key, measures)
    for measure, kind in (("revenue_fen", "deliveries"), ("revenue_returned_fen", None)):
        for event in events:
            found[key(event)][measure] += (
                event["fen"] if event["kind"] == (kind or "deliveries_returned") else 0
            )
    return found


def _first(event: Row) -> bool:
    return event["kind"] == "store_visits" and event["visit_kind"] in FIRST_VISITS


def _carded(event: Row) -> bool:
    return _first(event) and event["carded"]


def _events(exports: FieldExports) -> Iterator[Event]:
    one_id = exports.one_id
    for row in exports.store_visits:
        event = _event("store_visits", row["arrived_at"], row)
        person = one_id.get(("dms", "store_visits", row["record_key"]))
        event["visit_kind"] = row["visit_kind"]
        event["carded"] = any(
            person
            and one_id.get(("dms", "customers", card["record_key"])) == person
            and card["dealer_code"] == row["dealer_code"]
            and row["dealer_code"] is not None
            and card["filed_on"] is not None
            and card["filed_on"] >= local_date(row["arrived_at"])
            for card in exports.customers
        )
        yield event
    for row in exports.test_drives:
        yield _event("test_drives", row["started_at"], row)
    orders = {row["order_no"]: row for row in exports.orders}
    for row in orders.values():
        yield from _order_events(row)
    series = {car["vin"]: car["series_code"] for car in exports.vehicles}
    for row in exports.deliveries:
        order = orders.get(row["order_no"], dict.fromkeys(next(iter(orders.values()))))
        car = {
            "dealer_code": row["dealer_code"] or order["dealer_code"],
            "series_code": order["series_code"] or series.get(row["vin"]),
            "price_fen": order["price_fen"],
        }
        yield _event("deliveries", row["delivered_at"], car)
        if order["status"] == "已退车" or order["red_invoiced_at"] is not None:
            back = order["red_invoiced_at"] or order["cancelled_at"] or order["updated_at"]
            yield _event("deliveries_returned", back, car)


def _order_events(row: Row) -> Iterator[Event]:
    if row["small_ordered_at"] is not None:
        small = _event("orders_small", row["small_ordered_at"], row)
        small["cut_off"] = cut_off(row)
        locked_at = row["locked_at"]
        small["locked_in_time"] = locked_at is not None and locked_at < small["cut_off"]
        yield small
    for kind in ("large_ordered", "locked", "cancelled"):
        name = kind.replace("large_ordered", "large")
        yield _event(f"orders_{name}", row[f"{kind}_at"], row)


def _event(kind: str, at: datetime | None, row: Row) -> Event:
    dealer, series = row.get("dealer_code"), row.get("series_code")
    fen = row.get("price_fen") or 0
    return {"kind": kind, "at": at, "dealer": dealer, "series": series, "fen": fen}
