"""fct_user_tags: as of any day what that day published, whatever happened since."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import jinja2
import pytest

MODEL = Path(__file__).parents[2] / "dbt_project/models/marts/profiles/fct_user_tags.sql"
START = datetime(2026, 1, 1)  # noqa: DTZ001  # naive UTC, as in the warehouse
HISTORY_DAYS = {"recent": 6, "stage": 400, "vip": 400}
Held = tuple[str, str, str, str]


def render() -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701  # SQL
    return environment.from_string(MODEL.read_text("utf-8")).render(
        ref=lambda name: name,
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


class Warehouse:
    """The model over tables that stand in for the others, published day by day."""

    def __init__(self) -> None:
        self.sql = render()
        self.connection = duckdb.connect()
        self.connection.execute(
            "create table tags__history (one_id varchar, tag_id varchar, tag_version varchar,"
            " value varchar, valid_from timestamp, valid_to timestamp, source varchar,"
            " held_since timestamp)"
        )

    def run(self, life: Life, as_of: datetime) -> set[Held]:
        """Compute and publish; what the snapshot says is held."""
        self._fill("run_context", "as_of timestamp", [(as_of,)])
        self._fill("int_tags__held", "one_id varchar, tag_id varchar, value varchar", life.held())
        self._fill(
            "int_manual_tags", "one_id varchar, tag_id varchar, said_by varchar", life.manual()
        )
        tags = [
            (tag, f"v{life.versions[tag]}", "manual" if tag == "vip" else "rule", days)
            for tag, days in HISTORY_DAYS.items()
        ]
        self._fill(
            "dim_tags", "tag_id varchar, tag_version varchar, kind varchar, history_days int", tags
        )
        persons = [(person,) for person in sorted(set(life.person_of.values()))]
        self._fill("dim_users", "one_id varchar", persons)
        self._fill(
            "identity__redirects",
            "retired_one_id varchar, one_id varchar",
            list(life.redirects.items()),
        )
        self.connection.execute(f"create or replace table fct_user_tags as {self.sql}")
        self.connection.execute("create or replace table tags__history as from fct_user_tags")
        return self._select("valid_to is null")

    def as_of(self, moment: datetime) -> set[Held]:
        return self._select(
            "valid_from <= ? and (valid_to is null or valid_to > ?)", moment, moment
        )

    def _select(self, condition: str, *values: object) -> set[Held]:
        rows = self.connection.execute(
            f"select one_id, tag_id, tag_version, value from fct_user_tags where {condition}",
            list(values),
        ).fetchall()
        assert len(rows) == len(set(rows))
        return set(rows)

    def _fill(self, table: str, columns: str, rows: Sequence[tuple[object, ...]] | set) -> None:
        self.connection.execute(f"create or replace table {table} ({columns})")
        marks = ", ".join("?" for _ in columns.split(","))
        if rows:
            self.connection.executemany(
                f"insert into {table} values ({marks})", [list(row) for row in sorted(rows)]
            )


@pytest.mark.parametrize("seed", range(6))
def test_as_of_any_day_is_what_that_day_published(seed: int) -> None:
    life, warehouse = Life(seed), Warehouse()
    published: dict[datetime, set[Held]] = {}
    for day in range(1, 26):
        as_of = START + timedelta(days=day)
        for _ in range(life.draw.choice([1, 1, 2])):
            # a second run of an as-of replaces the first
            life.live() if not published.get(as_of) else life.said.pop(0, None)
            published[as_of] = warehouse.run(life, as_of)
        expected = {(p, t, f"v{life.versions[t]}", v) for p, t, v in life.held()}
        assert published[as_of] == expected
    kept = 0
    for as_of, held in published.items():
        age = (max(published) - as_of).days
        within = {tag for tag, days in HISTORY_DAYS.items() if age <= days}
        found = {row for row in warehouse.as_of(as_of) if row[1] in within}
        assert found == {row for row in held if row[1] in within}, as_of
        # between two runs nothing was published
        found = warehouse.as_of(as_of + timedelta(hours=5))
        assert {row for row in found if row[1] in within} == {r for r in held if r[1] in within}
        kept += len(held)
    assert kept > 100
    assert life.redirects


def test_what_is_older_than_the_history_of_its_tag_goes() -> None:
    life, warehouse = Life(3), Warehouse()
    for day in range(1, 40):
        life.live()
        warehouse.run(life, START + timedelta(days=day))
    oldest = warehouse.connection.execute(
        "select min(valid_to) from fct_user_tags where tag_id = 'recent'"
    ).fetchall()[0][0]
    assert oldest >= START + timedelta(days=39 - HISTORY_DAYS["recent"])
    others = warehouse.connection.execute(
        "select min(valid_to) from fct_user_tags where tag_id = 'stage'"
    ).fetchall()[0][0]
    assert others < START + timedelta(days=10)


@pytest.mark.parametrize("seed", range(4))
def test_a_run_of_an_earlier_as_of_takes_back_what_came_after_it(seed: int) -> None:
    life, warehouse = Life(seed), Warehouse()
    published = {}
    for day in range(1, 8):
        life.live()
        published[day] = warehouse.run(life, START + timedelta(days=day))
    again = warehouse.run(life, START + timedelta(days=4))
    assert warehouse.as_of(START + timedelta(days=30)) == again
    for day in range(1, 4):
        assert warehouse.as_of(START + timedelta(days=day)) == published[day]


def test_a_value_that_lasts_through_a_merge_keeps_since_when() -> None:
    life, warehouse = Life(1), Warehouse()
    life.events = [(0, 0, 0)]
    warehouse.run(life, START)
    kept, gone = life.person_of[1], life.person_of[0]
    life.person_of[0] = kept
    life.redirects[gone] = kept
    warehouse.run(life, START + timedelta(days=1))
    rows = warehouse.connection.execute(
        "select one_id, valid_from, valid_to, held_since from fct_user_tags"
        " where tag_id = 'stage' order by valid_from"
    ).fetchall()
    later = START + timedelta(days=1)
    assert rows == [(gone, START, later, START), (kept, later, None, START)]
