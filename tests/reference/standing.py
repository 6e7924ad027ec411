"""Where a person stood at a moment: stage, pool and rating, straight from their rows.

Nothing is kept from one moment to the next, unlike in the models. Times are naive UTC; at a moment
only what happened before it counts, and a window of N days before it holds what is N days old.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Row = Mapping[str, Any]
DECIDING = {"ClickFinance", "SubmitInquiry", "BookTestDrive"}
COMPARING = {"CompareSeries", "ViewConfig"}
POOLS = {"H": "潜客池", "A": "潜客池", "B": "孵化池", "C": "孵化池", "N": "孵化池"} | {
    "O": "潜客池",
    "D": "流量池",
    "T": "孵化池",
}


@dataclass
class Standing:
    """The rows of one person, as staged."""

    as_of: datetime
    events: list[Row] = field(default_factory=list)
    store_visits: list[Row] = field(default_factory=list)
    test_drives: list[Row] = field(default_factory=list)
    leads: list[Row] = field(default_factory=list)
    follow_ups: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    delivered: dict[str, datetime] = field(default_factory=dict)

    def pool(self, moment: datetime) -> str:
        lead = self._latest_lead(moment)
        if lead is None or happened(lost(lead), moment):
            return "流量池"
        tier = self._tier(lead, moment)
        if tier not in POOLS or (tier == "N" and not happened(self._called(lead), moment)):
            return "线索池"
        return POOLS[tier]

    def tier(self, moment: datetime) -> str | None:
        lead = self._latest_lead(moment)
        return self._tier(lead, moment) if lead else None

    def stage(self, moment: datetime) -> str:
        owned = [o for o in self.orders if happened(self.delivered.get(o["order_no"]), moment)]
        kept = [o for o in owned if not happened(self._returned(o), moment)]
        waits = self._waits(moment)
        if kept:
            return "复购" if len(kept) >= 2 or waits else "车主"
        if waits:
            return "下单"
        signs = [sign for sign in self._signs() if sign[0] < moment]
        if self._has_left(moment, [at for at, _ in signs]):
            return "流失"
        recent = [kind for at, kind in signs if at >= moment - timedelta(days=90)]
        if "deciding" in recent or self._is_hot(moment):
            return "决策"
        series = {kind for kind in recent if kind.startswith("series ")}
        if "comparing" in recent or len(series) >= 2 or self._asks(moment):
            return "对比"
        return "认知"

    def _has_left(self, moment: datetime, signs: list[datetime]) -> bool:
        ends = [end for end in self._ends() if end < moment]
        if any(not any(sign > end for sign in signs) for end in ends):
            return True
        return bool(signs) and max(signs) < moment - timedelta(days=180)

    def _ends(self) -> Iterator[datetime]:
        for order in self.orders:
            if order["order_no"] in self.delivered:
                returned = self._returned(order)
                if returned:
                    yield returned
            elif cancelled(order, self.as_of):
                yield order["cancelled_at"] or ordered(order)
        for lead in self.leads:
            end, following = lost(lead), self._following(lead)
            if end and (following is None or following["created_at"] > end):
                yield end

    def _waits(self, moment: datetime) -> bool:
        """Whether a car is ordered and neither delivered nor given up."""
        for order in self.orders:
            until = self.delivered.get(order["order_no"])
            if until is None and cancelled(order, self.as_of):
                until = order["cancelled_at"] or ordered(order)
            if ordered(order) < moment and not happened(until, moment):
                return True
        if self.orders:
            return False
        for lead in self.leads:
            times = [t for t in (lead["small_ordered_at"], lead["large_ordered_at"]) if t]
            following = self._following(lead)
            over = happened(lost(lead), moment) or (
                following is not None and following["created_at"] < moment
            )
            if times and max(min(times), lead["created_at"]) < moment and not over:
                return True
        return False

    def _is_hot(self, moment: datetime) -> bool:
        window = moment - timedelta(days=90)
        for lead in self.leads:
            if lead["created_at"] >= moment:
                continue
            tier = self._tier(lead, moment)
            since = self._rated_since(lead, moment)
            if tier in {"H", "A"} and since >= window and not happened(lost(lead), moment):
                return True
        return False

    def _asks(self, moment: datetime) -> bool:
        window = moment - timedelta(days=90)
        return any(
            window <= lead["created_at"] < moment and not happened(lost(lead), moment)
            for lead in self.leads
        )

    def _signs(self) -> Iterator[tuple[datetime, str]]:
        for event in self.events:
            name, series = event["event"], event["series_code"]
            kind = "deciding" if name in DECIDING else "comparing" if name in COMPARING else ""
            yield event["occurred_at"], kind or (f"series {series}" if series else "")
        yield from ((visit["arrived_at"], "deciding") for visit in self.store_visits)
        yield from ((drive["started_at"], "deciding") for drive in self.test_drives)
        yield from ((lead["created_at"], "") for lead in self.leads)

    def _returned(self, order: Row) -> datetime | None:
        if order["status"] == "已退车" or order["red_invoiced_at"]:
            back = order["red_invoiced_at"] or order["cancelled_at"] or order["updated_at"]
            at = self.delivered.get(order["order_no"])
            return max(back, at) if at else back
        return None

    def _latest_lead(self, moment: datetime) -> Row | None:
        come = [lead for lead in self.leads if lead["created_at"] < moment]
        return max(come, key=lambda lead: (lead["created_at"], lead["lead_id"]), default=None)

    def _following(self, lead: Row) -> Row | None:
        place = (lead["created_at"], lead["lead_id"])
        later = [one for one in self.leads if (one["created_at"], one["lead_id"]) > place]
        return min(later, key=lambda one: (one["created_at"], one["lead_id"]), default=None)

    def _tier(self, lead: Row, moment: datetime) -> str | None:
        return [tier for at, tier in self._ratings(lead) if at < moment][-1]

    def _rated_since(self, lead: Row, moment: datetime) -> datetime:
        """Since when the lead has had the rating that it has at the moment."""
        since, current = lead["created_at"], object()
        for at, tier in self._ratings(lead):
            if at < moment and tier != current:
                since, current = at, tier
        return since

    def _called(self, lead: Row) -> datetime | None:
        """The first contact: by the CRM's word, or a follow-up since it was dispatched."""
        since = lead["dispatched_at"] or lead["created_at"]
        times = [
            f["followed_up_at"]
            for f in self.follow_ups
            if f["lead_id"] == lead["lead_id"] and f["followed_up_at"] >= since
        ]
        times += [lead["first_contacted_at"]] if lead["first_contacted_at"] else []
        return max(min(times), lead["created_at"]) if times else None

    def _taken(self, lead: Row) -> datetime | None:
        """The first delivery of a car that was ordered since the lead came."""
        found = []
        for order in self.orders:
            at = self.delivered.get(order["order_no"])
            times = [order["small_ordered_at"], order["large_ordered_at"], order["locked_at"]]
            since = min([t for t in times if t], default=lead["created_at"])
            if at and min(at, since) >= lead["created_at"]:
                found.append(at)
        return min(found, default=None)

    def _ratings(self, lead: Row) -> list[tuple[datetime, str | None]]:
        """The ratings of a lead with their times, one to a time, from its creation on."""
        created, now = lead["created_at"], lead["tier"]
        said = sorted(
            (
                max(f["followed_up_at"], created),
                f["follow_up_id"],
                f["tier_before"],
                f["tier_after"],
            )
            for f in self.follow_ups
            if f["lead_id"] == lead["lead_id"] and f["tier_after"]
        )
        changes = [(at, after) for at, _, before, after in said if before != after]
        if said:
            first: str | None = said[0][2] or None
        elif now in {"O", "D", "T"} or (now and (self._called(lead) or created) > created):
            first = "N"
        else:
            first = now
        found: list[tuple[datetime, str | None]] = [(created, first), *changes]
        if now and not (said and said[-1][3] == now):
            found.append((self._settled(lead, bool(said), found[-1][0]), now))
        return list(dict(found).items())

    def _settled(self, lead: Row, is_rated: bool, last: datetime) -> datetime:
        """When the lead came to have the rating of now."""
        times = [t for t in (lead["small_ordered_at"], lead["large_ordered_at"]) if t]
        at = None
        if lead["tier"] == "O" and times:
            at = min(times)
        elif lead["tier"] == "D":
            at = self._taken(lead)
        elif lead["tier"] not in {"O", "D", "T"} and not is_rated:
            at = self._called(lead) or lead["created_at"]
        at = max(at or lead["updated_at"], last)
        return at if at < self.as_of else last


def happened(at: datetime | None, moment: datetime) -> bool:
    return at is not None and at < moment


def ordered(order: Row) -> datetime:
    times = [order["small_ordered_at"], order["large_ordered_at"], order["locked_at"]]
    return min([t for t in times if t], default=order["updated_at"])


def cancelled(order: Row, as_of: datetime) -> bool:
    at = order["cancelled_at"]
    return order["status"] in {"已取消", "已退车"} or (at is not None and at <= as_of)


def lost(lead: Row) -> datetime | None:
    if lead["status"] not in {"战败", "失效"}:
        return None
    return max(lead["lost_at"] or lead["updated_at"], lead["created_at"])
