"""A small world of delivered records, resolved through the models that make evidence of them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from metrics_bench import Bench, Project, Row

from zhongtai.identity import Declaration, History, Sources, resolution, resolve_records
from zhongtai.identity.decisions import write_decisions
from zhongtai.runs import Run

MODELS = ("intermediate/identity/", "marts/profiles/bridge_user_relationships.sql")
# what comes out: identity reads the first four, the last one reads identity
_EVIDENCE = tuple(f"int_identity_{name}" for name in ("records", "evidence", "owners"))
CUSTOMERS = ("王伟", "李娜", "张敏", "刘洋", "陈静", "杨帆", "赵磊", "黄丽")
_RUN = Run("run", "test", datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))
WITHOUT_MATCHING = replace(resolution._SOURCES, attributes=None)
Staged = Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class Break:
    """A guard that is switched off.

    `models`: model to a text of its SQL and what stands there instead. `settings`: type and column
    of seeds/identifiers.csv to another value. `sources`: a text of what identity reads, likewise.
    """

    models: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    settings: Mapping[tuple[str, str], str | None] = field(default_factory=dict)
    sources: tuple[str, str] | None = None


@dataclass
class Found:
    """The persons as groups of record keys, the keys with evidence, and who is related to whom.

    `reasons`: why values are no evidence.
    """

    groups: list[frozenset[str]]
    named: set[str]
    reasons: set[str]
    relations: set[tuple[frozenset[str], str]]

    def together(self, *keys: str) -> bool:
        """Whether the records are one person."""
        return any(set(keys) <= group for group in self.groups)

    def apart(self, *keys: str) -> bool:
        """Whether each of the records is a person, and no two are the same."""
        persons = [group for group in self.groups if set(keys) & group]
        return len(persons) == len(keys)

    def related(self, *keys: str) -> set[str]:
        """How the persons of two records belong together."""
        return {kind for members, kind in self.relations if set(keys) <= members}


NOTHING = Break()


def resolve_exports(
    project: Project, staged: Staged, declaration: Declaration, broken: Break = NOTHING
) -> Found:
    """What becomes of staged rows, by model; `declaration` fits the seeds without the break."""
    bench = Bench(project, broken=broken.models)
    for name, rows in staged.items():
        bench.given(name, rows)
    bench.given("stg_app__events", staged.get("stg_app__events", []))
    bench.build("identifiers")
    for (kind, column), value in broken.settings.items():
        found = bench.connection.execute(
            f"update seeds.identifiers set {column} = ? where identifier_type = ? returning 1",
            [value, kind],
        )
        assert found.fetchall()
    for model in _EVIDENCE:
        bench.build(model)
    write_decisions(bench.connection, [])
    resolve_records(bench.connection, _sources(broken), declaration, history=History(), run=_RUN)
    return _read(bench)


def _sources(broken: Break) -> Sources:
    if broken.sources is None:
        return WITHOUT_MATCHING
    sound, instead = broken.sources
    changed = {
        name: text.replace(sound, instead)
        for name, text in vars(WITHOUT_MATCHING).items()
        if isinstance(text, str) and sound in text
    }
    assert changed
    return replace(WITHOUT_MATCHING, **changed)


def _read(bench: Bench) -> Found:
    members: dict[str, set[str]] = {}
    mapped = bench.query("select source, entity, record_key, one_id from identity.record_map")
    for row in mapped:
        members.setdefault(row["one_id"], set()).add(row["record_key"])
    bench.given("bridge_user_records", mapped)
    related = bench.build("bridge_user_relationships")
    named = bench.query(
        "select distinct record_key, reason from intermediate.int_identity_evidence"
    )
    return Found(
        [frozenset(group) for group in members.values()],
        {row["record_key"] for row in named},
        {row["reason"] for row in named if row["reason"]},
        {
            (
                frozenset(members[row["one_id"]] | members[row["related_one_id"]]),
                row["relationship"],
            )
            for row in related
        },
    )


def phone(number: int) -> str:
    """A mobile in its normal spelling."""
    return f"+86139{number:08d}"


def hashed(number: int) -> str:
    """The same mobile as a source delivers it that hides numbers."""
    return hashlib.sha256(phone(number)[3:].encode()).hexdigest()


def at(day: str) -> datetime:
    """A naive UTC time."""
    return datetime.fromisoformat(day)


def record(key: str, **values: object) -> dict[str, object]:
    """A staged row by its key; texts that are days become times."""
    return {"record_key": key, **values}


def event(
    subject: str, day: str = "2026-01-01", kind: str = "track", **values: object
) -> dict[str, object]:
    """An app event; `identities` may be a mapping of the names behind `$identity_`."""
    identities = values.pop("identities", None)
    if isinstance(identities, Mapping):
        values["identities"] = json.dumps(
            {f"$identity_{name}": value for name, value in identities.items()}
        )
    return {"type": kind, "distinct_id": subject, "occurred_at": at(day), **values}


def contact(key: str, number: int | None = None, **values: object) -> dict[str, object]:
    """A customer of the CRM, with this mobile."""
    known = {"mobile": phone(number)} if number is not None else {}
    times = {"created_at": at("2026-01-01"), "updated_at": at("2026-01-02")}
    return record(key, crm_customer_id=key, **times, **known, **values)


def lead(key: str, number: int, **values: object) -> dict[str, object]:
    """A lead with this mobile."""
    times = {"created_at": at("2026-02-01"), "updated_at": at("2026-02-01")}
    return record(key, mobile=phone(number), **times, **values)


def order(key: str, day: str = "2026-01-01", **values: object) -> dict[str, object]:
    """An order of the day."""
    return record(key, small_ordered_at=at(day), updated_at=at(day), **values)


def service(key: str, **values: object) -> dict[str, object]:
    """A visit to the workshop."""
    return record(key, arrived_at=at("2026-03-01"), left_at=at("2026-03-01"), **values)


def visits_of_a_shop(number: int) -> list[dict[str, object]]:
    """Customers of a store for whom its adviser wrote down one phone."""
    time = {"arrived_at": at("2026-02-01"), "left_at": at("2026-02-01")}
    return [record(f"visit {name}", name=name, mobile=phone(number), **time) for name in CUSTOMERS]


def families() -> Staged:
    """A couple with one phone; a survey about the car of each."""
    bought = [
        order("his order", "2024-01-01", name="王伟", vin="V"),
        order("her order", "2025-06-01", name="李娜", vin="V"),
    ]
    return {
        "stg_crm__contacts": [contact("he", 1, name="王伟"), contact("she", 1, name="李娜")],
        "stg_dms__orders": bought,
        "stg_crm__surveys": [
            record("survey then", vin="V", mobile=phone(1), sent_at=at("2024-03-01")),
            record("survey now", vin="V", mobile=phone(1), sent_at=at("2026-03-01")),
        ],
    }


def driver_of(company: str, **customer: object) -> Staged:
    """A survey about a company's car, answered by who drives it."""
    return {
        "stg_crm__contacts": [contact("driver", 1, name="王伟")],
        "stg_dms__customers": [
            record("D1|1", dealer_code="D1", dms_customer_id="1", name="星辰", **customer)
        ],
        "stg_dms__orders": [order("order", name=company, vin="V")],
        "stg_crm__surveys": [record("survey", vin="V", mobile=phone(1), sent_at=at("2026-03-01"))],
    }
