"""Complaints, one by one."""

from collections import Counter
from collections.abc import Callable, Hashable
from datetime import date, datetime, time, timedelta

from reference.exports import Exports, Row, count, in_window, local_date, ratio
from reference.working_time import CHINA


def complaint(exports: Exports) -> dict[Hashable, Counter[str]]:
    """All counts of metrics_complaint_daily by (date, level, type, source, dealer, region)."""

    def key(row: Row) -> Hashable:
        texts = [row[f"complaint_{k}"] or "" for k in ("level", "type", "source")]
        dealer = row["dealer_code"]
        return local_date(row["accepted_at"]), *texts, dealer or "", exports.region(dealer)

    def mature(column: str, days: int) -> Callable[[Row], bool]:
        window = timedelta(days=days)
        return lambda row: row[column] is not None and row[column] + window <= exports.as_of

    def within(column: str, hours: int) -> Callable[[Row], bool]:
        limit = timedelta(hours=hours)
        return lambda row: row[column] is not None and row[column] <= row["accepted_at"] + limit

    def is_closed_loop(row: Row) -> bool:
        steps = [row["first_contacted_at"], row["resolved_at"], row["revisited_at"]]
        return None not in steps and steps == sorted(steps) and row["revisit_result"] is not None

    def has_come_back(row: Row) -> bool:
        again = [
            other
            for other in exports.complaints
            if other is not row
            and row["vin"] is not None
            and row["fault_part"] is not None
            and (other["vin"], other["fault_part"]) == (row["vin"], row["fault_part"])
            and in_window(other["accepted_at"], row["closed_at"], 30)
        ]
        return bool(row["is_reopened"] or again)

    first_day = mature("accepted_at", 1)
    measures: dict[str, Callable[[Row], bool]] = {
        "accepted": lambda _row: True,
        "closed": lambda row: row["closed_at"] is not None,
        "dispatch_to_adviser_count": lambda row: row["notified_at"] is not None,
        **ratio("contact_24h_rate", within("first_contacted_at", 24), first_day),
        **ratio("closed_loop_rate", is_closed_loop, mature("accepted_at", 30)),
        **ratio(
            "closed_loop_24h_rate",
            lambda row: is_closed_loop(row) and within("revisited_at", 24)(row),
            first_day,
        ),
        **ratio("reopen_rate_30d", has_come_back, mature("closed_at", 30)),
        **ratio("misleading_share", lambda r: r["complaint_type"] == "销售误导", lambda _row: True),
    }
    for days in (1, 3, 7):
        accepted = mature("accepted_at", days)
        measures |= ratio(f"resolved_{days}d_rate", within("resolved_at", 24 * days), accepted)
    counted = count(exports.complaints, key, measures)
    for (day, *_), found in counted.items():  # type: ignore[misc]
        found["owners_at_month_start"] = _owners(exports, day)
    return counted


def _owners(exports: Exports, day: date) -> int:
    """Persons who own a car at the local midnight with which the month of the day begins."""
    begins = datetime.combine(day.replace(day=1), time()) - CHINA
    return len(
        {
            row["one_id"]
            for row in exports.ownerships
            if row["valid_from"] <= begins and (row["valid_to"] is None or row["valid_to"] > begins)
        }
    )
