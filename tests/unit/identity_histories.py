"""Random histories of a few people's records, resolved step by step and all at once.

Every example holds several worlds that share neither records nor values, side by side in one
resolution: a change in one of them must leave the others alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
from hypothesis import strategies as st
from person_cases import DECLARED, Named

from zhongtai.identity import Declaration, History, ResolutionReport, Sources, declare
from zhongtai.identity.resolution import resolve_records
from zhongtai.identity.state import write_state
from zhongtai.runs import Run

KEYS = 9
START = datetime(2026, 1, 1, tzinfo=UTC)
TABLES = {
    "record_map": "source, entity, record_key, one_id, linked_by, linked_at, valid_from",
    "refused_links": "*",
    "shared_values": "*",
    "kept_evidence": "*",
    "review_pairs": "*",
    "matched_pairs": "*",
    "redirects": "*",
    "changes": "*",
    "past_map": "*",
    "version": "*",
    "standing_decisions": "*",
}


def with_low_limits() -> Declaration:
    """The declaration of the project with limits that a handful of records reaches."""
    lowered: dict[str, dict[str, Any]] = {
        "mobile": {"max_holders": 2, "max_values": 3},
        "email": {"max_holders": 1, "over_limit": "keep_newest"},
        "anonymous_id": {"max_holders": 2, "max_values": 2, "over_limit": "keep_newest"},
        "login_id": {"max_holders": 1},
    }
    types = [replace(t, **lowered.get(t.name, {})) for t in DECLARED.types.values()]
    declared = declare(*types, blocked=DECLARED.blocked)
    return replace(declared, sound=DECLARED.sound)


def with_matching(max_pairs: int = 1000) -> Declaration:
    """The same, with matching whose blocks are full after a handful of clusters."""
    assert DECLARED.matching
    task, model = DECLARED.matching
    bounded = replace(task, max_block=6, max_pairs=max_pairs)
    return replace(with_low_limits(), matching=(bounded, model))


@dataclass(frozen=True)
class Told:
    """All that is known of one record."""

    name: str | None
    hint: str | None
    birth: str | None
    named: tuple[Named, ...]
    attributes: tuple[tuple[str, str], ...]


@dataclass
class World:
    """The records of one world by number, who owns which phone, and what was decided."""

    records: dict[int, Told] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    must: set[tuple[int, int]] = field(default_factory=set)
    cannot: set[tuple[int, int]] = field(default_factory=set)


NAMES = ("王伟", "李娜", "李娜娜", "王炜", "张*", "陈静", "赵磊")
# early and late, with more than a window of any type in between
DAYS = ("2020-01-01", "2020-01-20", "2023-06-01", "2026-01-01", "2026-02-01")
VALUES = {
    "mobile": [f"+861390000000{n}" for n in range(4)],
    "email": ["a@b.cn", "test@b.cn"],
    "id_card": ["1", "2"],
    "unionid": ["U"],
    "login_id": ["L1", "L2", "L3"],
    "anonymous_id": ["D1", "D2"],
    "openid": ["O1", "O2"],
}
WEIGHTS = {"mobile": 6, "email": 2, "id_card": 1, "unionid": 1, "login_id": 2, "anonymous_id": 2}
CITIES = ("上海", "南京")


def tell(random: Random) -> Told:
    """A random record. Hubs, families, recycled and backup phones come about by themselves."""
    kinds = random.choices([*WEIGHTS, "openid"], [*WEIGHTS.values(), 1], k=random.randint(0, 4))
    named: dict[tuple[str, str, str], Named] = {}
    for kind in kinds:
        value = random.choice(VALUES[kind])
        if kind == "mobile":
            # one of them is soon that of a shop
            value = random.choices(VALUES[kind], (4, 2, 1, 1))[0]
        days = sorted(random.choices(DAYS, k=2))
        one = Named(
            kind,
            value,
            *days,
            scope=random.choice(("wx1", "wx2")) if kind == "openid" else "",
            is_verified=kind in ("mobile", "email") and random.random() < 0.2,
            needs_name=kind == "mobile" and random.random() < 0.1,
        )
        named[kind, one.scope, value] = one
    attributes = {("gender", random.choice("男女")), ("city", random.choice(CITIES))}
    if random.random() < 0.5:
        attributes.add(("masked_mobile", random.choice(("139****0001", "139****0002"))))
    birth = random.choice((None, None, "1990-01-01", "1980-02-02"))
    if birth:
        attributes.add(("birth_date", birth))
    return Told(
        random.choice((None, *NAMES)),
        random.choice((None, None, None, *NAMES[:3])),
        birth,
        tuple(named.values()),
        tuple(sorted(attributes)) if random.random() < 0.7 else (),
    )


def change(world: World, random: Random) -> None:
    """One thing happens: a record comes, differs, is taken back or repeated; people decide."""
    number = random.randrange(KEYS)
    match random.choices(
        ("tell", "amend", "withdraw", "owner", "must", "cannot"), (6, 6, 3, 3, 1, 1)
    )[0]:
        case "tell":
            world.records[number] = tell(random)
        case "amend" if number in world.records:
            world.records[number] = amend(world.records[number], random)
        case "withdraw":
            world.records.pop(number, None)
        case "owner":
            held = [
                (n.value, t.name)
                for t in world.records.values()
                for n in t.named
                if t.name and n.type == "mobile"
            ]
            _toggle(world.owners, *random.choice(held or [(VALUES["mobile"][0], NAMES[0])]))
        case "must":
            pair = _pair(random)
            world.must ^= {pair}
            world.cannot -= world.must
        case "cannot":
            world.cannot ^= {_pair(random)} - world.must


def amend(told: Told, random: Random) -> Told:
    """The same record, known better or worse."""
    other = tell(random)
    match random.choice(("name", "times", "backup", "drop", "add", "attributes")):
        case "name":
            return replace(told, name=other.name, birth=other.birth, hint=other.hint)
        case "times":
            days = sorted(random.choices(DAYS, k=2))
            return replace(
                told, named=tuple(replace(n, first=days[0], last=days[1]) for n in told.named)
            )
        case "backup":
            return replace(told, named=tuple(_toggle_backup(n, random) for n in told.named))
        case "drop":
            return replace(told, named=told.named[1:])
        case "add":
            known = {(n.type, n.scope, n.value) for n in told.named}
            added = (n for n in other.named if (n.type, n.scope, n.value) not in known)
            return replace(told, named=(*told.named, *added))
        case _:
            return replace(told, attributes=other.attributes)


def _toggle_backup(named: Named, random: Random) -> Named:
    is_other = named.type == "mobile" and random.random() < 0.7
    return replace(named, needs_name=named.needs_name != is_other)


def _toggle(owners: dict[str, str], value: str, name: str) -> None:
    if owners.get(value) == name:
        del owners[value]
    else:
        owners[value] = name


def _pair(random: Random) -> tuple[int, int]:
    left, right = sorted(random.sample(range(KEYS), 2))
    return left, right


def invent(random: Random, worlds: int, steps: int) -> list[list[World]]:
    """Steps of several worlds each; from step to step nothing, little or much happens."""
    state = [World() for _ in range(worlds)]
    for world in state:
        for number in random.sample(range(KEYS), random.randint(2, KEYS)):
            world.records[number] = tell(random)
        world.owners |= {p: random.choice(NAMES) for p in VALUES["mobile"] if random.random() < 0.3}
    told = [_copy(state)]
    for _ in range(steps):
        for _ in range(random.choice((0, 1, 2, 4, 12))):
            change(random.choice(state), random)
        told.append(_copy(state))
    return told


@st.composite
def histories(draw: st.DrawFn) -> list[list[World]]:
    """Histories of up to a dozen worlds in up to five steps after the first, mostly fewer."""
    random = draw(st.randoms(use_true_random=False))
    return invent(random, draw(st.integers(1, 12)), draw(st.sampled_from((1, 1, 2, 2, 3, 5))))


def _copy(worlds: list[World]) -> list[World]:
    return [World(dict(w.records), dict(w.owners), set(w.must), set(w.cannot)) for w in worlds]


_EVIDENCE = pa.schema(
    [
        ("record_key", pa.string()),
        *((c, pa.string()) for c in ("type", "scope", "value", "first", "last")),
        ("is_verified", pa.bool_()),
        ("needs_name", pa.bool_()),
    ]
)
_SUBJECT = "'crm' as source, 'leads' as entity, record_key"
_PAIR = (
    "(select 'crm' as source, 'leads' as entity, l as record_key, 'crm' as other_source,"
    " 'leads' as other_entity, r as other_record_key from {})"
)
SOURCES = Sources(
    records=f"(select {_SUBJECT}, timestamp '2025-01-01' as first_seen_at, name, hint,"
    " birth::date as birth_date from people)",
    evidence=f"(select {_SUBJECT}, type as identifier_type, scope as identifier_scope,"
    " value as identifier_value, first::timestamp as first_seen_at,"
    " last::timestamp as last_seen_at, 1 as record_count, is_verified, needs_name from named)",
    owners="(select 'mobile' as identifier_type, '' as identifier_scope,"
    " value as identifier_value, name from known)",
    must_links=_PAIR.format("musts"),
    cannot_links=_PAIR.format("cannots"),
)
MATCHED = replace(SOURCES, attributes=f"(select {_SUBJECT}, attribute, value from attributes)")


def give(connection: duckdb.DuckDBPyConnection, worlds: list[World]) -> None:
    """Register what the worlds tell, under the names that SOURCES reads."""
    texts = {
        "people": ("record_key", "name", "hint", "birth"),
        "attributes": ("record_key", "attribute", "value"),
        "known": ("value", "name"),
        "musts": ("l", "r"),
        "cannots": ("l", "r"),
    }
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in (*texts, "named")}
    for number, world in enumerate(worlds):
        for table, row in _rows(number, world):
            rows[table].append(row)
    schemas = {n: pa.schema([(c, pa.string()) for c in cs]) for n, cs in texts.items()}
    for name, schema in (schemas | {"named": _EVIDENCE}).items():
        columns = list(zip(*rows[name], strict=True)) or [()] * len(schema)
        arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
        connection.register(name, pa.Table.from_arrays(arrays, schema=schema))


def _rows(number: int, world: World) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for place, told in world.records.items():
        key = _key(number, place)
        yield "people", (key, told.name, told.hint, told.birth)
        for n in told.named:
            value = _value(number, n.value)
            yield (
                "named",
                (key, n.type, n.scope, value, n.first, n.last, n.is_verified, n.needs_name),
            )
        for attribute, text in told.attributes:
            yield "attributes", (key, attribute, _place(number, attribute, text))
    for value, name in world.owners.items():
        yield "known", (_value(number, value), name)
    for table, pairs in (("musts", world.must), ("cannots", world.cannot)):
        for left, right in sorted(pairs):
            yield table, (_key(number, left), _key(number, right))


def _key(world: int, record: int) -> str:
    # neighbours in one world are none in the order of keys
    return f"r{record}w{world:02}"


def _value(world: int, value: str) -> str:
    """The value in that world; all worlds share what is blocked."""
    if value.startswith("+861"):
        return f"{value[:6]}{world:02}{value[8:]}"
    return value if value.startswith("test@") else f"{world}{value}"


def _place(world: int, attribute: str, text: str) -> str:
    # every second world lies in the same cities: who is matched there meets strangers
    return f"{text}{world // 2}" if attribute == "city" else text


def connect(*, is_optimised: bool = True) -> duckdb.DuckDBPyConnection:
    """A database in memory; of so few rows threads and better plans cost more than they save."""
    connection = duckdb.connect(config={"threads": "1"})
    if not is_optimised:
        connection.execute("pragma disable_optimizer")
    return connection


@dataclass
class Histories:
    """One connection that goes on from step to step, beside a new one for each step."""

    folder: Path
    declaration: Declaration
    sources: Sources = SOURCES
    widest: float = inf
    is_optimised: bool = True
    history: History = field(default_factory=History)
    steps: int = 0

    def __post_init__(self) -> None:
        self.connection = connect(is_optimised=self.is_optimised)

    def close(self) -> None:
        """Let go of the database."""
        self.connection.close()

    def resolve(
        self, worlds: list[World], connection: duckdb.DuckDBPyConnection, widest: float
    ) -> ResolutionReport:
        """Resolve what the worlds tell now, on either connection."""
        give(connection, worlds)
        now = START + timedelta(days=self.steps)
        return resolve_records(
            connection,
            self.sources,
            self.declaration,
            history=self.history,
            run=Run(f"run-{self.steps}", "test", now, now),
            widest=widest,
        )

    def step(self, worlds: list[World], *, is_published: bool) -> ResolutionReport:
        """Resolve the next step both ways, which must agree; it may become the published map."""
        report = self.resolve(worlds, self.connection, self.widest)
        # the first step has nothing to go on from: it is a full run itself
        if self.steps:
            self.compare(report, worlds)
        self.steps += 1
        if is_published:
            folder = self.folder / f"snapshot-{self.steps}"
            write_state(self.connection, folder)
            self.history = History(folder, (*self.history.published, folder))
        return report

    def compare(self, report: ResolutionReport, worlds: list[World]) -> None:
        """What stands now is what a full run makes of the same worlds and the same past."""
        with connect(is_optimised=self.is_optimised) as whole:
            expected = self.resolve(worlds, whole, 0)
            for table, columns in TABLES.items():
                assert read(self.connection, table, columns) == read(whole, table, columns), table
        assert report.identity_version == expected.identity_version
        assert (report.records, report.persons) == (expected.records, expected.persons)


def read(connection: duckdb.DuckDBPyConnection, table: str, columns: str) -> list[tuple[Any, ...]]:
    """The rows of a table of schema identity, sorted."""
    return connection.execute(f"select {columns} from identity.{table} order by all").fetchall()
