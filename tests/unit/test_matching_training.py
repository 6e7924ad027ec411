"""Training: the same model from the same rows, a file that cannot be edited, public data."""

import json
import random
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from matching_cases import DECLARATION, model_for, put_people

from zhongtai.errors import ConfigurationError
from zhongtai.identity.matching import (
    Model,
    load_declaration,
    load_model,
    measure_quality,
    resolve_table,
    save_model,
    train,
)

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks are not installed

from benchmarks.accuracy_febrl import DECLARATION_FILE, read_febrl


def train_on(order: int) -> Model:
    """A model of 300 persons with two rows each, trained on labels, in some order of rows."""
    rng = random.Random(5)  # noqa: S311
    people = []
    for person in range(300):
        name = rng.choice("王李张刘陈") + rng.choice("伟芳娜秀敏静丽强") + rng.choice("华英玲梅")
        mobile = f"+861{rng.randrange(10**9, 10**10)}"
        masked = f"{mobile[3:6]}****{mobile[-4:]}"
        city = rng.choice(["苏州市", "南京市", "上海市"])
        row = {"name": name, "mobile": mobile, "city": city}
        people.append({**row, "id": f"{person:03}a"})
        people.append({**row, "id": f"{person:03}b", "mobile": masked})
    random.Random(order).shuffle(people)  # noqa: S311
    connection = duckdb.connect()
    put_people(connection, people)
    labels = "(select id, id[:3] as person from people)"
    model = train(connection, "people", DECLARATION, labels)
    tables = connection.execute("select table_name from duckdb_tables()").fetchall()
    assert tables == [("people",)]
    return model


def test_training_is_repeatable_in_any_order_of_rows() -> None:
    first = train_on(1)
    assert first.content_hash == train_on(2).content_hash
    assert first.labels == 300
    assert first.prior == pytest.approx(1 / 599, rel=1e-4)
    levels = {level.label: level for level in first.comparisons["mobile"]}
    assert levels["masked equal"].m > 0.99
    assert levels["masked equal"].u < 1e-4
    assert first.frequencies["name__surname"].terms["王"] == pytest.approx(0.2, abs=0.05)


def test_a_larger_population_makes_every_match_less_probable() -> None:
    connection = duckdb.connect()
    put_people(
        connection,
        [{"id": f"{n}{copy}", "name": f"王{n}明"} for n in range(20) for copy in "ab"],
    )
    labels = "(select id, id[:-2] as person from people)"
    wide = replace(DECLARATION, population=1_000_001)
    small = train(connection, "people", DECLARATION, labels)
    large = train(connection, "people", wide, labels)
    assert small.prior == pytest.approx(1 / 39)
    assert large.prior == pytest.approx(1e-6)


def test_a_model_file_gives_the_model_back_and_notices_a_change(tmp_path: Path) -> None:
    model = model_for(DECLARATION)
    file = tmp_path / "persons.model.json"
    save_model(model, file)
    assert load_model(file) == model
    content = json.loads(file.read_text("utf-8"))
    content["prior"] = 0.4
    file.write_text(json.dumps(content), "utf-8")
    with pytest.raises(ConfigurationError, match="says content hash"):
        load_model(file)
    file.write_text("{}", "utf-8")
    with pytest.raises(ConfigurationError, match="is no matching model"):
        load_model(file)


def test_the_hash_is_of_what_decides_not_of_the_circumstances() -> None:
    model = model_for(DECLARATION)
    assert replace(model, trained_at="2027-01-01").content_hash == model.content_hash
    assert replace(model, prior=0.1).content_hash != model.content_hash


def test_training_without_labels_needs_sessions() -> None:
    connection = duckdb.connect()
    put_people(connection, [{"id": "a", "name": "王伟"}])
    with pytest.raises(ConfigurationError, match="declares no training sessions"):
        train(connection, "people", DECLARATION)


@pytest.mark.parametrize("name", ["febrl3", "febrl4"])
def test_the_library_resolves_public_persons(name: str) -> None:
    connection = duckdb.connect()
    connection.register("people", read_febrl(name))
    found = resolve_table("people", load_declaration(DECLARATION_FILE), connection=connection)
    connection.register("found", found)
    truth = "(select rec_id as row_key, person as cluster from people)"
    quality = measure_quality(connection, found="found", truth=truth)
    assert quality.rows in (5000, 10_000)
    assert quality.f1 >= 0.998
    assert quality.precision >= 0.999
