"""First response, lead by lead."""

from collections import Counter
from collections.abc import Callable, Hashable

from reference.exports import Exports, Row, count, local_date, ratio
from reference.funnel import collect_leads
from reference.working_time import Calendar

LIMITS = (30, 60, 240, 720)  # working minutes


def response(exports: Exports, calendar: Calendar) -> dict[Hashable, Counter[str]]:
    """All counts of metrics_response_daily by (date of dispatch, dealer, region, channel_1)."""

    def key(lead: Row) -> Hashable:
        dealer = lead["dealer_code"] or ""
        region = exports.region(lead["dealer_code"])
        return local_date(lead["dispatched_at"]), dealer, region, lead["channel_1"] or ""

    def mature(minutes: int) -> Callable[[Row], bool]:
        return lambda lead: (
            calendar.working_seconds(lead["dispatched_at"], exports.as_of, lead["dealer_code"])
            >= minutes * 60
        )

    def timely(minutes: int) -> Callable[[Row], bool]:
        def holds(lead: Row) -> bool:
            if lead["contacted_at"] is None:
                return False
            taken = calendar.working_seconds(
                lead["dispatched_at"], lead["contacted_at"], lead["dealer_code"]
            )
            return taken <= minutes * 60

        return holds

    leads = [x for x in collect_leads(exports) if x["dispatched_at"] and not x["is_test"]]
    measures: dict[str, Callable[[Row], bool]] = {"leads_dispatched": lambda _lead: True}
    for minutes in LIMITS:
        name = f"first_response_timely_rate_{minutes}m"
        measures |= ratio(name, timely(minutes), mature(minutes))
    return count(leads, key, measures)
