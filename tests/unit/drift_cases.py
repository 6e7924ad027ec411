"""A small carmaker that lives day by day, for tests of the drift gate.

Its records and evidence are those that the models hand to identity resolution; each day is resolved
by the real engine, measured by the real SQL and, where nothing holds it, published.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from zhongtai.identity import Declaration, History, Sources, load_declaration, resolve_records
from zhongtai.identity.state import write_state
from zhongtai.quality.drift import bands, drivers, history, judgement, limits, measures
from zhongtai.runs import Run
from zhongtai.settings import load_settings

PROJECT = Path(__file__).parents[2]
DECLARED = load_declaration(PROJECT)
LIMITS = limits.load_limits(load_settings(project_dir=PROJECT), measures.FIXED)
# a Monday; the export of a day is built on the next morning
START = datetime(2026, 3, 2, tzinfo=UTC)
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华文斌玲辉鹏宇浩凯晨欣雪梅兰竹菊松柏"


@dataclass(frozen=True)
class Row:
    """One delivered record: whose name, when, and what it names."""

    entity: str
    key: str
    at: datetime
    values: Mapping[str, str]
    name: str | None = None
    first: datetime | None = None


ENTITIES = ("crm.contacts", "crm.leads", "app.events", "miniprogram.events", "website.visits")
Batch = list[Row]


@dataclass
class Verdict:
    """What the gate would say of a day: what holds it, and what only warns."""

    held: list[str]
    warned: list[str]
    measures: dict[str, float]
    drivers: list[drivers.Driver]


@dataclass
class Population:
    """Draws the days' deliveries: the same seed gives the same years."""

    seed: int = 1
    usual: int = 150
    born: int = 0
    draw: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.draw = np.random.default_rng(self.seed)

    def deliver(self, day: int, size: float) -> Batch:
        """The rows of a day: newcomers, people who come back, shops' phones, families."""
        count = max(int(self.usual * size * self.draw.lognormal(0, 0.15)), 3)
        newcomers = range(self.born, self.born + count)
        self.born += count
        known = self.draw.integers(0, self.born, size=3 * count).tolist()
        rows: Batch = []
        for person in newcomers:
            rows += self._arrive(person, day)
        for person in known:
            rows += self._return(person, day)
        for _ in range(max(count // 12, 1)):
            rows.append(self._lead_of_shop(day))
        return rows

    def _hour(self, day: int) -> datetime:
        """An instant of the day before `day`, between 9 and 23 o'clock in China."""
        seconds = self.draw.normal(15.5, 3.5) % 24 * 3600 - 8 * 3600
        return START + timedelta(days=day - 1, seconds=float(seconds))

    def _arrive(self, person: int, day: int) -> Iterator[Row]:
        phone = phone_of(person)
        if self.draw.random() < 0.04 and person > 20:
            # one phone in the family
            phone = phone_of(person - int(self.draw.integers(1, 20)))
        yield Row("crm.leads", f"L{person}-{day}", self._hour(day), self._lead(person, phone),
                  name_of(person))  # fmt: skip
        if person % 3 == 0:
            values = {"crm_customer_id": f"C{person}", "mobile": phone}
            yield Row("crm.contacts", f"C{person}", self._hour(day), values, name_of(person))
        yield from self._surf(person, day)

    def _return(self, person: int, day: int) -> Iterator[Row]:
        if person % 10 == 0:
            values = self._lead(person, phone_of(person))
            yield Row("crm.leads", f"L{person}-{day}", self._hour(day), values, name_of(person))
        if person % 3 == 0 and self.draw.random() < 0.6:
            values = {"crm_customer_id": f"C{person}", "mobile": phone_of(person)}
            yield Row("crm.contacts", f"C{person}", self._hour(day), values, name_of(person))
        yield from self._surf(person, day)

    def _lead(self, person: int, phone: str) -> dict[str, str]:
        return {"mobile": phone} | ({"crm_customer_id": f"C{person}"} if person % 3 == 0 else {})

    def _surf(self, person: int, day: int) -> Iterator[Row]:
        if person % 5 < 3:
            values = {"login_id": f"U{person}", "anonymous_id": f"D{person}"}
            values |= {"mobile": phone_of(person)} if person % 5 < 2 else {}
            yield Row("app.events", f"U{person}", self._hour(day), values)
        if person % 4 < 2:
            values = {"openid": f"O{person}"} | (
                {"mobile": phone_of(person)} if person % 4 == 0 else {}
            )
            yield Row("miniprogram.events", f"O{person}", self._hour(day), values)
        if person % 3 == 1:
            values = {"visitor_id": f"V{person}"} | (
                {"mobile": phone_of(person)} if person % 6 == 1 else {}
            )
            yield Row("website.visits", f"V{person}", self._hour(day), values)

    def _lead_of_shop(self, day: int) -> Row:
        stranger = int(self.draw.integers(10**6, 10**7))
        phone = f"+8613900000{int(self.draw.integers(0, 6)):03d}"
        return Row(
            "crm.leads", f"S{stranger}-{day}", self._hour(day), {"mobile": phone}, name_of(stranger)
        )


def phone_of(person: int) -> str:
    """The mobile of a person."""
    return f"+86150{person:08d}"


def name_of(person: int) -> str:
    """A full name; thousands of people share none."""
    first, second = divmod(person * 7919, len(_GIVEN))
    return _SURNAMES[person % len(_SURNAMES)] + _GIVEN[second] + _GIVEN[first % len(_GIVEN)]


_SUBJECT = "split_part(entity, '.', 1) as source, split_part(entity, '.', 2) as entity, record_key"
_TABLES = (
    "create schema intermediate",
    "create schema meta",
    "create schema seeds",
    "create table seeds.holidays (date date)",
    "create table subjects (entity varchar, record_key varchar, first_seen_at timestamp,"
    " last_seen_at timestamp, name varchar)",
    "create table namings (entity varchar, record_key varchar, identifier_type varchar,"
    " identifier_value varchar, first_seen_at timestamp, last_seen_at timestamp)",
    "create table edges (identifier_type varchar)",
    "create table meta.deliveries (source varchar, entity varchar, status varchar, rows_in bigint,"
    " delivered_at timestamp)",
    "create table meta.run_context (as_of timestamp)",
    f"create view intermediate.int_identity_records as select {_SUBJECT}, first_seen_at,"
    " last_seen_at, name, null::varchar as hint, null::date as birth_date from subjects",
    f"create view intermediate.int_identity_evidence as select {_SUBJECT}, identifier_type,"
    " '' as identifier_scope, identifier_value, first_seen_at, last_seen_at, 1 as record_count,"
    " false as is_verified, false as needs_name,"
    " identifier_type in (select identifier_type from edges) as is_edge from namings",
)
_SOURCES = Sources(
    "intermediate.int_identity_records",
    "(select * from intermediate.int_identity_evidence where is_edge)",
)
_MERGE = (
    'insert into subjects select entity, record_key, min(coalesce("first", "at")), max("at"),'
    " any_value(name) from delivered group by all",
    "create or replace table subjects as select entity, record_key, min(first_seen_at) as"
    " first_seen_at, max(last_seen_at) as last_seen_at, any_value(name) as name from subjects"
    " group by entity, record_key",
    "insert into namings select entity, record_key, identifier_type, identifier_value,"
    ' coalesce("first", "at"), "at" from delivered where identifier_value is not null',
    "create or replace table namings as select entity, record_key, identifier_type,"
    " identifier_value, min(first_seen_at) as first_seen_at, max(last_seen_at) as last_seen_at"
    " from namings group by entity, record_key, identifier_type, identifier_value",
    "insert into meta.deliveries select split_part(entity, '.', 1), split_part(entity, '.', 2),"
    " 'loaded', count(distinct record_key), (select as_of from meta.run_context)"
    " from delivered group by all",
)
_DELIVERED = pa.schema(
    [
        ("entity", pa.string()),
        ("record_key", pa.string()),
        ("at", pa.timestamp("us")),
        ("first", pa.timestamp("us")),
        ("name", pa.string()),
        ("identifier_type", pa.string()),
        ("identifier_value", pa.string()),
    ]
)


@dataclass
class World:
    """What was published so far, and the tables that the next day is added to."""

    folder: Path
    population: Population
    connection: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    past: history.History = field(default_factory=history.History)
    published: History = field(default_factory=History)
    day: int = 0
    hour: int = 0

    def __post_init__(self) -> None:
        # small tables: a second thread costs more than it brings
        self.connection.execute("set threads = 1")
        for statement in _TABLES:
            self.connection.execute(statement)

    @property
    def as_of(self) -> datetime:
        """When the next snapshot is built."""
        return START + timedelta(days=self.day, hours=self.hour)

    def branch(self) -> "World":
        """The same world once more, whose next day may be another one."""
        copy = replace(self, connection=duckdb.connect(), population=Population(99 + self.day))
        copy.population.born = self.population.born
        for table in ("subjects", "namings", "meta.deliveries", "seeds.holidays"):
            rows = self.connection.execute(f"select * from {table}").to_arrow_table()
            copy.connection.register("rows_in", rows)
            copy.connection.execute(f"insert into {table} select * from rows_in")
        return copy

    def add(self, batch: Batch, empty: tuple[str, ...] = ()) -> None:
        """Take in what was delivered; `empty` names entities whose file had no row."""
        rows = [
            {
                "entity": row.entity,
                "record_key": row.key,
                "at": row.at.replace(tzinfo=None),
                "first": (row.first or row.at).replace(tzinfo=None),
                "name": row.name,
                "identifier_type": kind,
                "identifier_value": value,
            }
            for row in batch
            for kind, value in (row.values or {"": None}).items()
        ]
        self.connection.execute("delete from meta.run_context")
        self.connection.execute(
            "insert into meta.run_context values (?)", [self.as_of.replace(tzinfo=None)]
        )
        self.connection.register("delivered", pa.Table.from_pylist(rows, _DELIVERED))
        for statement in _MERGE:
            self.connection.execute(statement)
        for entity in empty:
            self.connection.execute(
                "insert into meta.deliveries select ?, ?, 'loaded', 0, as_of from meta.run_context",
                entity.split("."),
            )

    def judge(
        self, declaration: Declaration = DECLARED, *, known: History | None = None
    ) -> Verdict:
        """Resolve and measure what was taken in; ids are taken over from `known`."""
        as_of = self.as_of
        run = Run(f"run-{as_of:%m-%d-%H}", "test", as_of, as_of)
        edges = [name for name, one in declaration.types.items() if one.is_edge]
        self.connection.execute("delete from edges")
        self.connection.execute("insert into edges select unnest(?)", [edges])
        resolve_records(
            self.connection,
            _SOURCES,
            declaration,
            history=self.published if known is None else known,
            run=run,
        )
        previous = self.published.previous
        found = measures.measure_identity(
            self.connection, previous / "record_map.parquet" if previous else None, run.run_id
        ) | measures.measure_deliveries(self.connection, self.past.last)
        found = measures.complete(found, self.past.last)
        day = bands.Day(history.weekday_of(as_of), measures.is_after_holiday(self.connection))
        out = []
        if self.past.snapshots >= judgement.LEAST_HISTORY:
            out = judgement.find_deviations(LIMITS, found, self.past, day)
        young = judgement.find_deviations(LIMITS, found, self.past, day, young=True)
        held = [*judgement.find_excesses(LIMITS, found), *map(str, out)]
        driving = drivers.find_drivers(self.connection) if held else []
        return Verdict(held, [str(one) for one in young], found, driving)

    def publish(self, verdict: Verdict, *, ends_day: bool = True) -> None:
        """Keep the map and the measures; the next day, or the next hour of it, begins."""
        folder = self.folder / f"snapshot-{self.as_of:%m-%d-%H}"
        write_state(self.connection, folder)
        self.published = History(folder, (*self.published.published, folder))
        weekday = history.weekday_of(self.as_of)
        values = {
            name: [bands.Seen(value, weekday), *self.past.values.get(name, [])]
            for name, value in verdict.measures.items()
        }
        values = {name: found[: history.LEARNED_FROM] for name, found in values.items()}
        self.past = history.History(
            self.past.snapshots + 1,
            folder.name,
            True,
            verdict.measures,
            {**self.past.values, **values},
        )
        self.day, self.hour = (self.day + 1, 0) if ends_day else (self.day, self.hour + 1)


def is_sunday(day: int) -> bool:
    """Whether the export that is built on `day` tells of a Sunday."""
    return (START + timedelta(days=day - 1)).weekday() == 6


def size_of(day: int) -> float:
    """How large a day is: weekends are quiet, business grows, campaigns bring several times more.

    The first delivery of an installation holds what had gathered before.
    """
    if day == 0:
        return 12.0
    weekday = (START + timedelta(days=day - 1)).weekday()
    campaign = 4.0 if day in (9, 24, 25, 43, 57) else 1.0
    return float((0.6 if weekday >= 5 else 1.0) * 1.008**day * campaign)


def live(world: World, days: int) -> Iterator[tuple[int, Verdict]]:
    """Let the world live and publish, day after day."""
    for _ in range(days):
        day = world.day
        batch = world.population.deliver(day, size_of(day))
        empty: tuple[str, ...] = ()
        if is_sunday(day) and day > 0:
            # the call centre rests: a file with nothing but its header
            batch = [row for row in batch if row.entity != "crm.contacts"]
            empty = ("crm.contacts",)
        world.add(batch, empty)
        verdict = world.judge()
        yield day, verdict
        world.publish(verdict)


def live_by_source(world: World, days: int) -> Iterator[tuple[int, Verdict]]:
    """The same with a snapshot for each file, as where every arrival wakes the platform."""
    for _ in range(days):
        day = world.day
        batch = world.population.deliver(day, size_of(day))
        for entity in ENTITIES:
            world.add([row for row in batch if row.entity == entity])
            verdict = world.judge()
            yield day, verdict
            world.publish(verdict, ends_day=entity == ENTITIES[-1])
