"""Random small companies: few staff, so that keys repeat, and times where months turn."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from metrics_bench import AS_OF, Bench, as_utc

from reference.workforce import COUNTERS, Workforce

Row = dict[str, Any]
_SECOND = timedelta(seconds=1)
# where days, months and years turn, a leap day and as-of among them
_TURNS = [as_utc(day) for day in ("2024-02-29", "2024-03-01", "2026-07-01", "2026-08-01")]
_TURNS += [as_utc("2026-01-01"), AS_OF, AS_OF - timedelta(days=7)]
_DAYS = [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2026, 7, 31)]
STAGED = {
    "surveys": "stg_crm__surveys",
    "training_records": "stg_workforce__training_records",
    "content_posts": "stg_workforce__content_posts",
}


class Company:
    """Draws the rows of one company; its codes begin with its number."""

    def __init__(self, seed: int, number: int) -> None:
        self.random = Random(seed)  # noqa: S311  # repeatable, not secret
        self.name = f"C{number}"
        self.staff = [*(f"{self.name}S{n}" for n in range(3)), None]
        self.dealers = [*(f"{self.name}D{n}" for n in range(2)), None]

    def moment(self) -> datetime:
        """A time close to where a month turns, or any in the last two months."""
        if self.random.random() < 0.5:
            turn = self.random.choice(_TURNS) + self.random.choice([-1, 0, 1]) * _SECOND
            return min(turn, AS_OF)
        return AS_OF - timedelta(seconds=self.random.randrange(1, 60 * 86400))

    def maybe(self, value: Any, chance: float = 0.7) -> Any:
        return value if self.random.random() < chance else None

    def survey(self, number: int) -> Row:
        pick = self.random.choice
        return {
            "record_key": f"{self.name}W{number}",
            "survey_id": f"{self.name}W{number}",
            "survey_kind": pick(["购车", "购车", "售后", None]),
            "dealer_code": pick(self.dealers[:1] * 3 + self.dealers),
            "staff_id": pick(self.staff[:1] * 3 + self.staff),
            "recommend_score": pick([-1, 0, 6, 7, 8, 9, 10, 10, 11, None]),
            "sent_at": self.moment(),
            "submitted_at": self.maybe(self.moment(), 0.9),
        }

    def post(self, number: int) -> list[Row]:
        """The statistics of a post: days missing, counts missing, counts that fall."""
        pick, counts = self.random.choice, dict.fromkeys(COUNTERS, 0)
        first, post, rows = pick(_DAYS), f"{self.name}P{number}", []
        author, platform = pick(self.staff), pick(["抖音", "知乎", None])
        posted = self.maybe(as_utc(str(first)) + pick([-1, 0, 1]) * _SECOND)
        for day in range(self.random.randrange(1, 7)):
            counts = {n: c + pick([-4, 0, 0, 3, 250]) for n, c in counts.items()}
            if self.random.random() < 0.3:
                continue
            stat_on = first + timedelta(days=day)
            row: Row = {
                "record_key": f"{post}|{stat_on}",
                "post_id": post,
                "stat_date": str(stat_on),
                "stat_on": stat_on,
                "staff_id": pick([author, author, *self.staff]),
                "platform": platform,
                "posted_at": self.maybe(posted),
            }
            rows.append(row | {n: self.maybe(c, 0.85) for n, c in counts.items()})
        return rows

    def training(self, number: int) -> Row:
        pick, done = self.random.choice, self.maybe(self.moment())
        due = pick([self.moment(), self.moment() + timedelta(days=9), done, None])
        key = f"{self.name}T{number}"
        return {
            "record_key": key,
            "record_id": key,
            "staff_id": pick(self.staff),
            "training_kind": pick(["微课", "微课", "实战", "考试", None]),
            "course_minutes": pick([9.5, 10.0, 12.0, 15.0, 15.5, None]),
            "due_at": due,
            "completed_at": done,
            "score": pick([0.0, 80.0, None]),
            "satisfaction": pick([-1.0, 0.0, 70.25, 88.5, 100.0, 101.0, None]),
            "points": pick([0, 40, 99, 100, 200, 300, -30, None]),
            "updated_at": self.moment(),
        }

    def add_to(self, exports: Workforce) -> None:
        size = self.random.randrange
        exports.surveys += [self.survey(n) for n in range(size(45))]
        for number in range(size(4)):
            exports.content_posts += self.post(number)
        exports.training_records += [self.training(n) for n in range(size(14))]


def draw_companies(seeds: Iterable[int]) -> Workforce:
    """The exports of as many companies as there are seeds."""
    exports = Workforce(AS_OF)
    for number, seed in enumerate(seeds):
        Company(seed, number).add_to(exports)
    return exports


def fill(bench: Bench, exports: Workforce) -> None:
    """Put the companies into the bench."""
    for name, model in STAGED.items():
        bench.given(model, getattr(exports, name))
