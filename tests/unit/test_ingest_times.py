"""Times at ingestion: every spelling of the exports, read as staging reads them."""

import re
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zhongtai.ingest.moments import read_times
from zhongtai.ingest.times import time_expression

MACROS = Path(__file__).parents[2] / "dbt_project" / "macros"

SPELLINGS = {
    "2026-03-05 14:05:00": "2026-03-05 06:05:00",
    "2026/3/5 14:05": "2026-03-05 06:05:00",
    "2026年3月5日 下午3:05": "2026-03-05 07:05:00",
    "2026年3月5日": "2026-03-04 16:00:00",
    "2026-03-05 12:30 AM": "2026-03-04 16:30:00",
    "20260305": "2026-03-04 16:00:00",
    "20260305140500": "2026-03-05 06:05:00",
    "45000.5": "2023-03-15 04:00:00",
    "1770000000000": "2026-02-02 02:40:00",
    "1770000000": "2026-02-02 02:40:00",
    "1770000000000.0": "2026-02-02 02:40:00",
    "1770000000.0": "2026-02-02 02:40:00",
    "17700000000.0": None,
    "２０２６-03-05 14:05:00": "2026-03-05 06:05:00",
    "'2026-03-05": "2026-03-04 16:00:00",
    " 2026-03-05\u200b": "2026-03-04 16:00:00",
    "2026-03-05T14:05:00Z": "2026-03-05 14:05:00",
    "2026-03-05T14:05:00-08:0": "2026-03-05 22:05:00",
    "2026-03-05T14:05:00+08:00": "2026-03-05 06:05:00",
    "0000-00-00": None,
    "0000-00-00 00:00:00": None,
    "2026-02-31 10:00:00": None,
    "2026-13-01": None,
    "soon": None,
    "": None,
    "-": None,
}


def read(spelling: str, kind: str = "ts") -> Any:
    expression = time_expression("x", kind)
    return duckdb.execute(
        f"select ({expression})::varchar from (select ? as x)", [spelling]
    ).fetchone()[0]  # type: ignore[index]  # one row


@pytest.mark.parametrize(("spelling", "expected"), SPELLINGS.items())
def test_every_spelling_of_a_time_is_read(spelling: str, expected: str | None) -> None:
    assert read(spelling) == expected


@pytest.mark.parametrize(
    "spelling", ["1770000000000", "1770000000", "1770000000000.0", "2026-02-02 10:40:00"]
)
def test_epochs_come_in_milliseconds_seconds_or_words(spelling: str) -> None:
    assert read(spelling, "ms") == "2026-02-02 02:40:00"


def test_no_time_at_all_is_no_time() -> None:
    expression = time_expression("x", "ts")
    assert duckdb.sql(f"select {expression} from (select null::varchar as x)").fetchone() == (None,)


@pytest.fixture(scope="module")
def staging_macros() -> Any:
    """The macros of staging as functions, on DuckDB."""
    folders = (MACROS / "engine", MACROS / "cleaning")
    text = "".join(file.read_text() for folder in folders for file in folder.glob("*.sql"))

    class Adapter:
        @staticmethod
        def dispatch(name: str, _: str) -> Any:
            return getattr(module, f"default__{name}")

    environment = jinja2.Environment(extensions=["jinja2.ext.do"])  # noqa: S701 - SQL, not HTML
    environment.globals.update(adapter=Adapter, **{"return": lambda value: value})
    module = environment.from_string(re.sub(r"\{#-?.*?-?#\}", "", text, flags=re.DOTALL)).module
    return module


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_staging_reads_the_same_time(staging_macros: Any, spelling: str) -> None:
    tidy = staging_macros.tidy_text("x")
    read_there = f"({staging_macros.clean_timestamp('t')})::varchar"
    sql = f"select {read_there} from (select {tidy} as t from (select ? as x))"
    staged = duckdb.execute(sql, [spelling]).fetchone()
    assert staged == (read(spelling),)


def numbers(low: int, high: int, width: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(lambda number: f"{number:0{width}d}")


dates = st.tuples(numbers(1890, 2210, 4), numbers(0, 13, 2), numbers(0, 32, 2))
clocks = st.tuples(numbers(0, 25, 2), numbers(0, 61, 2), numbers(0, 61, 2)).map(":".join)
written = st.builds(
    "{}{}{}{}".format,
    st.builds(lambda parts, sign: sign.join(parts), dates, st.sampled_from("-/.")),
    st.sampled_from(["", " ", "T", "t", "  "]),
    st.one_of(st.just(""), clocks, clocks.map(lambda clock: clock[:5])),
    st.sampled_from(["", "", "Z", "+08:00", "-08:0", "+0800", "-99:99", ".5", "Z0"]),
)
epochs = st.one_of(
    st.integers(-10, 10**14).map(str), numbers(0, 10**13 - 1, 13), st.just(" 177000000000")
)


@given(texts=st.lists(st.one_of(written, epochs, st.none(), st.sampled_from([*SPELLINGS]))))
@example(texts=["2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2026-04-31"])
@settings(max_examples=200, deadline=None)
@pytest.mark.parametrize("kind", ["ts", "ms"])
def test_a_batch_of_times_is_read_as_the_expression_reads_each(
    kind: str, texts: list[str | None]
) -> None:
    column = pa.array([*texts, "2026-03-05"], pa.string()).slice(0, len(texts))
    with duckdb.connect() as connection:
        read = read_times(connection, column, kind)
        connection.register("given", pa.table({"x": column}))
        expected = connection.sql(f"select {time_expression('x', kind)} as t from given")
        assert read.to_pylist() == expected.to_arrow_table()["t"].to_pylist()
