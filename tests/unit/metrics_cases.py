"""Random small worlds for the metrics: few values, so that keys repeat, and times on the limits."""

from collections import Counter
from collections.abc import Hashable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from metrics_bench import AS_OF, Bench

from reference.exports import Exports

Row = dict[str, Any]
Counts = dict[Hashable, Counter[str]]
HOUR, DAY = 3600, 86400
# seconds that windows and limits turn on, each with its neighbours
_LIMITS = [0, HOUR // 2, HOUR, 4 * HOUR, 12 * HOUR, DAY, 3 * DAY, 7 * DAY, 14 * DAY, 21 * DAY]
_LIMITS += [30 * DAY, 60 * DAY, 90 * DAY, 180 * DAY]
OFFSETS = [limit + step for limit in _LIMITS for step in (-1, 0, 1)]
DEALERS = ["D1", "D2", "D3", None]
MOBILES = [f"+8613900000{n:03d}" for n in range(12)]
STAGED = {
    "leads": "stg_crm__leads",
    "adf_leads": "stg_crm__adf_leads",
    "follow_ups": "stg_crm__follow_ups",
    "complaints": "stg_crm__complaints",
    "orders": "stg_dms__orders",
    "deliveries": "stg_dms__deliveries",
    "store_visits": "stg_dms__store_visits",
    "test_drives": "stg_dms__test_drives",
    "dealers": "stg_dms__dealers",
    "staff": "stg_workforce__staff",
}


class World:
    """Draws rows; `chance` decides whether an optional value is there."""

    def __init__(self, seed: int, as_of: datetime = AS_OF) -> None:
        self.random = Random(seed)  # noqa: S311  # repeatable, not secret
        self.exports = Exports(as_of)
        self.as_of = as_of

    def after(self, moment: datetime, chance: float = 0.6) -> datetime | None:
        """A later time, often one that sits on a limit; before as-of and seldom earlier."""
        if self.random.random() > chance:
            return None
        drawn = self.random.choice([*OFFSETS, *self.random.choices(range(200 * DAY), k=20)])
        return min(moment + timedelta(seconds=drawn), self.as_of)

    def moment(self, days: int) -> datetime:
        """A time in the last so many days, sometimes a limit before as-of."""
        if self.random.random() < 0.3:
            return self.as_of - timedelta(seconds=max(self.random.choice(OFFSETS), 1))
        return self.as_of - timedelta(seconds=self.random.randrange(1, days * DAY))

    def link(self, source: str, entity: str, record_key: str) -> None:
        """Give the record to one of a few persons, or to none."""
        if self.random.random() < 0.85:
            self.exports.one_id[source, entity, record_key] = f"u{self.random.randrange(25)}"

    def lead(self, number: int) -> Row:
        pick, created = self.random.choice, self.moment(220)
        dispatched = self.after(created, 0.8)
        key = f"L{number}"
        self.link("crm", "leads", key)
        return {
            "record_key": key,
            "lead_id": key,
            "mobile": pick([*MOBILES, None]),
            "unionid": None,
            "channel_1": pick(["线上", "线下", None]),
            "channel_2": pick(["官网", None]),
            "channel_3": None,
            "channel_4": None,
            "series_code": pick(["ZT5", None]),
            "tier": pick(["H", "B", None]),
            "status": pick(["有效", "战败", "失效", "无效", "重复", None]),
            "lost_reason": pick(["流程", "价格", None]),
            "dealer_code": pick(DEALERS),
            "is_test": pick([False, False, False, True, None]),
            "is_connected": pick([True, False, None]),
            "call_seconds": pick([0, 44, 45, 300, None]),
            "created_at": created,
            "dispatched_at": dispatched,
            "first_contacted_at": self.after(dispatched or created, 0.5),
            "visited_at": self.after(created),
            "test_driven_at": self.after(created),
            "small_ordered_at": self.after(created),
            "large_ordered_at": self.after(created),
        }

    def prospect(self, number: int) -> Row:
        key = f"P{number}|cars"
        self.link("crm", "adf_leads", key)
        return {
            "record_key": key,
            "requested_at": self.moment(220),
            "mobile": self.random.choice([*MOBILES, None, None]),
            "vehicle_model": "ZT5",
            "dealer_code": self.random.choice(DEALERS),
            "provider_name": self.random.choice(["cars", None]),
        }

    def order(self, number: int) -> Row:
        key, small = f"O{number}", self.moment(220)
        self.link("dms", "orders", key)
        status = self.random.choice(["小订", "大定", "已锁单", "已交车", "已取消", "已退车"])
        return {
            "record_key": key,
            "order_no": key,
            "dealer_code": self.random.choice(DEALERS),
            "small_ordered_at": small if self.random.random() < 0.7 else None,
            "large_ordered_at": self.after(small, 0.7),
            "locked_at": self.after(small, 0.4),
            "cancelled_at": self.after(small, 0.2),
            "status": status,
        }

    def complaint(self, number: int) -> Row:
        pick, accepted = self.random.choice, self.moment(90)
        contacted = self.after(accepted, 0.8)
        resolved = self.after(contacted or accepted, 0.8)
        revisited = self.after(resolved or accepted, 0.8)
        return {
            "record_key": f"C{number}",
            "complaint_id": f"C{number}",
            "vin": pick([f"LZT{n:014d}" for n in range(6)] + [None]),
            "complaint_level": pick(["一般", "重大", None]),
            "complaint_type": pick(["销售误导", "产品质量", None]),
            "complaint_source": pick(["400", "门店"]),
            "dealer_code": pick(DEALERS),
            "fault_part": pick(["电池", "车机", None]),
            "is_reopened": pick([True, False, False, None]),
            "revisit_result": pick(["满意", "不满意", None]),
            "accepted_at": accepted,
            "notified_at": self.after(accepted, 0.8),
            "first_contacted_at": contacted,
            "resolved_at": resolved,
            "revisited_at": revisited,
            "closed_at": self.after(revisited or accepted, 0.7),
        }


def draw_exports(seed: int, leads: int = 250) -> Exports:
    """A world of its own for every seed."""
    world = World(seed)
    exports, random = world.exports, world.random
    exports.dealers = [
        {"record_key": code, "dealer_code": code, "region": region}
        for code, region in (("D1", "华东"), ("D2", "华南"))
    ]
    exports.staff = [{"record_key": "S1", "staff_id": "S1", "mobile": MOBILES[3]}]
    exports.leads = [world.lead(n) for n in range(leads)]
    exports.adf_leads = [world.prospect(n) for n in range(leads // 4)]
    exports.orders = [world.order(n) for n in range(leads // 4)]
    exports.complaints = [world.complaint(n) for n in range(leads)]
    for number in range(leads * 2):
        lead = random.choice(exports.leads)
        exports.follow_ups.append(
            {
                "record_key": f"F{number}",
                "follow_up_id": f"F{number}",
                "lead_id": lead["lead_id"],
                "followed_up_at": world.after(lead["dispatched_at"] or lead["created_at"], 1.0),
                "is_connected": random.choice([True, False, None]),
                "call_seconds": random.choice([10, 45, 80, None]),
            }
        )
    for number, order in enumerate(exports.orders):
        delivered = world.after(order["small_ordered_at"] or AS_OF - timedelta(days=40), 0.6)
        if delivered is not None:
            row = {"delivery_id": f"V{number}", "order_no": order["order_no"]}
            exports.deliveries.append(
                {**row, "record_key": f"V{number}", "delivered_at": delivered}
            )
    for number in range(leads):
        for rows, entity, column in (
            (exports.store_visits, "store_visits", "arrived_at"),
            (exports.test_drives, "test_drives", "started_at"),
        ):
            key = f"{entity}{number}"
            world.link("dms", entity, key)
            rows.append({"record_key": key, column: world.moment(200)})
    for order in exports.orders:
        if order["small_ordered_at"] is not None and order["locked_at"] is None:
            order["locked_at"] = world.after(order["small_ordered_at"], 0.6)
    exports.ownerships = [
        {
            "one_id": f"u{random.randrange(25)}",
            "vin": f"LZT{number:014d}",
            "valid_from": (since := world.moment(220)),
            "valid_to": world.after(since, 0.4),
        }
        for number in range(60)
    ]
    return exports


def fill(bench: Bench, exports: Exports) -> None:
    """Put the world into the bench."""
    for name, model in STAGED.items():
        bench.given(model, getattr(exports, name))
    if exports.ownerships:
        bench.given_instead("int_users__ownerships", exports.ownerships)
    for source, entity in dict.fromkeys(key[:2] for key in exports.one_id):
        linked = {k[2]: v for k, v in exports.one_id.items() if k[:2] == (source, entity)}
        bench.persons(source, entity, linked)


def counted(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> Counts:
    """The integer measures of a shared table, after checking that its ratios agree with them."""
    found: Counts = {}
    for row in rows:
        ratios = {name[:-4] for name in row if name.endswith("_den")}
        for name in ratios:
            hits, anchors = row[f"{name}_num"], row[f"{name}_den"]
            assert row[name] == (hits / anchors if anchors else None)
        integers = {n: v for n, v in row.items() if n not in keys and n not in ratios}
        key = tuple(row[key] for key in keys)
        assert key not in found
        found[key] = Counter({n: v for n, v in integers.items() if isinstance(v, int)})
    return found


def assert_same(found: Counts, expected: Counts) -> None:
    assert found.keys() == expected.keys()
    wrong = {
        (key, name): (found[key][name], value)
        for key, measures in expected.items()
        for name, value in measures.items()
        if name not in found[key] or found[key][name] != value
    }
    assert wrong == {}
    assert {name for c in found.values() for name in c} == {n for c in expected.values() for n in c}
