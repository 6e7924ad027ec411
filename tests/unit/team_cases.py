"""Random small stores whose staff are assessed: few values, so that people tie and items lack."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from metrics_bench import AS_OF, Bench, as_utc
from workforce_cases import STAGED as EXPORTS
from workforce_cases import Company

from reference.assessment_items import Team, months_after

Row = dict[str, Any]
STAGED = EXPORTS | {
    "peer_reviews": "stg_workforce__peer_reviews",
    "targets": "stg_workforce__targets",
    "staff": "stg_workforce__staff",
}
FACTS = {
    "handovers": "int_deliveries",
    "own_leads": "int_leads",
    "answers": "int_lead_responses",
    "car_sales": "int_car_sales",
    "referral_orders": "int_referral_orders",
    "events": "int_events",
}
_METRICS = ["deals", "revenue_fen", "content_posts", "nps", "peer_score", "unheard_of"]
_MONTHS = ["2025-12", "2026-07", "2026-08"]


class Store(Company):
    """Draws the facts about the staff of one store or two."""

    def when(self) -> datetime:
        """A time where a month turns, of the last three months or of the year before."""
        turn = self.random.choice([as_utc("2026-08-01"), as_utc("2026-01-01"), AS_OF])
        drawn = AS_OF - timedelta(seconds=self.random.randrange(1, 90 * 86400))
        return self.random.choice([turn, turn - timedelta(seconds=1), drawn, drawn])

    def person(self, row: Row) -> Row:
        pick = self.random.choice
        return row | {
            "role": pick(["销售顾问", "销售顾问", "内容", "客服", None]),
            "dealer_code": pick(self.dealers[:1] * 4 + self.dealers),
            "hired_on": pick([date(2026, 3, 1), date(2026, 2, 28), date(2024, 8, 31), None]),
            "left_on": pick([None, None, date(2026, 7, 31), date(2026, 8, 1)]),
        }

    def lead(self) -> Row:
        created = self.when() - timedelta(days=self.random.choice([0, 29, 30, 31]))
        times = [created + timedelta(days=day) for day in (-1, 0, 29, 30)]
        kept = self.maybe(self.random.choice(times))
        return {
            "lead_id": f"{self.name}L{self.random.random()}",
            "staff_id": self.random.choice(self.staff),
            "is_valid": self.random.random() < 0.8,
            "created_at": created,
            "large_ordered_at": self.maybe(self.random.choice(times)),
            "large_matched_at": kept or self.maybe(self.random.choice(times)),
            "large_kept_at": kept,
        }

    def car(self, number: int) -> Row:
        pick, buyer = self.random.choice, f"{self.name}u{self.random.randrange(5)}"
        company = buyer.endswith("4")
        matured = pick([AS_OF, AS_OF + timedelta(seconds=1), self.when()])
        ago = pick([0, -1, -12, -12, -36, -36, -35])
        return {
            "order_no": f"{self.name}O{number}",
            "buyer_key": buyer,
            "one_id": None if company else buyer,
            "organisation_id": buyer if company else None,
            "staff_id": pick(self.staff),
            "delivered_at": months_after(matured, ago),
            "reversed_at": self.maybe(AS_OF, 0.15),
        }

    def add_team(self, team: Team) -> None:
        pick, many = self.random.choice, self.random.randrange
        self.add_to(team)
        known = [{"record_key": s, "staff_id": s} for s in self.staff if s]
        team.staff += [self.person(row) for row in known if self.random.random() < 0.9]
        for number in range(many(12)):
            car = {"staff_id": pick(self.staff), "price_fen": pick([None, 10, 20_000_000])}
            key = {"delivery_id": f"{self.name}V{number}"}
            team.handovers.append({**key, **car, "delivered_at": self.maybe(self.when(), 0.9)})
        team.own_leads += [self.lead() for _ in range(many(12))]
        team.car_sales += [self.car(number) for number in range(many(9))]
        for _ in range(many(12)):
            answer = {"staff_id": pick(self.staff), "dispatched_at": self.when()}
            took = {"response_seconds": pick([0, 14_400, 14_401, None])}
            team.answers.append(answer | took | {"elapsed_seconds": pick([14_399, 14_400, 99_999])})
        for _ in range(many(6)):
            event = pick(["community_post", "join_activity", "view_series"])
            person = {"one_id": f"{self.name}u{many(5)}"}
            team.events.append(person | {"event": event, "occurred_at": self.when()})
            referred = {"member_one_id": person["one_id"], "qualified_at": self.when()}
            months = pick([0, -11, -12])
            referred["qualified_at"] = months_after(referred["qualified_at"], months)
            team.referral_orders.append(referred | {"is_valid": self.random.random() < 0.8})
        team.peer_reviews += [self.review(number) for number in range(many(9))]
        for number, day in enumerate(("2026-07-15", "2026-08-15")):
            for staff in self.staff[:2]:
                self.work_hard(team, staff, as_utc(day), f"{number}{staff}")
        team.targets += self.targets()

    def work_hard(self, team: Team, staff: str | None, day: datetime, key: str) -> None:
        """Enough of everything for a score, as a rule."""
        pick = self.random.choice
        answer = {"staff_id": staff, "submitted_at": day, "sent_at": day}
        team.surveys += [
            answer | {"survey_id": f"{key}{n}", "recommend_score": pick([0, 8, 9, 10])}
            for n in range(pick([9, 10, 12]))
        ]
        for months in (12, 36):
            buyer = f"{key}o{months}"
            who = {"buyer_key": buyer, "one_id": buyer, "organisation_id": None}
            sold = {"order_no": buyer, "staff_id": staff, "reversed_at": None}
            team.car_sales.append(who | sold | {"delivered_at": months_after(day, -months)})
        done = {"staff_id": staff, "completed_at": self.maybe(day), "due_at": day}
        unknown = dict.fromkeys(("training_kind", "course_minutes", "satisfaction", "score"))
        blank = {"points": None, "updated_at": day}
        team.training_records.append({"record_id": key, **done, **unknown, **blank})
        score = {"score": pick([60.0, 80.0]), "reviewed_at": day, "period": f"{day:%Y-%m}"}
        team.peer_reviews.append({"review_id": key, "staff_id": staff, **score})
        timely = {"staff_id": staff, "dispatched_at": day, "elapsed_seconds": 99_999}
        team.answers.append(timely | {"response_seconds": pick([0, 99_999])})
        car = {"staff_id": staff, "price_fen": pick([10, 20]), "delivered_at": day}
        team.handovers.append(car | {"delivery_id": key})

    def review(self, number: int) -> Row:
        pick, key = self.random.choice, f"{self.name}R{number}"
        score = pick([-1.0, 0.0, 77.5, 80.0, 100.0, 101.0, None])
        told = {"period": pick([*_MONTHS, None]), "reviewed_at": self.when()}
        kind = {"reviewer_kind": pick(["上级", "同事", "客户", "自我", None])}
        return {"record_key": key, "staff_id": pick(self.staff), "score": score, **told, **kind}

    def targets(self) -> list[Row]:
        keys = {
            (self.random.choice(["staff", "staff", "dealer"]), str(s), p, m)
            for s in self.staff
            for p in _MONTHS
            for m in _METRICS
            if self.random.random() < 0.3
        }
        names = ("scope", "scope_id", "period", "metric")
        pick = self.random.choice
        return [
            {"record_key": "|".join(key), "target": pick([0.5, 2.0, 80.0, 0.0, None])}
            | dict(zip(names, key, strict=True))
            for key in sorted(keys)
        ]


def draw_teams(seeds: Iterable[int]) -> Team:
    """The staff of as many stores as there are seeds, and facts about them."""
    team = Team(AS_OF)
    for number, seed in enumerate(seeds):
        Store(seed, number).add_team(team)
    return team


def fill_team(bench: Bench, team: Team) -> None:
    """Put the staff and the facts about them into the bench."""
    for name, model in STAGED.items():
        bench.given(model, getattr(team, name))
    for name, model in FACTS.items():
        bench.given_instead(model, getattr(team, name))
