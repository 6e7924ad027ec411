"""The compiled SQL says of random people what the plain reading of docs/tags.md says of them."""

import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tag_cases import create_models, create_tables, declare
from tag_strategies import AS_OF, Spec, conditions, declarations, ruled, worlds

from reference.tags import World, evaluate
from zhongtai.tags.facts import FACTS

People = dict[str, Spec]
Happened = dict[str, list[Spec]]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect(config={"threads": 1})
    create_tables(opened, str(AS_OF))
    return opened


def compiled(
    connection: duckdb.DuckDBPyConnection, declared: list[Spec], people: People, happened: Happened
) -> dict[str, dict[str, Any]]:
    """one_id -> tag -> value as the compiled models have it."""
    described = {"name": {"zh": "名", "en": "Name"}, "description": "说明。", "status": "published"}
    listed = [{**described, **tag} for tag in declared]
    text = yaml.safe_dump(listed, allow_unicode=True, sort_keys=False)
    with tempfile.TemporaryDirectory() as folder:
        tags = declare(Path(folder), text)
    insert(connection, "dim_users", [{"one_id": o, **person} for o, person in people.items()])
    for fact, rows in happened.items():
        time = FACTS[fact].time
        named = [{time if k == "at" else k: v for k, v in row.items()} for row in rows]
        insert(connection, FACTS[fact].model, named)
    create_models(connection, tags)
    found = connection.execute("from dim_user_tags").to_arrow_table().to_pylist()
    return {row.pop("one_id"): row for row in found}


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[Spec]) -> None:
    connection.execute(f"delete from {table}")
    if rows:
        connection.register("given_rows", pa.Table.from_pylist(rows))
        connection.execute(f"insert into {table} by name from given_rows")
        connection.unregister("given_rows")


# shrinking takes minutes, and what fails prints its declarations and its world as it is
PLAYED = settings(
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=(HealthCheck.too_slow,),
)


@settings(PLAYED, max_examples=250)
@given(declared=declarations(), world=worlds())
def test_random_rules_on_random_people_agree_with_the_reference(
    connection: duckdb.DuckDBPyConnection, declared: list[Spec], world: tuple[People, Happened]
) -> None:
    people, happened = world
    expected = evaluate(declared, World(people, happened, AS_OF))
    assert compiled(connection, declared, people, happened) == expected


@settings(PLAYED, max_examples=60)
@given(rules=st.lists(ruled("rule", conditions()), min_size=4, max_size=8), world=worlds())
def test_an_exclusive_group_never_gives_a_person_two_tags(
    connection: duckdb.DuckDBPyConnection, rules: list[Spec], world: tuple[People, Happened]
) -> None:
    declared = [
        {"id": f"tag_{n}", **rule, "exclusive_group": f"group_{n % 2}"}
        for n, rule in enumerate(rules)
    ]
    found = compiled(connection, declared, *world)
    plain = evaluate(
        [{k: v for k, v in tag.items() if k != "exclusive_group"} for tag in declared],
        World(*world, AS_OF),
    )
    for one_id, values in found.items():
        for group in range(2):
            ids = [tag["id"] for tag in declared if tag["exclusive_group"] == f"group_{group}"]
            held = [tag_id for tag_id in ids if values[tag_id]]
            met = [tag_id for tag_id in ids if plain[one_id][tag_id]]
            assert held == met[:1], "the first that holds, and no other"
