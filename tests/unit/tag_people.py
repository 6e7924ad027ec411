"""Hand-made persons, what they did, and what the declared tags must say of them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import duckdb
from metrics_bench import AS_OF, Bench, Project

from zhongtai.tags.facts import FACTS

TYPES = {"text": "varchar", "integer": "bigint", "time": "timestamp"}
BUILT = ("intermediate/tags/", "marts/profiles/dim_user_tags.sql")
Fact = tuple[str, dict[str, Any]]


def ago(days: float = 0, seconds: float = 0) -> datetime:
    """So long before as-of, which is a midnight in China; naive UTC."""
    return AS_OF - timedelta(days=days, seconds=seconds)


def did(fact: str, when: datetime, **columns: object) -> Fact:
    """One row of a fact table."""
    return fact, {FACTS[fact].time: when} | columns


def event(name: str, when: datetime, **columns: object) -> Fact:
    """One behaviour on the app."""
    return did("events", when, **{"event": name, "source": "app"} | columns)


def views(count: int, series: str = "A", days: float = 5) -> list[Fact]:
    """So many looks at a series, a second apart, the last so many days ago."""
    return [event("view_series", ago(days, second), series_code=series) for second in range(count)]


def car(days: float, **columns: object) -> Fact:
    """Owner of a car since so many days."""
    return did("vehicles", ago(days), **{"role": "owner"} | columns)


@dataclass(frozen=True)
class Person:
    """Profile and facts of somebody, and what tags say; the others may say anything."""

    name: str
    says: dict[str, Any]
    facts: list[Fact] = field(default_factory=list)
    profile: dict[str, Any] = field(default_factory=dict)


class TagBench(Bench):
    """A bench on which facts are given as rows, and the tags are built."""

    def _create(self, name: str) -> str:
        found = [fact for fact in FACTS.values() if fact.model == name]
        if not found or name in self._made:
            return super()._create(name)
        relation = self.project.relation(name)
        self._schema(relation)
        kinds = {"one_id": "varchar", found[0].time: "timestamp"}
        kinds |= {c: TYPES.get(t, t) for c, t in found[0].columns.items()}
        columns = ", ".join(f"{column} {kind}" for column, kind in kinds.items())
        self.connection.execute(f"create table {relation} ({columns})")
        self._made.add(name)
        return relation

    def tags_of(self, people: list[Person]) -> dict[str, dict[str, Any]]:
        """The wide row of tags of each person."""
        self.given("dim_users", [{"one_id": p.name} | p.profile for p in people])
        rows: dict[str, list[dict[str, Any]]] = {}
        for person in people:
            for fact, row in person.facts:
                rows.setdefault(FACTS[fact].model, []).append({"one_id": person.name} | row)
        for model, found in rows.items():
            self.given(model, found)
        return {row.pop("one_id"): row for row in self.build("dim_user_tags")}


def make_bench(project: Project) -> TagBench:
    """An empty bench for the tags of a compiled project."""
    return TagBench(project, connection=duckdb.connect(":memory:"))
