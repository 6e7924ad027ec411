"""Records that live day by day, and the models that publish their tags, run without dbt."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pyarrow as pa

MODELS = Path(__file__).parents[2] / "dbt_project/models"
MACROS = Path(__file__).parents[2] / "dbt_project/macros/metrics"
FCT = MODELS / "marts/profiles/fct_user_tags.sql"
HEALTH = (
    MODELS / "intermediate/metrics/int_tag_moves.sql",
    MODELS / "intermediate/metrics/int_tag_states.sql",
    MODELS / "intermediate/metrics/int_tag_counts.sql",
    MODELS / "intermediate/metrics/int_tag_holders.sql",
    MODELS / "intermediate/metrics/int_tag_stability.sql",
    MODELS / "marts/metrics/metrics_tag_daily.sql",
)
START = datetime(2026, 1, 1)  # noqa: DTZ001  # naive UTC, as in the warehouse
HISTORY_DAYS = {"recent": 6, "stage": 400, "vip": 400}
Held = tuple[str, str, str, str]
_HISTORY = (
    "one_id varchar, tag_id varchar, tag_version varchar, value varchar, valid_from timestamp,"
    " valid_to timestamp, source varchar, held_since timestamp"
)
_DAYS = (
    "date date, tag_id varchar, tag_version varchar, value varchar, users bigint,"
    " user_share_den bigint, coverage_num bigint, users_entered bigint, users_stayed bigint,"
    " users_left bigint, tag_entered bigint, tag_stayed bigint, tag_left bigint, churn_num bigint,"
    " churn_den bigint, stability_index double, seconds double, rows_scanned bigint"
)


def render(model: Path) -> str:
    """A model as dbt would render it for DuckDB."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701  # SQL
    of_tags = {
        name: getattr(environment.from_string((MACROS / f"{name}.sql").read_text()).module, name)
        for name in ("tag_value", "tag_bucket")
    }
    return environment.from_string(model.read_text("utf-8")).render(
        **of_tags,
        ref=lambda name: name,
        config=lambda **_: "",
        local_date=lambda time: f"cast({time} + interval '8' hour as date)",
        source=lambda schema, name: f"{schema}__{name}",
        as_of=lambda: "(select as_of from run_context)",
        dbt=SimpleNamespace(datediff=lambda a, b, part: f"date_diff('{part}', {a}, {b})"),
    )


@dataclass
class Life:
    """Records that merge and split into persons, events that arrive late, rules that change."""

    seed: int
    records: int = 12
    day: int = 0
    person_of: dict[int, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    events: list[tuple[int, int, int]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(HISTORY_DAYS, 1))
    said: dict[int, tuple[str, str]] = field(default_factory=dict)
    born: int = 0

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)  # noqa: S311  # no secret
        for record in range(self.records):
            self.person_of[record] = self._new_id()

    def _new_id(self) -> str:
        self.born += 1
        return f"u_{self.born:03}"

    def live(self) -> None:
        """What a day brings: events of today and of days before, merges, splits, new rules."""
        self.day += 1
        for _ in range(self.draw.randint(0, 6)):
            late = self.draw.choice([0, 0, 0, 1, 2, 5])
            self.events.append((self.draw.randrange(self.records), self.day - late, self.day))
        if self.draw.random() < 0.5 and len(set(self.person_of.values())) > 2:
            self._merge()
        if self.draw.random() < 0.6:
            self._split()
        if self.draw.random() < 0.15:
            self.versions[self.draw.choice(list(HISTORY_DAYS))] += 1
        if self.draw.random() < 0.4:
            how = self.draw.choice(["delivery", "command"])
            said = (self.draw.choice(["true", ""]), how)
            self.said[self.draw.randrange(self.records)] = said

    def _merge(self) -> None:
        kept, gone = self.draw.sample(sorted(set(self.person_of.values())), 2)
        for record, person in self.person_of.items():
            if person == gone:
                self.person_of[record] = kept
        self.redirects = {
            retired: kept if now == gone else now for retired, now in self.redirects.items()
        }
        self.redirects[gone] = kept

    def _split(self) -> None:
        record = self.draw.randrange(self.records)
        person = self.person_of[record]
        if sum(p == person for p in self.person_of.values()) > 1:
            given_back = [r for r, now in self.redirects.items() if now == person]
            # an undone merge gives an id back
            if given_back and self.draw.random() < 0.5:
                self.redirects.pop(given_back[0])
                self.person_of[record] = given_back[0]
            else:
                self.person_of[record] = self._new_id()

    def held(self) -> set[tuple[str, str, str]]:
        """What the rules of today say of the persons of today."""
        found = set()
        for person in set(self.person_of.values()):
            own = [r for r, p in self.person_of.items() if p == person]
            days = [
                day for record, day, known in self.events if record in own and known <= self.day
            ]
            window = 3 + self.versions["recent"] % 2
            if any(self.day - day < window for day in days):
                found.add((person, "recent", "true"))
            if days:
                stage = min(len(days) // (1 + self.versions["stage"] % 3), 4)
                found.add((person, "stage", f"阶段{stage}"))
            if any(self.said.get(record, ("", ""))[0] for record in own):
                found.add((person, "vip", "true"))
        return found

    def manual(self) -> list[tuple[str, str, str]]:
        found = {}
        for record, (value, how) in sorted(self.said.items()):
            if value:
                found[self.person_of[record]] = how
        return [(person, "vip", how) for person, how in found.items()]


@dataclass(frozen=True)
class Day:
    """What is true when a run looks: persons, what they hold, and the tags as declared.

    `tags` are tag_id, version, kind, value_type and history_days.
    """

    persons: Sequence[str]
    held: set[tuple[str, str, str]]
    tags: Sequence[tuple[str, str, str, str, int]]
    redirects: Mapping[str, str] = field(default_factory=dict)
    manual: Sequence[tuple[str, str, str]] = ()


class Warehouse:
    """The models over tables that stand in for the others, published day by day."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.fct = render(FCT)
        self.health = {model.stem: render(model) for model in HEALTH}
        self._fill("tags__history", _HISTORY, [])
        self._fill("tags__days", _DAYS, [])
        self._fill("tags__costs", "tag_id varchar, seconds double, rows_scanned bigint", [])

    def run(self, life: Life, as_of: datetime) -> set[Held]:
        """Compute and publish a day of a life; what the snapshot says is held."""
        tags = [
            (tag, f"v{life.versions[tag]}", "manual" if tag == "vip" else "rule", kind, days)
            for (tag, days), kind in zip(
                HISTORY_DAYS.items(), ("boolean", "text", "boolean"), strict=True
            )
        ]
        persons = sorted(set(life.person_of.values()))
        day = Day(persons, life.held(), tags, life.redirects, life.manual())
        return self.publish(day, as_of)

    def publish(self, day: Day, as_of: datetime) -> set[Held]:
        """Compute and publish a day; what the snapshot says is held."""
        self._fill("run_context", "as_of timestamp", [(as_of,)])
        self.connection.execute("create or replace view meta__run_context as from run_context")
        held = "one_id varchar, tag_id varchar, value varchar"
        self._fill("int_tags__held", held, day.held)
        self._fill("int_manual_tags", "one_id varchar, tag_id varchar, said_by varchar", day.manual)
        self._fill(
            "dim_tags",
            "tag_id varchar, tag_version varchar, kind varchar, value_type varchar,"
            " history_days bigint, status varchar",
            [(*tag, "published") for tag in day.tags],
        )
        self._fill("dim_users", "one_id varchar", [(person,) for person in day.persons])
        redirects = "retired_one_id varchar, one_id varchar"
        self._fill("identity__redirects", redirects, list(day.redirects.items()))
        self.connection.execute(f"create or replace table fct_user_tags as {self.fct}")
        for name, sql in self.health.items():
            self.connection.execute(f"create or replace table {name} as {sql}")
        self.connection.execute("create or replace table tags__history as from fct_user_tags")
        columns = ", ".join(part.split()[0] for part in _DAYS.split(", "))
        self.connection.execute(
            f"create or replace table tags__days as select {columns} from metrics_tag_daily"
        )
        return self._select("valid_to is null")

    def as_of(self, moment: datetime) -> set[Held]:
        """What fct_user_tags says was held at a moment."""
        return self._select(
            "valid_from <= ? and (valid_to is null or valid_to > ?)", moment, moment
        )

    def days(self, condition: str, columns: str) -> list[tuple[Any, ...]]:
        """Rows of metrics_tag_daily."""
        return self.connection.execute(
            f"select {columns} from metrics_tag_daily where {condition} order by all"
        ).fetchall()

    def _select(self, condition: str, *values: object) -> set[Held]:
        rows = self.connection.execute(
            f"select one_id, tag_id, tag_version, value from fct_user_tags where {condition}",
            list(values),
        ).fetchall()
        assert len(rows) == len(set(rows))
        return set(rows)

    def _fill(self, table: str, columns: str, rows: Collection[tuple[object, ...]]) -> None:
        self.connection.execute(f"create or replace table {table} ({columns})")
        if rows:
            names = [part.split()[0] for part in columns.split(", ")]
            values = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
            self.connection.register("filled", values)
            self.connection.execute(f"insert into {table} from filled")
            self.connection.unregister("filled")
