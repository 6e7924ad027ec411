"""The shipped declaration and model: precise on persons that the model has not seen."""

import json
import sys
from pathlib import Path

import duckdb
import pytest

from zhongtai.identity.matching import (
    load_declaration,
    load_model,
    measure_quality,
    resolve_table,
    score_pairs,
)

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks are not installed

from benchmarks.accuracy_persons import DECLARATION_FILE, MODEL_FILE, TRAINED_ON, make_pieces

SEED = 41


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.register("made", make_pieces(SEED, 12_000))
    connection.execute("create table pieces as from made")
    return connection


def test_the_shipped_model_belongs_to_the_shipped_declaration(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    declaration, model = load_declaration(DECLARATION_FILE), load_model(MODEL_FILE)
    report = score_pairs(connection, "pieces", declaration, model)
    assert report.pairs > 500
    assert {block.action for block in report.blocking} == {"kept"}


def test_persons_that_the_model_has_not_seen_are_joined_precisely(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert TRAINED_ON["seed"] != SEED
    found = resolve_table(
        "pieces", load_declaration(DECLARATION_FILE), load_model(MODEL_FILE), connection=connection
    )
    connection.register("found", found)
    truth = "(select cluster_key as row_key, person as cluster from pieces)"
    quality = measure_quality(connection, found="found", truth=truth)
    assert quality.precision >= 0.99
    assert quality.recall >= 0.3  # most pieces share nothing that would tell


def test_a_family_with_one_phone_and_address_is_not_one_person(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    family = ("王建国", "王建军", "李秀英", "王小明", "王先生")
    connection.execute("create or replace table family as from pieces limit 0")
    for number, name in enumerate(family):
        connection.execute(
            "insert into family by name select ? as cluster_key, ? as name,"
            " ['138****1234'] as mobiles, '人民路1号2室' as address, '城市1市' as city,"
            " ['D0010'] as dealer_codes, '省份0省' as province",
            [f"f{number}", name],
        )
    declaration, model = load_declaration(DECLARATION_FILE), load_model(MODEL_FILE)
    found = resolve_table("family", declaration, model, connection=connection)
    assert len(set(found["cluster"].to_pylist())) == len(family)
    score_pairs(connection, "family", declaration, model)
    likely = connection.execute(
        "select count(*) from matching_pairs where probability > 0.9 and not is_sufficient"
    ).fetchone()
    assert likely
    assert likely[0] >= 3  # weights alone would have joined them


def test_the_model_file_names_nobody() -> None:
    content = json.loads(MODEL_FILE.read_text("utf-8"))
    assert set(content["frequencies"]) == {"name__surname", "name__given", "name__given_sound"}
    assert max(len(term) for term in content["frequencies"]["name__given"]["terms"]) <= 3
