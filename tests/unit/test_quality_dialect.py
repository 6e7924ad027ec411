"""What Great Expectations is told of the columns of a table is what DuckDB has."""

from pathlib import Path

import duckdb
import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.types import NullType

from zhongtai.quality.dialect import DRIVER


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "build.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("create schema metrics")
        connection.execute("create table things (other bigint)")
        connection.execute(
            "create table metrics.things (date date not null, share double, fen bigint,"
            " price decimal(18, 2), name varchar, is_open boolean, seen_at timestamp,"
            " series varchar[])"
        )
        connection.execute("create view metrics.seen as select name, fen from metrics.things")
    return path


def test_columns_come_with_types_and_order_of_the_table_of_that_schema(file: Path) -> None:
    engine = create_engine(f"{DRIVER}:///{file}?access_mode=READ_ONLY")
    columns = inspect(engine).get_columns("things", schema="metrics")
    told = {column["name"]: column["type"].__class__.__name__ for column in columns}
    assert list(told.items())[:7] == [
        ("date", "DATE"),
        ("share", "DOUBLE_PRECISION"),
        ("fen", "BIGINT"),
        ("price", "NUMERIC"),
        ("name", "String"),
        ("is_open", "BOOLEAN"),
        ("seen_at", "TIMESTAMP"),
    ]
    assert isinstance(columns[-1]["type"], NullType)
    assert [column["nullable"] for column in columns] == [False] + [True] * 7
    assert [c["name"] for c in inspect(engine).get_columns("seen", schema="metrics")] == [
        "name",
        "fen",
    ]
    assert [c["name"] for c in inspect(engine).get_columns("things", schema="main")] == ["other"]
    assert inspect(engine).get_pk_constraint("things", schema="metrics")["name"] is None
    engine.dispose()


def test_a_table_that_is_not_there_has_no_columns(file: Path) -> None:
    engine = create_engine(f"{DRIVER}:///{file}?access_mode=READ_ONLY")
    assert inspect(engine).get_columns("nothing", schema="metrics") == []
    engine.dispose()
