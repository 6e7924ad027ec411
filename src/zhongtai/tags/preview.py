"""What a condition would select, before anybody is written to: exact, over bitmaps."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.settings import Settings
from zhongtai.tags.bitmaps import (
    IDENTIFIER,
    Bitmaps,
    count,
    count_overlaps,
    members,
    ready_bitmaps,
)
from zhongtai.tags.conditions import Condition, clauses, names_of, parse_condition
from zhongtai.tags.evaluation import find_members
from zhongtai.tags.population import KNOWN, LEAST_AGE, MINOR, Populace, describe_columns

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from zhongtai.tags.bitmaps import Bits

EXAMPLES = 10
_FEW_VALUES = 12
# The hand-set tag of persons who asked to be left alone.
DO_NOT_DISTURB = "do_not_disturb"
# Purposes that need the consent of the person; the only one that is recorded is that to marketing.
PURPOSES = tuple(LEAST_AGE)
NEEDS_CONSENT = ("marketing", "personalisation")


@dataclass(frozen=True)
class Overlap:
    """How a selection and another one meet; `share` is of the selection."""

    name: str
    users: int
    shared: int
    share: float


@dataclass(frozen=True)
class Pair:
    """Two tags; `likeness` is the share of those who have either that have both."""

    name: str
    users: int
    other: str
    other_users: int
    shared: int
    likeness: float


@dataclass(frozen=True)
class Change:
    """What would become of the members of a published audience or tag."""

    name: str
    users: int
    entering: int
    staying: int
    leaving: int


@dataclass(frozen=True)
class Cost:
    """What it takes to compute the selection: bitmaps and columns read, and how long it took now.

    `tag_seconds` and `tag_rows` are what the tags took in the last run, None before there was one.
    """

    clauses: int
    columns: int
    megabytes: float
    seconds: float
    tag_seconds: float | None
    tag_rows: int | None


@dataclass(frozen=True)
class Preview:
    """What a condition selects of the published snapshot; `examples` are masked.

    `undisturbed` are those who asked not to be contacted, `minors` those known to be too young for
    the purpose, `identifiers` counts them by type.
    """

    condition: str
    snapshot_id: str
    as_of: datetime
    persons: int
    users: int
    share: float
    purpose: str
    consent_suppressed: int
    undisturbed: int
    staff: int
    minors: int
    identifiers: Mapping[str, int]
    overlaps: tuple[Overlap, ...]
    change: Change | None
    examples: tuple[Mapping[str, Any], ...]
    notes: tuple[str, ...]
    cost: Cost


@dataclass(frozen=True)
class Store:
    """A published snapshot, open for questions: its bitmaps, and its tables for examples."""

    settings: Settings
    snapshot_id: str
    as_of: datetime
    bitmaps: Bitmaps
    populace: Populace
    connection: "DuckDBPyConnection"

    @cached_property
    def tag_costs(self) -> Mapping[str, tuple[float, int]]:
        """Seconds and rows that each tag took in the run that published it, where that is told."""
        columns = self.connection.execute(
            "select column_name from duckdb_columns()"
            " where database_name = 'metrics' and table_name = 'metrics_tag_daily'"
        ).fetchall()
        if not {("seconds",), ("rows_scanned",)} <= set(columns):
            return {}
        rows = self.connection.execute(
            "select tag_id, max(seconds), max(rows_scanned) from metrics.main.metrics_tag_daily"
            " where date = (select max(date) from metrics.main.metrics_tag_daily)"
            " group by tag_id having max(seconds) is not null"
        ).fetchall()
        return {tag_id: (seconds, scanned or 0) for tag_id, seconds, scanned in rows}

    def parse(self, text: str) -> Condition:
        """A condition over what this snapshot has."""
        return parse_condition(text, self.populace.columns)

    def find(self, text: str) -> "Bits":
        """Who a condition selects."""
        return find_members(self.parse(text), self.bitmaps)


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """The snapshot that readers see. Raises ZhongtaiError before anything is published."""
    from zhongtai.publish.duckdb_store import open_engine
    from zhongtai.publish.encryption import attach

    files = {s: settings.path("published", s, "current.duckdb") for s in ("profiles", "metrics")}
    if not all(file.exists() for file in files.values()):
        raise ZhongtaiError(
            f"nothing is published in {settings.home} yet, so nobody has a tag",
            hint="publish first with `zhongtai run`",
        )
    snapshot_id = files["profiles"].resolve().stem
    with open_engine(settings) as connection:
        for store, file in files.items():
            attach(connection, settings, file.resolve(), store)
        row = connection.execute(
            "select as_of from metrics.main.meta_snapshots where snapshot_id = ?", [snapshot_id]
        ).fetchone()
        if row is None:
            raise ZhongtaiError(
                f"the stores differ: metrics do not know snapshot {snapshot_id}",
                hint="a publish is on its way, or was cut off: run `zhongtai run`",
            )
        yield Store(
            settings,
            snapshot_id,
            row[0],
            ready_bitmaps(settings, snapshot_id),
            describe_columns(connection),
            connection,
        )


def preview_condition(  # noqa: PLR0913  # each is asked for by an option of its own
    store: Store,
    text: str,
    *,
    overlap: Sequence[str] = (),
    against: str | None = None,
    purpose: str = "marketing",
    audiences: Mapping[str, str] | None = None,
    examples: int = EXAMPLES,
) -> Preview:
    """Everything about a selection that one wants to know before it is used.

    `overlap` and `against` name tags, tags with a value (`preferred_series=ZT7`) or one of
    `audiences` (name to condition).
    Raises ConfigurationError for a mistake in the condition and for names that are nothing.
    """
    started = time.perf_counter()
    condition = store.parse(text)
    bitmaps = store.bitmaps
    found = find_members(condition, bitmaps)
    users, persons = count(found), count(bitmaps.everybody)
    refusing = found & ~bitmaps.read("allows_marketing")
    named = {name: _find_named(store, name, audiences or {}) for name in overlap}
    return Preview(
        condition=text,
        snapshot_id=store.snapshot_id,
        as_of=store.as_of,
        persons=persons,
        users=users,
        share=users / persons if persons else 0.0,
        purpose=purpose,
        consent_suppressed=count(refusing) if purpose in NEEDS_CONSENT else 0,
        undisturbed=count(found & bitmaps.read(DO_NOT_DISTURB)),
        staff=count(found & bitmaps.read("is_staff")),
        minors=count(found & bitmaps.read(MINOR, str(LEAST_AGE[purpose]))),
        identifiers=_count_identifiers(bitmaps, found),
        overlaps=tuple(_overlap(name, found, other) for name, other in named.items()),
        change=_change(store, against, found, audiences or {}) if against else None,
        examples=tuple(_list_examples(store, condition, found, examples)),
        notes=tuple(_notes(condition, bitmaps)),
        cost=_cost(store, condition, started),
    )


def list_overlaps(store: Store, names: Sequence[str] = ()) -> list[Pair]:
    """How much tags have in common, pair by pair, the most alike first.

    By default all tags of yes or no, and each value of those of few values; two values of one tag
    are no pair. Raises ConfigurationError for a name that is no tag (TAG, or TAG=VALUE).
    """
    chosen = list(dict.fromkeys(names)) or list(_list_selections(store))
    bitmaps = [_find_named(store, name, {}) for name in chosen]
    shared = count_overlaps(bitmaps)
    users = [int(shared[place, place]) for place in range(len(chosen))]
    pairs = []
    tag_of = [name.partition("=")[0] for name in chosen]
    for one, other in combinations(range(len(chosen)), 2):
        if tag_of[one] == tag_of[other]:
            continue
        both = int(shared[one, other])
        either = users[one] + users[other] - both
        likeness = both / either if either else 0.0
        pairs.append(Pair(chosen[one], users[one], chosen[other], users[other], both, likeness))
    return sorted(pairs, key=lambda pair: (-pair.likeness, pair.name, pair.other))


def _list_selections(store: Store) -> Iterator[str]:
    for tag_id in sorted(store.populace.tag_ids):
        values = store.bitmaps.values_of.get(tag_id, ())
        if store.populace.columns[tag_id].type == "boolean":
            yield tag_id
        elif len(values) <= _FEW_VALUES:
            yield from (f"{tag_id}={value}" for value in values if value != KNOWN)


def _count_identifiers(bitmaps: Bitmaps, found: "Bits") -> dict[str, int]:
    return {
        kind: count(found & bitmaps.read(IDENTIFIER, kind))
        for kind in sorted(bitmaps.values_of.get(IDENTIFIER, ()))
    }


def _find_named(store: Store, name: str, audiences: Mapping[str, str]) -> "Bits":
    """Who has a tag (of text: any value of it), a tag with a value, or is in an audience."""
    if name in audiences:
        return store.find(audiences[name])
    tag_id, _, value = name.partition("=")
    if tag_id not in store.populace.tag_ids:
        raise ConfigurationError(
            f"{name} is neither a published tag nor a declared audience",
            hint="give a tag, a tag with a value like preferred_series=ZT7, or an audience; see"
            " `zhongtai tags list` and `zhongtai audience list`",
        )
    if value:
        return store.bitmaps.everybody & store.bitmaps.read(tag_id, value)
    is_flag = store.populace.columns[tag_id].type == "boolean"
    return store.find(tag_id if is_flag else f"{tag_id} is known")


def _overlap(name: str, found: "Bits", other: "Bits") -> Overlap:
    shared, users = count(found & other), count(found)
    return Overlap(name, count(other), shared, shared / users if users else 0.0)


def _change(store: Store, name: str, found: "Bits", audiences: Mapping[str, str]) -> Change:
    before = _find_named(store, name, audiences)
    return Change(
        name, count(before), count(found & ~before), count(found & before), count(before & ~found)
    )


def _list_examples(
    store: Store, condition: Condition, found: "Bits", most: int
) -> Iterator[Mapping[str, Any]]:
    """Persons of the selection, names and numbers masked, with what the condition reads."""
    numbers = members(found, most) if most else []
    columns = store.populace.columns
    read = {
        name: store.bitmaps.values_at(name, numbers)
        for name in names_of(condition)
        if not columns[name].is_personal
    }
    for place, person in enumerate(store.bitmaps.read_persons(numbers)):
        values = {
            name: _show(columns[name].type, values[place])
            for name, values in read.items()
            if name not in person
        }
        yield person | values


def _show(of_type: str, value: Any) -> Any:
    """A value as it is told: of bitmaps a list of those that hold."""
    if not isinstance(value, list):
        return value
    if of_type == "boolean":
        return bool(value)
    words = [word for word in value if word != KNOWN]
    return words if of_type == "list" else (words[0] if words else None)


def _notes(condition: Condition, bitmaps: Bitmaps) -> Iterator[str]:
    """Words of the condition that nobody has: most often they are misspelt."""
    for clause in clauses(condition):
        name = clause.column.name
        if clause.column.type not in ("text", "list") or clause.operator == "known":
            continue
        if name in bitmaps.kept_as_columns:
            continue
        values = [value for value in bitmaps.values_of.get(name, ()) if value != KNOWN]
        for operand in clause.operands:
            if operand not in values:
                there = ", ".join(values[:12]) or "nothing"
                yield f"nobody has {name} = '{operand}'; there is {there}"


def _cost(store: Store, condition: Condition, started: float) -> Cost:
    names = names_of(condition)
    costs = [store.tag_costs[name] for name in names if name in store.tag_costs]
    size = 0
    for name in names:
        is_column = name in store.bitmaps.kept_as_columns
        many = 1 if is_column else len(store.bitmaps.values_of.get(name, ()))
        size += store.bitmaps.words * 8 * (64 if is_column else many)
    return Cost(
        clauses=len(list(clauses(condition))),
        columns=len(names),
        megabytes=round(size / 2**20, 3),
        seconds=round(time.perf_counter() - started, 4),
        tag_seconds=round(sum(seconds for seconds, _ in costs), 4) if costs else None,
        tag_rows=sum(rows for _, rows in costs) if costs else None,
    )
