"""Records with names, birth dates and timed evidence, for tests of the guard rails."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from zhongtai.identity import Declaration, History, Sources, load_declaration, resolve_records
from zhongtai.identity.declaration import IdentifierType, declare
from zhongtai.runs import Run

PROJECT = Path(__file__).parents[2]
DECLARED = load_declaration(PROJECT)
_RUN = Run("run", "test", datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Named:
    """A value of a type, named between two days of 2020 and later."""

    type: str
    value: str
    first: str = "2026-01-01"
    last: str = ""
    scope: str = ""
    is_verified: bool = False
    needs_name: bool = False


@dataclass(frozen=True)
class Person:
    """One source record: what it names, and whom."""

    names: tuple[Named, ...]
    name: str | None = None
    birth_date: str | None = None
    hint: str | None = None
    # attributes that matching compares: gender, city, dealer_code …
    known: tuple[tuple[str, str], ...] = ()


def record(
    *named: str | Named,
    name: str | None = None,
    birth: str | None = None,
    hint: str | None = None,
    **known: str,
) -> Person:
    """A record; texts are `type:value`, or `type:value@first..last` with days."""
    names = tuple(n if isinstance(n, Named) else _read(n) for n in named)
    return Person(names, name, birth, hint, tuple(known.items()))


def _read(text: str) -> Named:
    kind, _, rest = text.partition(":")
    value, _, days = rest.partition("@")
    first, _, last = days.partition("..")
    return Named(kind, value, first or "2026-01-01", last)


def with_type(name: str, **changes: object) -> Declaration:
    """The declaration of the project with one type changed."""
    changed = replace(DECLARED.types[name], **changes)  # type: ignore[arg-type]
    types = [changed if t.name == name else t for t in DECLARED.types.values()]
    return declare(*types, blocked=DECLARED.blocked)


@dataclass
class Outcome:
    """The partition of a resolution, and what it refused."""

    groups: set[frozenset[str]]
    refused: set[tuple[str, str, str, str]]
    shared: dict[str, str] = field(default_factory=dict)
    linked_by: dict[str, str] = field(default_factory=dict)

    def together(self, *keys: str) -> bool:
        """Whether the records are one person."""
        return any(set(keys) <= group for group in self.groups)

    def reasons(self) -> set[str]:
        """Why links were refused."""
        return {reason for *_, reason in self.refused}


Pairs = tuple[tuple[str, str], ...]


def resolve_people(
    records: Mapping[str, Person],
    declaration: Declaration = DECLARED,
    *,
    owners: Mapping[str, str] | None = None,
    must: Pairs = (),
    cannot: Pairs = (),
) -> Outcome:
    """Resolve the records by key. `owners`: mobile to the name of its known owner."""
    connection = duckdb.connect()
    # small tables: a second thread costs more than it brings
    connection.execute("set threads = 1")
    connection.register("people", pa.Table.from_pylist(list(_people(records)), _PEOPLE))
    connection.register("named", pa.Table.from_pylist(list(_evidence(records)), _EVIDENCE))
    rows = [{"value": v, "name": n} for v, n in (owners or {}).items()]
    connection.register("known", pa.Table.from_pylist(rows, _OWNERS))
    for relation, pairs in (("musts", must), ("cannots", cannot)):
        connection.register(
            relation,
            pa.table(
                {
                    "l": pa.array([p[0] for p in pairs], pa.string()),
                    "r": pa.array([p[1] for p in pairs], pa.string()),
                }
            ),
        )
    subject = "'crm' as source, 'leads' as entity, record_key"
    pair = "select 'crm' as source, 'leads' as entity, l as record_key, 'crm' as other_source,"
    pair += " 'leads' as other_entity, r as other_record_key from"
    sources = Sources(
        records=f"(select {subject}, timestamp '2025-01-01' as first_seen_at, name,"
        " hint, birth_date::date as birth_date from people)",
        evidence=f"(select {subject}, identifier_type, identifier_scope, identifier_value,"
        " first_seen_at::timestamp as first_seen_at, last_seen_at::timestamp as last_seen_at,"
        " 1 as record_count, is_verified, needs_name from named)",
        owners="(select 'mobile' as identifier_type, '' as identifier_scope,"
        " value as identifier_value, name from known)",
        must_links=f"({pair} musts)",
        cannot_links=f"({pair} cannots)",
        attributes=_register_attributes(connection, records),
    )
    resolve_records(connection, sources, declaration, history=History(), run=_RUN)
    return _read_outcome(connection)


def _register_attributes(
    connection: duckdb.DuckDBPyConnection, records: Mapping[str, Person]
) -> str | None:
    """None where nothing but identifiers is known, so that nothing is matched."""
    rows = [
        {"record_key": key, "attribute": attribute, "value": value}
        for key, person in records.items()
        for attribute, value in person.known
    ]
    if not rows:
        return None
    connection.register("told", pa.Table.from_pylist(rows))
    return "(select 'crm' as source, 'leads' as entity, record_key, attribute, value from told)"


def _read_outcome(connection: duckdb.DuckDBPyConnection) -> Outcome:
    groups: dict[str, set[str]] = {}
    linked = {}
    for key, one_id, by in connection.execute(
        "select record_key, one_id, linked_by from identity.record_map"
    ).fetchall():
        groups.setdefault(one_id, set()).add(key)
        linked[key] = by
    refused = connection.execute(
        "select record_key, other_record_key, identifier_type, reason from identity.refused_links"
    ).fetchall()
    shared = connection.execute("select identifier_value, sharing from identity.shared_values")
    return Outcome(
        {frozenset(group) for group in groups.values()},
        set(refused),
        dict(shared.fetchall()),
        linked,
    )


_PEOPLE = pa.schema([(c, pa.string()) for c in ("record_key", "name", "hint", "birth_date")])
_EVIDENCE = pa.schema(
    [
        *((c, pa.string()) for c in ("record_key", "identifier_type", "identifier_scope")),
        *((c, pa.string()) for c in ("identifier_value", "first_seen_at", "last_seen_at")),
        ("is_verified", pa.bool_()),
        ("needs_name", pa.bool_()),
    ]
)
_OWNERS = pa.schema([("value", pa.string()), ("name", pa.string())])


def _people(records: Mapping[str, Person]) -> Iterator[dict[str, object]]:
    for key, person in records.items():
        yield {
            "record_key": key,
            "name": person.name,
            "hint": person.hint,
            "birth_date": person.birth_date,
        }


def _evidence(records: Mapping[str, Person]) -> Iterator[dict[str, object]]:
    for key, person in records.items():
        for named in person.names:
            yield {
                "record_key": key,
                "identifier_type": named.type,
                "identifier_scope": named.scope,
                "identifier_value": named.value,
                "first_seen_at": named.first,
                "last_seen_at": named.last or named.first,
                "is_verified": named.is_verified,
                "needs_name": named.needs_name,
            }


__all__ = [
    "DECLARED",
    "IdentifierType",
    "Named",
    "Outcome",
    "Person",
    "record",
    "resolve_people",
    "with_type",
]
