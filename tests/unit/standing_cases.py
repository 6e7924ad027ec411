"""Random persons for the histories of stages and pools, with times on the ends of windows."""

import json
from datetime import datetime, timedelta
from random import Random
from typing import Any

from metrics_bench import AS_OF, Bench

from reference.standing import Standing

SECOND = timedelta(seconds=1)
Row = dict[str, Any]
REGIONS = {"D1": "华东", "D2": "华南", "D3": None}
DEALERS = [*REGIONS, None]


def event(name: str, at: datetime, person: str, **properties: object) -> Row:
    """An app event of the person whose distinct id is the one_id."""
    return {
        "record_key": f"{name}{at}{person}{properties}", "subject_key": person, "type": "track",
        "event": name, "distinct_id": person, "occurred_at": at,
        "properties": json.dumps(properties),
    }  # fmt: skip


class Persons:
    """Draws persons whose times fall on each other and on the ends of windows."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311  # repeatable, not secret

    def moment(self) -> datetime:
        days = self.random.choice([*range(1, 400, 30), 89, 90, 91, 180, 181])
        return AS_OF - timedelta(days=days) + self.random.choice([-1, 0, 0, 1]) * SECOND

    def maybe(self, chance: float = 0.5) -> datetime | None:
        return self.moment() if self.random.random() < chance else None

    def lead(self, key: str) -> Row:
        pick = self.random.choice
        return {
            "record_key": key, "lead_id": key, "dealer_code": pick(DEALERS),
            "status": pick(["有效", "有效", "战败", "失效"]),
            "tier": pick([*"HABCNODT", None]), "created_at": self.moment(),
            "dispatched_at": self.maybe(), "first_contacted_at": self.maybe(),
            "lost_at": self.maybe(), "small_ordered_at": self.maybe(0.2),
            "large_ordered_at": self.maybe(0.2), "updated_at": self.moment(),
        }  # fmt: skip

    def person(self, name: str) -> Standing:
        pick, count = self.random.choice, self.random.randrange
        found = Standing(AS_OF)
        found.leads = [self.lead(f"{name}-L{n}") for n in range(count(4))]
        for number in range(count(8) if found.leads else 0):
            key = f"{name}-F{number}"
            found.follow_ups.append({
                "record_key": key, "follow_up_id": key, "followed_up_at": self.moment(),
                "lead_id": pick(found.leads)["lead_id"], "tier_before": pick([*"NHABC", None]),
                "tier_after": pick([*"HABC", None]),
            })  # fmt: skip
        for number in range(pick([0, 0, 1, 2])):
            found.orders.append(self.order(f"{name}-O{number}"))
            if self.random.random() < 0.6:
                found.delivered[f"{name}-O{number}"] = self.moment()
        for row in found.orders:
            at = found.delivered.get(row["order_no"])
            if at and (row["status"] == "已退车" or row["red_invoiced_at"]):
                # a car is given back after it was taken
                back = min(at + timedelta(days=count(60)), AS_OF - SECOND)
                row |= {"updated_at": back, "red_invoiced_at": row["red_invoiced_at"] and back}
        names = ["ViewSeries", "ViewSeries", "$AppStart", "CompareSeries", "ClickFinance"]
        for _ in range(count(6)):
            name_, at = pick(names), self.moment()
            series = pick("AB") if name_ == "ViewSeries" else None
            found.events.append({"event": name_, "series_code": series, "occurred_at": at})
        found.store_visits = [
            {"arrived_at": self.moment(), "dealer_code": pick(DEALERS)}
            for _ in range(pick([0, 0, 1]))
        ]
        found.test_drives = [
            {"started_at": self.moment(), "dealer_code": pick(DEALERS)}
            for _ in range(pick([0, 0, 1]))
        ]
        return found

    def order(self, key: str) -> Row:
        return {
            "record_key": key, "order_no": key, "vin": f"VIN{key}",
            "dealer_code": self.random.choice(DEALERS),
            "status": self.random.choice(["小订", "已交车", "已取消", "已退车"]),
            "small_ordered_at": self.maybe(), "large_ordered_at": self.maybe(), "locked_at": None,
            "cancelled_at": self.maybe(0.2), "red_invoiced_at": self.maybe(0.1),
            "updated_at": self.moment(),
        }  # fmt: skip


def give(bench: Bench, persons: dict[str, Standing]) -> None:
    """Stage the rows of the persons under their names."""
    staged: dict[tuple[str, str], list[Row]] = {("app", "events"): []}
    linked: dict[tuple[str, str], dict[str, str]] = {}
    carriers = {"leads": "crm", "orders": "dms", "store_visits": "dms", "test_drives": "dms"}
    for name, person in persons.items():
        for entity, source in carriers.items():
            rows = [
                {"record_key": f"{name}{entity}{n}"} | dict(row)
                for n, row in enumerate(getattr(person, entity))
            ]
            staged.setdefault((source, entity), []).extend(rows)
            keys = {row["record_key"]: name for row in rows}
            linked.setdefault((source, entity), {}).update(keys)
        staged.setdefault(("crm", "follow_ups"), []).extend(map(dict, person.follow_ups))
        staged.setdefault(("dms", "deliveries"), []).extend(
            {"record_key": key, "delivery_id": key, "order_no": key, "vin": f"VIN{key}"}
            | {"delivered_at": at}
            for key, at in person.delivered.items()
        )
        staged["app", "events"].extend(
            event(e["event"], e["occurred_at"], name, series_code=e["series_code"])
            | {"record_key": f"{name}{n}"}
            for n, e in enumerate(person.events)
        )
    bench.persons("app", "events", {name: name for name in persons})
    for (source, entity), keys in linked.items():
        bench.persons(source, entity, keys)
    for (source, entity), rows in staged.items():
        bench.given(f"stg_{source}__{entity}", rows)
