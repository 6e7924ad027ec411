"""Random small worlds of the field: each has dealers, cars and persons of its own, so that many
worlds stand side by side in one warehouse."""

import json
from datetime import datetime, timedelta
from typing import Any

from metrics_bench import Bench
from metrics_cases import DAY, STAGED, World

from reference.field import FieldExports
from reference.working_time import Calendar

Row = dict[str, Any]
_OWN = ("dealer_code", "series_code", "campaign_code", "region", "vin", "order_no", "lead_id")
_OWN += ("record_key", "staff_id", "subject", "item_id", "issue_id", "visit_id", "survey_id")
_OWN += ("mobile", "complaint_id", "subject_key", "delivery_id", "follow_up_id", "test_drive_id")
_MORE = {
    "campaigns": "stg_crm__campaigns",
    "surveys": "stg_crm__surveys",
    "action_items": "stg_workforce__action_items",
    "quality_issues": "stg_workforce__quality_issues",
    "vehicles": "stg_dms__vehicles",
    "customers": "stg_dms__customers",
    "software_targets": "software_targets",
}
PHONE = "+8613900000001"
_MORNING = (timedelta(0), timedelta(hours=12))
_NIGHT = (timedelta(hours=22, minutes=30), timedelta(hours=24))
LISTS = (*STAGED, *_MORE, "joins")


class FieldWorld(World):
    """Draws the rows of one small world; `number` marks what is its own."""

    def __init__(self, number: int, as_of: datetime) -> None:
        super().__init__(number + as_of.toordinal(), as_of)
        self.field = FieldExports(as_of)
        self.field.one_id = self.exports.one_id

    def link(self, source: str, entity: str, record_key: str) -> None:
        """Give the record to one of three persons, or to none."""
        if self.random.random() < 0.85:
            person = f"u{self.random.randrange(3)}"
            self.exports.one_id.setdefault((source, entity, record_key), person)

    def soon(self, share: float = 0.7) -> datetime | None:
        """A time of the last weeks, or none."""
        return self.moment(18) if self.random.random() < share else None

    def some(self, *choices: object) -> Any:
        return self.random.choice([*choices, None])

    def issue(self, key: str) -> Row:
        raised = self.moment(60)
        fixed = self.after(raised, 0.8)
        return {
            "issue_id": key,
            "vin": self.some("V1", "V2"),
            "series_code": self.some("ZT5"),
            "fault_part": self.some("电池", "车机"),
            "issue_source": self.some("投诉", "售后"),
            "raised_at": raised if self.random.random() < 0.95 else None,
            "escalated_at": self.after(raised, 0.5),
            "fixed_at": fixed,
            "verified_at": self.after(self.random.choice([raised, fixed or raised]), 0.7),
        }

    def campaign(self, key: str) -> Row:
        start = self.moment(40)
        length = self.random.choice([-1, 0, 1, 3, 10, 10, 90]) * DAY
        midnight = timedelta(hours=-start.hour + 16, minutes=-start.minute, seconds=-start.second)
        end = start + timedelta(seconds=length) + self.random.choice([timedelta(0), midnight])
        return {
            "campaign_code": key,
            "budget_fen": self.some(0, 100, 20_000_000_01),
            "started_at": start if self.random.random() < 0.9 else None,
            "ended_at": end if self.random.random() < 0.8 else None,
        }

    def car(self, vin: str) -> Row:
        return {
            "vin": vin,
            "series_code": self.some("ZT5", "ZT5", "ZT7"),
            "software_version": self.some("1.8.0", "2.9", "2.10.1", "V2.10"),
            "stock_status": self.some("在途", "在库", "已售"),
        }

    def item(self, key: str) -> Row:
        met = self.soon(0.95)
        due = (met or self.as_of) + timedelta(days=self.random.choice([0, 7]))
        return {
            "item_id": key,
            "region": self.some("R1", "R2", "R3"),
            "staff_id": self.some("S1", "S2", "S3", "S9"),
            "meeting_at": met,
            "due_at": due if self.random.random() < 0.9 else None,
            "closed_at": self.random.choice([due, due + timedelta(seconds=1), self.soon(), None]),
        }

    def survey(self, key: str) -> Row:
        return {
            "survey_id": key,
            "dealer_code": self.some("D1", "D1", "D2", "D3"),
            "submitted_at": self.soon(0.9),
            "recommend_score": self.some(0, 6, 7, 8, 9, 10, 11, -1),
        }


def draw_world(number: int, as_of: datetime) -> FieldExports:
    """A small world whose codes carry its number."""
    world = FieldWorld(number, as_of)
    made, random = world.field, world.random
    made.dealers = [{"dealer_code": "D1", "region": "R1"}, {"dealer_code": "D2", "region": "R2"}]
    made.dealers.append({"dealer_code": "D3", "region": None})
    dealer_of = (("S1", "D1"), ("S2", None), ("S3", "D2"))
    made.staff = [{"staff_id": s, "dealer_code": d, "mobile": PHONE} for s, d in dealer_of]
    made.leads = [
        world.lead(n)
        | {"campaign_code": world.some("C1", "C2"), "mobile": world.some(PHONE, "+8613900000002")}
        for n in range(random.randrange(8))
    ]
    made.orders = [_order(world, n) for n in range(1 + random.randrange(5))]
    made.deliveries = [_delivery(world, n) for n in range(random.randrange(4))]
    made.store_visits = [_visit(world, n) for n in range(random.randrange(5))]
    made.test_drives = [_drive(world, n) for n in range(random.randrange(3))]
    made.customers = [_customer(world, n) for n in range(random.randrange(4))]
    made.joins = [_join(world, n) for n in range(random.randrange(6))]
    made.campaigns = [world.campaign(code) for code in ("C1", "C3")]
    made.quality_issues = [world.issue(f"Q{n}") for n in range(random.randrange(8))]
    made.vehicles = [world.car(f"V{n}") for n in range(1, 1 + random.randrange(6))]
    made.action_items = [world.item(f"A{n}") for n in range(random.randrange(6))]
    made.surveys = [world.survey(f"Y{n}") for n in range(random.choice([0, 3, 60]))]
    made.software_targets = _targets(world)
    made.complaints = [world.complaint(n) for n in range(random.randrange(6))]
    made.follow_ups = [_follow_up(world, n) for n in range(random.randrange(5))]
    _mark(made, number)
    return made


def _follow_up(world: FieldWorld, number: int) -> Row:
    lead = world.random.choice(world.field.leads or [world.lead(0)])
    return {
        "follow_up_id": f"F{number}",
        "lead_id": lead["lead_id"],
        "followed_up_at": world.after(lead["dispatched_at"] or lead["created_at"], 1.0),
        "is_connected": world.some(True, False),
        "call_seconds": world.some(10, 45, 80),
    }


def draw_worlds(count: int, as_of: datetime) -> list[FieldExports]:
    """Worlds side by side. Who owns cars, and how many they are, is one for all of them."""
    worlds = [draw_world(number, as_of) for number in range(count)]
    owner = World(count, as_of)
    owned = [
        {
            "one_id": f"u{owner.random.randrange(40)}",
            "vin": f"V{number}",
            "valid_from": (since := owner.moment(220)),
            "valid_to": owner.after(since, 0.4),
        }
        for number in range(80)
    ]
    for world in worlds:
        world.ownerships = list(owned)
    return worlds


def _order(world: FieldWorld, number: int) -> Row:
    row = world.order(number) | {"series_code": world.some("ZT5"), "price_fen": world.some(1, 7)}
    red = world.after(row["small_ordered_at"] or world.as_of, 0.2)
    return row | {"red_invoiced_at": red, "updated_at": world.moment(30), "vin": None}


def _delivery(world: FieldWorld, number: int) -> Row:
    row = {"delivery_id": f"T{number}", "order_no": f"O{world.random.randrange(6)}"}
    dealer, vin = world.some("D1", "D2"), world.some("V1", "V2")
    return row | {"dealer_code": dealer, "vin": vin, "delivered_at": world.moment(90)}


def _visit(world: FieldWorld, number: int) -> Row:
    key = f"J{number}"
    world.link("dms", "store_visits", key)
    kinds = ("首次自然来店", "线索首次", "转介绍", "邀约再次")
    row = {"record_key": key, "visit_id": key, "visit_kind": world.some(*kinds)}
    dealer, series = world.some("D1", "D2"), world.some("ZT5")
    return row | {"dealer_code": dealer, "series_code": series, "arrived_at": world.moment(20)}


def _drive(world: FieldWorld, number: int) -> Row:
    key = f"K{number}"
    world.link("dms", "test_drives", key)
    row = {"record_key": key, "test_drive_id": key, "series_code": world.some("ZT5")}
    return row | {"dealer_code": world.some("D1", "D2"), "started_at": world.moment(20)}


def _customer(world: FieldWorld, number: int) -> Row:
    """A card, often of who visited the dealer about then."""
    dealer, key, random = world.some("D1", "D2"), f"{number}", world.random
    world.link("dms", "customers", key)
    filed = (world.moment(20) + timedelta(hours=8)).date()
    if world.field.store_visits and random.random() < 0.8:
        visit = random.choice(world.field.store_visits)
        dealer = visit["dealer_code"]
        person = world.field.one_id.get(("dms", "store_visits", visit["record_key"]), "u9")
        world.field.one_id["dms", "customers", key] = person
        day = (visit["arrived_at"] + timedelta(hours=8)).date()
        filed = day + timedelta(days=random.choice([-1, 0, 0, 1]))
    return {"record_key": key, "dealer_code": dealer, "filed_on": world.some(filed, filed)}


def _join(world: FieldWorld, number: int) -> Row:
    subject = f"d{world.random.randrange(4)}"
    world.link("app", "events", subject)
    code = world.random.choice(["C1", "C2", "C3"])
    return {"subject": subject, "campaign_code": code, "occurred_at": world.moment(60)}


def _targets(world: FieldWorld) -> list[Row]:
    today = (world.as_of + timedelta(hours=8)).date()
    rows = []
    for days in world.random.sample(range(-3, 3), world.random.randrange(3)):
        since, until = today + timedelta(days=days), world.some(today, today + timedelta(days=1))
        if until is None or until > since:
            row = {"series_code": "ZT5", "software_version": world.random.choice(["2.9", "2.10"])}
            rows.append(row | {"valid_from": since, "valid_to": until})
    return rows


def _mark(made: FieldExports, number: int) -> None:
    """Make codes and persons those of this world; complete keys that a row lacks."""
    for name in LISTS:
        rows: list[Any] = getattr(made, name)
        for row in rows:
            row |= {k: f"{number}.{row[k]}" for k in _OWN if row.get(k) is not None}
            row.setdefault("record_key", f"{number}.{name}{rows.index(row)}")
    made.one_id = {
        (source, entity, f"{number}.{key}"): f"{number}.{one_id}"
        for (source, entity, key), one_id in made.one_id.items()
    }


def fill_field(bench: Bench, worlds: list[FieldExports]) -> None:
    """Put the worlds of `draw_worlds` into the bench, side by side."""
    for name, model in (STAGED | _MORE).items():
        rows = [row for world in worlds for row in getattr(world, name)]
        bench.given(model, [_without(row, model) for row in rows])
    bench.given_instead("int_users__ownerships", worlds[0].ownerships)
    joins = [row for world in worlds for row in world.joins]
    bench.given("stg_app__events", [_as_event(n, row) for n, row in enumerate(joins)])
    linked: dict[tuple[str, str], dict[str, str]] = {}
    for world in worlds:
        for (source, entity, key), one_id in world.one_id.items():
            linked.setdefault((source, entity), {})[key] = one_id
    for (source, entity), one_ids in linked.items():
        bench.persons(source, entity, one_ids)


def give_calendar(bench: Bench, worlds: int) -> Calendar:
    """Holidays for all, and in every other world a dealer with hours of his own."""
    today = (bench.as_of + timedelta(hours=8)).date()
    holidays = [today - timedelta(days=days) for days in range(3, 200, 7)]
    bench.given("holidays", [{"date": day, "name": "x", "basis": "notice"} for day in holidays])
    own = {
        (f"{number}.D1", today - timedelta(days=days)): hours
        for number in range(0, worlds, 2)
        for days, hours in ((1, None), (2, _MORNING), (3, _NIGHT))
    }
    clocks = {None: (None, None), _MORNING: ("00:00", "12:00"), _NIGHT: ("22:30", "24:00")}
    names = ("dealer_code", "date", "opens_at", "closes_at")
    rows = [dict(zip(names, (*key, *clocks[h]), strict=True)) for key, h in own.items()]
    bench.given("dealer_calendar_exceptions", rows)
    return Calendar(frozenset(holidays), own)


def _without(row: Row, model: str) -> Row:
    return {k: v for k, v in row.items() if model != "software_targets" or k != "record_key"}


def _as_event(number: int, row: Row) -> Row:
    code = row["campaign_code"]
    return {
        "record_key": f"e{number}",
        "subject_key": row["subject"],
        "type": "track",
        "event": "JoinActivity",
        "distinct_id": row["subject"],
        "occurred_at": row["occurred_at"],
        "properties": json.dumps({"campaign_code": code}),
    }
