"""Only what changed is computed anew, and the result is that of a full computation."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tag_cases import DBT, add_rows, create_tables, declare, people, tag, views
from tag_strategies import AS_OF, Dice, Spec, declarations
from test_tags_reference import PLAYED, insert

from benchmarks.tag_models import Build, ordered_models
from zhongtai.tags import increments, plan
from zhongtai.tags.facts import FACTS

SHIFTS = (0, 0, 0, 1, 6 * 3600, 86400, 7 * 86400, -86400)


@dataclass
class Story:
    """Persons to whom things happen while time goes on, and the tables of tags that follow."""

    seed: int
    connection: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    as_of: datetime = AS_OF
    born: int = 0

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)  # noqa: S311  # no secret
        self.dice = Dice(self.seed)
        self.people, self.happened = self.dice.world()
        self.connection.execute("set threads = 1; create schema intermediate; create schema whole")
        self.connection.execute("set search_path = 'intermediate'")
        create_tables(self.connection)
        self.build = Build(self.connection, DBT)
        self.first_records = {one_id: one_id for one_id in self.people}

    def go_on(self) -> None:
        """Little of what can happen between two runs, so that most of what is there stands."""
        things = [self.merge, self.split, self.tell, self.forget, self.meet, self.meet]
        for happen in self.draw.sample(things, self.draw.choice([0, 1, 1, 2])):
            happen()
        self.as_of += timedelta(seconds=self.draw.choice(SHIFTS))

    def merge(self) -> None:
        if len(self.people) > 2:
            kept, gone = self.draw.sample(sorted(self.people), 2)
            self.people.pop(gone)
            for row in (row for rows in self.happened.values() for row in rows):
                row["one_id"] = kept if row["one_id"] == gone else row["one_id"]

    def split(self) -> None:
        self.born += 1
        parted, born = self.draw.choice(sorted(self.people)), f"u_new_{self.born}"
        self.people[born] = self.dice.person()
        for row in (row for rows in self.happened.values() for row in rows):
            if row["one_id"] == parted and self.draw.random() < 0.4:
                row["one_id"] = born

    def tell(self) -> None:
        """New events and late ones, and words of people."""
        for fact in ("events", "leads", "orders", "service_visits"):
            self.happened[fact] += [self.dice.fact(fact) for _ in range(self.draw.randint(0, 2))]
        self.happened["manual_tags"].append(self.dice.set_tag())

    def forget(self) -> None:
        for rows in self.happened.values():
            if rows and self.draw.random() < 0.3:
                rows.pop(self.draw.randrange(len(rows)))

    def meet(self) -> None:
        """A profile becomes another one, or turns out to have begun with another record."""
        one_id = self.draw.choice(sorted(self.people))
        if self.draw.random() < 0.5:
            self.people[one_id] = self.dice.person()
        self.first_records[one_id] = f"record {self.draw.randrange(9)}"

    def run(self, models: Mapping[str, str]) -> None:
        """Compute the tags beside those of the run before."""
        insert(self.connection, "dim_users", [{"one_id": o, **p} for o, p in self.people.items()])
        records = [{"one_id": o, "record": r} for o, r in self.first_records.items()]
        insert(self.connection, "int_users__first_records", records)
        for fact, rows in self.happened.items():
            time = FACTS[fact].time
            named = [{time if k == "at" else k: v for k, v in row.items()} for row in rows]
            insert(self.connection, FACTS[fact].model, named)
        self.connection.execute("update run_context set as_of = ?", [self.as_of])
        self.build.run(models)

    def differing(self, models: Mapping[str, str]) -> list[str]:
        """The models of which a full computation over the same facts has other rows."""
        self.connection.execute("set search_path = 'whole,intermediate'")
        DBT.is_incremental = False
        for name, text in models.items():
            self.connection.execute(f"create or replace view {name} as {DBT.render(name, text)}")
        kept = [name for name, text in models.items() if "'incremental'" in text]
        found = [name for name in (*kept, "dim_user_tags") if self._differs(name)]
        self.connection.execute("set search_path = 'intermediate'")
        return found

    def _differs(self, model: str) -> bool:
        kept, whole = f"from intermediate.{model}", f"from whole.{model}"
        query = f"({kept} except all {whole}) union all ({whole} except all {kept})"
        return self.connection.execute(query).fetchone() is not None


def compile_models(folder: Path, declared: list[Spec]) -> dict[str, str]:
    described = {"name": {"zh": "名", "en": "Name"}, "description": "说明。", "status": "published"}
    listed = [{**described, **spec} for spec in declared]
    return ordered_models(declare(folder, yaml.safe_dump(listed, allow_unicode=True)))


@settings(PLAYED, max_examples=12)
@given(
    declared=declarations(least=4, most=6),
    later=declarations(least=1, most=1),
    seed=st.integers(0, 2**32 - 1),
)
def test_tags_of_a_history_are_those_of_a_full_computation(
    tmp_path_factory: pytest.TempPathFactory, declared: list[Spec], later: list[Spec], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("tags")
    with pytest.MonkeyPatch.context() as patched:
        # so few tags would not read a fact often enough for it to be gathered
        patched.setattr(plan, "_OFTEN", 1)
        first = compile_models(folder, declared)
        second = compile_models(folder, [*declared, {**later[0], "id": "one_more"}])
    story = Story(seed)
    for run, models in enumerate((first, first, first, second, second, first)):
        story.run(models)
        assert story.differing(models) == [], run
        story.go_on()


WEEK = "rule: {did: events, within_days: 7}"
FEW = (
    tag("lately", "rule", "boolean", WEEK)
    + tag("bought", "rule", "boolean", "rule: {did: orders}")
    + tag("grown_up", "rule", "boolean", "rule: {profile: age, at_least: 18}")
)


class Town:
    """A few persons and tags that are computed again and again."""

    def __init__(self, folder: Path, declarations: str = FEW) -> None:
        self.folder = folder
        self.connection = duckdb.connect()
        self.connection.execute("create schema intermediate; set search_path = 'intermediate'")
        create_tables(self.connection)
        self.declare(declarations)
        self.build = Build(self.connection, DBT)
        self.add("dim_users", people("a", "b", "c"))

    def declare(self, declarations: str) -> None:
        self.models = ordered_models(declare(self.folder, declarations))

    def add(self, table: str, rows: list[dict[str, Any]]) -> None:
        add_rows(self.connection, table, rows)

    def run(self, as_of: str = "2026-03-31 16:00:00") -> dict[str, dict[str, Any]]:
        """Compute the tags; one_id -> tag -> value."""
        self.connection.execute("update run_context set as_of = ?", [as_of])
        self.build.run(self.models)
        found = self.connection.execute("from dim_user_tags").to_arrow_table().to_pylist()
        assert len(found) == len({row["one_id"] for row in found})
        return {row.pop("one_id"): row for row in found}

    def mark(self, tag_id: str = "bought") -> None:
        """Change what is kept of a tag of everyone, so that who is computed anew can be told."""
        self.connection.execute(f"update dim_user_tags set {tag_id} = true")

    def computed(self, as_of: str = "2026-03-31 16:00:00") -> set[str]:
        """Who is computed anew in the next run, as nobody ever ordered anything."""
        self.mark()
        return {one_id for one_id, tags in self.run(as_of).items() if not tags["bought"]}


def test_without_any_change_nobody_is_computed_anew(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.add("int_events", views("a", "S1", ["2026-03-30"]))
    assert town.run()["a"]["lately"]
    assert town.computed() == set()


def test_a_new_and_a_late_event_concern_their_persons_only(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.add("int_events", views("a", "S1", ["2026-03-30"]))
    town.run()
    town.add("int_events", views("b", "S1", ["2026-03-31"]) + views("c", "S1", ["2025-01-01"]))
    assert town.computed() == {"b", "c"}
    assert town.run()["b"]["lately"]


def test_who_is_in_no_window_any_more_is_computed_without_any_event(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.add(
        "int_events", views("a", "S1", ["2026-03-24 16:00"]) + views("b", "S1", ["2026-03-27"])
    )
    assert town.run()["a"]["lately"]
    # the first moment at which the window no longer holds the event
    assert town.computed("2026-03-31 16:00:00.000001") == {"a"}
    tags = town.run("2026-03-31 16:00:00.000001")
    assert (tags["a"]["lately"], tags["b"]["lately"]) == (False, True)


def test_days_that_must_have_passed_without_a_fact_pass_without_any_event(tmp_path: Path) -> None:
    steps = "[{did: events}, {without: orders, for_days: 3}]"
    body = f"sequence:\n  steps: {steps}"
    town = Town(tmp_path, FEW + tag("waited", "sequence", "boolean", body))
    town.add("int_events", views("a", "S1", ["2026-03-28 17:00"]))
    assert not town.run()["a"]["waited"]
    assert town.run("2026-03-31 17:00:00")["a"]["waited"]


def test_steps_of_one_source_are_there_when_only_the_other_source_brought_something(
    tmp_path: Path,
) -> None:
    """Events that several scans read are gathered, for whomever any of those scans computes."""
    body = "sequence:\n  steps: [{did: events}, {did: test_drives}]"
    last = "measure: {take: last, of: series_code, fact: events}"
    days = "measure: {take: active_days, fact: events}"
    several = tag("last_series", "first_last", "text", last) + tag(
        "days", "metric", "integer", days
    )
    town = Town(tmp_path, FEW + several + tag("drove", "sequence", "boolean", body))
    assert "int_tags__gathered_events" in town.models
    town.add("int_events", views("a", "S1", ["2026-03-20"]))
    assert not town.run()["a"]["drove"]
    town.add("int_test_drives", [{"one_id": "a", "started_at": "2026-03-25 08:00:00"}])
    assert town.run()["a"]["drove"]


def test_a_run_of_an_earlier_moment_takes_back_what_came_later(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.add(
        "int_events", views("a", "S1", ["2026-03-31 15:00"]) + views("b", "S1", ["2026-03-24"])
    )
    later = town.run()
    assert (later["a"]["lately"], later["b"]["lately"]) == (True, False)
    earlier = town.run("2026-03-30 23:00:00")
    assert (earlier["a"]["lately"], earlier["b"]["lately"]) == (False, True)


def test_a_merged_person_leaves_and_the_other_has_everything(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.add("int_events", views("a", "S1", ["2026-03-30"]))
    town.run()
    town.connection.execute("delete from dim_users where one_id = 'a'")
    town.connection.execute("update int_events set one_id = 'b' where one_id = 'a'")
    town.mark()
    tags = town.run()
    assert tags.keys() == {"b", "c"}
    assert (tags["b"]["lately"], tags["b"]["bought"], tags["c"]["bought"]) == (True, False, True)
    assert town.connection.execute("select one_id from int_tags__events").fetchall() == [("b",)]


@pytest.mark.parametrize(
    "change",
    [
        "update dim_users set birth_date = date '2000-01-01' where one_id = 'a'",
        "insert into int_users__first_records values ('a', 'crm/leads/1')",
    ],
)
def test_another_profile_is_a_change(tmp_path: Path, change: str) -> None:
    town = Town(tmp_path)
    town.run()
    town.connection.execute(change)
    assert town.computed() == {"a"}


def test_another_day_changes_what_is_counted_in_days(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.connection.execute("update dim_users set birth_date = date '2008-04-02'")
    assert not town.run("2026-04-01 15:59:59")["a"]["grown_up"]
    assert town.run("2026-04-01 16:00:00")["a"]["grown_up"]


def test_a_changed_rule_is_computed_for_everyone_and_the_other_scans_stand(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.add("int_events", views("a", "S1", ["2026-03-10"]))
    town.add("int_orders", [{"one_id": "a", "first_ordered_at": "2026-03-01"}])
    assert not town.run()["a"]["lately"]
    town.connection.execute("update int_tags__orders set count = 99")
    town.declare(FEW.replace("within_days: 7", "within_days: 30"))
    assert town.run()["a"]["lately"]
    assert town.connection.execute("select count from int_tags__orders").fetchall() == [(99,)]


def test_after_a_run_that_was_cut_off_everything_is_computed(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.run()
    town.mark()
    increments.prepare(town.connection, {})
    assert not any(tags["bought"] for tags in town.run().values())


def test_the_answer_of_a_select_about_everyone_reaches_whom_it_concerns(tmp_path: Path) -> None:
    body = (
        "sql: |\n  select one_id, true as value from events\n"
        "  where happened_at = (select max(happened_at) from events)"
    )
    town = Town(tmp_path, FEW + tag("latest_of_all", "sql", "boolean", body))
    town.add("int_events", views("a", "S1", ["2026-03-01"]) + views("b", "S1", ["2026-02-01"]))
    assert town.run()["a"]["latest_of_all"]
    town.add("int_events", views("b", "S1", ["2026-03-02"]))
    assert town.computed() == {"a", "b"}
    assert [o for o, tags in town.run().items() if tags["latest_of_all"]] == ["b"]


def test_values_of_everyone_that_cut_bands_are_never_kept(tmp_path: Path) -> None:
    body = (
        "measure: {take: count, fact: events}\nbands:\n"
        "  - {value: low, at_most_quantile: 0.5}\n  - {value: high}"
    )
    town = Town(tmp_path, FEW + tag("half", "metric", "text", body))
    town.add("int_events", views("a", "S1", ["2026-03-01"] * 2) + views("b", "S1", ["2026-03-01"]))
    assert town.run()["a"]["half"] == "high"
    town.add(
        "int_events", views("b", "S1", ["2026-03-01"] * 9) + views("c", "S1", ["2026-03-01"] * 9)
    )
    assert town.run()["a"]["half"] == "low"
