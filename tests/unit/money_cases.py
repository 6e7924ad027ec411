"""Random small worlds of cars, referrals and sales, with times on the limits of the rules."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from metrics_bench import AS_OF, Bench, Project, as_utc, compile_project

from reference.money import MoneyExports
from zhongtai.settings import load_settings

Row = dict[str, Any]
# what 36 months, month ends, a leap day and a change of rates turn on
DAYS = ["2020-02-28", "2020-02-29", "2023-02-28", "2023-03-01", "2023-07-01", "2025-12-31"]
DAYS += ["2026-01-01", "2026-02-28", "2026-03-01", "2026-06-30", "2026-07-01", "2026-08-31"]
CLOCKS = ["00:00:00", "09:59:59", "10:00:00", "23:59:59"]
STEPS = [0, 1, 3600, 86400, 20 * 86400, 89 * 86400, 90 * 86400, 91 * 86400]
RATES = [
    ("first_deal", 10, 100, None, None, None, date(2000, 1, 1), date(2026, 7, 1)),
    ("first_deal", 1, 8, None, None, None, date(2026, 7, 1), None),
    ("repurchase", 5, 100, 36, False, None, date(2000, 1, 1), date(2026, 3, 1)),
    ("repurchase", 6, 100, 24, True, None, date(2026, 3, 1), None),
    ("referral", 3, 100, None, None, False, date(2000, 1, 1), date(2026, 7, 1)),
    ("referral", 3, 100, None, None, True, date(2026, 7, 1), None),
    ("value_added", 5, 100, None, None, None, date(2000, 1, 1), date(2026, 8, 1)),
]
STAGED = {
    "leads": "stg_crm__leads",
    "orders": "stg_dms__orders",
    "deliveries": "stg_dms__deliveries",
    "addon_sales": "stg_dms__addon_sales",
    "members": "stg_partner__members",
    "referrals": "stg_partner__referrals",
    "rewards": "stg_partner__rewards",
    "service_orders": "stg_dms__service_orders",
    "dealers": "stg_dms__dealers",
    "staff": "stg_workforce__staff",
}
COMPILED = (
    "intermediate/facts/",
    "intermediate/metrics/",
    *(
        f"intermediate/users/int_users__{name}.sql"
        for name in ("ownerships", "bindings", "households")
    ),
    *(f"marts/profiles/fct_{name}.sql" for name in ("commission_accruals", "referral_rewards")),
    *(f"marts/metrics/metrics_{name}_monthly.sql" for name in ("commission", "ltv")),
    *(f"marts/metrics/metrics_referral_{name}_monthly.sql" for name in ("member", "ranking")),
    "marts/metrics/dim_staff.sql",
)


@cache
def money_project() -> Project:
    """The models of the area and the facts below them, compiled once a session."""
    with TemporaryDirectory() as home:
        return compile_project(load_settings(home=home, threads=2), COMPILED)


class MoneyWorld:
    """One world, its keys beginning with its name, so that many fit into one bench."""

    def __init__(self, name: str, seed: int) -> None:
        self.name, self.random = name, Random(seed)  # noqa: S311  # repeatable, not secret
        self.exports = MoneyExports(AS_OF)
        self.staff = [f"{name}S{n}" for n in range(3)]
        self.codes = [f"{name}M{n}" for n in range(4)]

    def moment(self) -> datetime:
        return as_utc(f"{self.random.choice(DAYS)}T{self.random.choice(CLOCKS)}")

    def after(self, moment: datetime | None, chance: float) -> datetime | None:
        if moment is None or self.random.random() > chance:
            return None
        return min(moment + timedelta(seconds=self.random.choice(STEPS)), AS_OF)

    def whom(self, source: str, entity: str, key: str, *, company: float = 0.0) -> None:
        """Give the record to one of a few persons or companies."""
        record, chance = (source, entity, key), self.random.random()
        if chance < company:
            self.exports.organisation[record] = f"o{self.name}{self.random.randrange(2)}"
        elif chance < 0.95:
            self.exports.one_id[record] = f"u{self.name}{self.random.randrange(4)}"

    def order(self, number: int) -> None:
        key, pick = f"{self.name}O{number}", self.random.choice
        self.whom("dms", "orders", key, company=0.2)
        small = self.moment()
        large = self.after(small, 0.7)
        delivered = self.after(large or small, 0.9)
        row = {
            "record_key": key,
            "order_no": key,
            "staff_id": pick([*self.staff, None]),
            "dealer_code": pick([f"{self.name}D1", f"{self.name}D2", None]),
            "vin": f"{key}VIN",
            "member_code": pick([*self.codes, None]),
            "small_ordered_at": small if self.random.random() < 0.8 else None,
            "large_ordered_at": large,
            "locked_at": self.after(large, 0.5),
            "cancelled_at": self.after(small, 0.15),
            "unit_profit_fen": pick([1_234_567, 1_000_005, 999, -50_050, 0, None]),
            "blue_invoiced_at": self.after(delivered or small, 0.9),
            "red_invoiced_at": self.after(pick([delivered, delivered, small]), 0.2),
            "status": pick(["大定", "已锁单", "已交车", "已交车", "已交车", "已取消", "已退车"]),
            "updated_at": self.moment(),
        }
        self.exports.orders.append(row)
        if delivered is not None:
            for copy in range(pick([1, 1, 1, 2])):
                self.exports.deliveries.append(
                    {
                        "record_key": f"{key}V{copy}",
                        "delivery_id": f"{key}V{copy}",
                        "order_no": key,
                        "staff_id": pick([*self.staff, None]),
                        "delivered_at": delivered + timedelta(hours=copy),
                    }
                )

    def service(self, number: int) -> None:
        """A car is held by somebody for a time, and comes to service once."""
        vin, begin = f"{self.random.choice(self.exports.orders)['order_no']}VIN", self.moment()
        holder = f"u{self.name}{self.random.randrange(4)}"
        ends = self.after(begin, 0.3)
        if not any(held["vin"] == vin for held in self.exports.ownerships):
            held = {"one_id": holder, "vin": vin, "valid_from": begin, "valid_to": ends}
            self.exports.ownerships.append(held)
        row = {"vin": vin, "amount_fen": self.random.choice([30_000, 45_050, -1_000])}
        for copy, at in enumerate([begin, self.moment(), self.moment()]):
            key = f"{self.name}G{number}{copy}"
            keys = {"record_key": key, "service_order_id": key, "arrived_at": at}
            self.exports.service_orders.append(row | keys)

    def people(self) -> None:
        for number, left in enumerate([None, date(2026, 8, 31), date(2026, 9, 2)]):
            key = f"{self.name}S{number}"
            self.exports.staff.append({"record_key": key, "staff_id": key, "left_on": left})
        for code in ("D1", "D2"):
            key = f"{self.name}{code}"
            dealer = {"record_key": key, "dealer_code": key, "region": f"{self.name}{code}"}
            self.exports.dealers.append(dealer)

    def member(self, code: str) -> None:
        self.whom("partner", "members", code)
        pick = self.random.choice
        mentors = self.random.choices([*self.codes, "M?", ""], k=pick([0, 1, 3]))
        self.exports.members.append(
            {
                "record_key": code,
                "member_code": code,
                "member_kind": pick(["员工", "星级运营师", "迈享客"]),
                "department": f"{self.name}{pick('ab')}",
                "mentor_codes": ";".join(mentors) or None,
                "registered_at": pick([self.moment(), self.moment(), None]),
                "status": pick(["正常", "正常", "注销"]),
            }
        )

    def referral(self, number: int) -> None:
        key, pick = f"{self.name}R{number}", self.random.choice
        order = pick([*self.exports.orders, None])
        anchor = (order and order["small_ordered_at"]) or self.moment()
        reserved = anchor - timedelta(seconds=pick(STEPS[:5]))
        self.exports.referrals.append(
            {
                "record_key": key,
                "referral_id": key,
                "member_code": pick(self.codes),
                "order_no": order and order["order_no"],
                "referred_at": reserved,
                "reserved_at": pick([reserved, reserved, reserved, anchor, None]),
                "buy_expires_at": pick([reserved + timedelta(days=90), anchor, AS_OF, AS_OF]),
                "status": pick(["有效", "有效", "有效", "已取消", None]),
                "updated_at": self.after(anchor, 1.0),
            }
        )

    def reward(self, number: int) -> None:
        referral, pick = self.random.choice(self.exports.referrals), self.random.choice
        self.exports.rewards.append(
            {
                "record_key": f"{self.name}W{number}",
                "reward_id": f"{self.name}W{number}",
                "referral_id": referral["referral_id"],
                "member_code": referral["member_code"],
                "amount_fen": pick([50_000, 120_000]),
                "status": pick("01123"),
                "decided_at": pick([self.after(referral["referred_at"], 1.0), None]),
                "updated_at": self.moment(),
            }
        )

    def sale(self, number: int) -> None:
        key, pick, paid = f"{self.name}A{number}", self.random.choice, self.moment()
        self.whom("dms", "addon_sales", key)
        self.exports.addon_sales.append(
            {
                "record_key": key,
                "sale_id": key,
                "product_type": pick(["软件订阅", "服务包", "精品", None]),
                "staff_id": pick([*self.staff, None]),
                "amount_fen": pick([9_900, 9_910, 30, -9_910, None]),
                "paid_at": pick([paid, paid, paid, None]),
                "refunded_at": self.after(paid, 0.3),
            }
        )

    def lead(self, number: int) -> None:
        key, pick = f"{self.name}L{number}", self.random.choice
        self.whom("crm", "leads", key)
        referral = pick(self.exports.referrals)
        order = next(
            (o for o in self.exports.orders if o["order_no"] == referral["order_no"]),
            self.exports.orders[0],
        )
        buyer = self.exports.one_id.get(("dms", "orders", order["order_no"]))
        if buyer is not None and self.random.random() < 0.7:
            self.exports.one_id["crm", "leads", key] = buyer
        created = (order["small_ordered_at"] or self.moment()) - timedelta(seconds=pick(STEPS))
        self.exports.leads.append(
            {
                "record_key": key,
                "lead_id": key,
                "member_code": pick([referral["member_code"], *self.codes[:2], None]),
                "status": pick(["有效", "有效", "战败", "无效", "重复", None]),
                "is_test": pick([False, False, False, True]),
                "created_at": created,
            }
        )

    def event(self, number: int, strangers: Sequence[str]) -> None:
        subject, pick = f"{self.name}open{number % 3}", self.random.choice
        if number < 3:
            self.whom("miniprogram", "events", subject)
        said = {"member_code": pick([*self.codes, *strangers])}
        if pick([True, False]):
            said["mobile"] = "13912345678"
        self.exports.mini_events.append(
            {
                "record_key": f"{self.name}E{number}",
                "subject_key": subject,
                "type": "track",
                "event": pick(["ReferralOpen", "ReferralOpen", "ReferralSubmit"]),
                "occurred_at": self.moment(),
                "said": said,
            }
        )

    def relate(self) -> None:
        """Two pairs of the four persons, a household or somebody referred; perhaps one pair."""
        for what in self.random.choices(["household", "household", "referrer"], k=2):
            pair = sorted(self.random.sample(range(4), 2))
            one, other = (f"u{self.name}{number}" for number in pair)
            self.exports.relationships.append((one, other, what))

    def reassign(self) -> None:
        for order in self.random.sample(self.exports.orders, 5):
            self.exports.reassignments.append(
                {
                    "component": self.random.choice(
                        ["first_deal", "first_deal", "repurchase", "referral"]
                    ),
                    "event_key": order["order_no"],
                    "to_staff_id": self.random.choice(self.staff),
                    "reassigned_on": date.fromisoformat(self.random.choice(DAYS)),
                }
            )


def draw_world(name: str, seed: int, strangers: Sequence[str] = ()) -> MoneyExports:
    """A world of its own for every seed; `strangers` are codes that no member has."""
    world = MoneyWorld(name, seed)
    names = ["component", "rate_numerator", "rate_denominator", "min_months"]
    names += ["counts_household", "pays_beside_first_deal", "valid_from", "valid_to"]
    world.exports.rates = [dict(zip(names, rate, strict=True)) for rate in RATES]
    for number in range(9):
        world.order(number)
    for code in world.codes:
        world.member(code)
    for number in range(8):
        world.referral(number)
        world.reward(number)
        world.sale(number)
        world.lead(number)
        world.event(number, strangers)
        world.service(number)
    world.reassign()
    world.relate()
    world.people()
    return world.exports


def fill_money(bench: Bench, worlds: Sequence[MoneyExports]) -> None:
    """Put all worlds into the bench."""
    for name, model in STAGED.items():
        bench.given(model, [row for world in worlds for row in getattr(world, name)])
    pairs = dict.fromkeys(pair for world in worlds for pair in world.relationships)
    names = ("one_id", "related_one_id", "relationship")
    related = [dict(zip(names, pair, strict=True)) for pair in pairs]
    bench.given("bridge_user_relationships", related)
    # what it reads is made with it, and not again
    bench.given_instead("int_users__ownerships", [o for w in worlds for o in w.ownerships])
    bench.given("commission_rates", worlds[0].rates)
    bench.given("commission_reassignments", [r for w in worlds for r in w.reassignments])
    events = [row for world in worlds for row in world.mini_events]
    bench.given(
        "stg_miniprogram__events",
        [
            {k: v for k, v in row.items() if k != "said"} | {"properties": json.dumps(row["said"])}
            for row in events
        ],
    )
    persons = [item for world in worlds for item in world.one_id.items()]
    for source, entity in dict.fromkeys(key[:2] for key, _who in persons):
        bench.persons(
            source, entity, {key[2]: who for key, who in persons if key[:2] == (source, entity)}
        )
    bench.given(
        "bridge_organisation_records",
        [
            {"source": s, "entity": e, "record_key": key, "organisation_id": who}
            for world in worlds
            for (s, e, key), who in world.organisation.items()
        ],
    )
