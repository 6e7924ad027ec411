"""What a check calls too late is later than anything that staging lets through, to the day."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from zhongtai.quality.suites import Expectation, load_suites

ROOT = Path(__file__).resolve().parents[2]
_DAY = timedelta(days=1)
_BOUND = re.compile(r"(\w+) (?:>|not between 2000 and) \(select ")
# the same local day from its first second to its last; until 08:00 it is another day in UTC
CLOCKS = ["2026-03-10 00:00:00", "2026-03-10 07:59:59", "2026-03-10 08:00:00"]
CLOCKS += ["2026-03-10 23:59:59", "2026-03-31 23:30:00", "2026-12-31 23:30:00"]
# checks of what a table says of the run itself, not of anything that was delivered
OF_THE_RUN = {
    "as_of_is_in_the_calendar", "keys_are_never_null", "no_day_is_after_as_of",
    "the_day_of_as_of_is_there", "tags_are_declared", "every_published_tag_is_there",
    "weeks_are_over", "everybody_is_won_once", "everybody_reads_for_the_first_time_once",
    "periods_are_in_order",
}  # fmt: skip


def local_day(moment: datetime) -> date:
    return (moment + timedelta(hours=8)).date()


def bounds() -> list[tuple[str, str, Expectation]]:
    """Table, column and check of everything that is compared with as-of."""
    found = []
    for suite in load_suites(ROOT):
        for one in suite.expectations:
            query = str(one.kwargs.get("unexpected_rows_query", ""))
            if "as_of" in query and one.name not in OF_THE_RUN:
                column = _BOUND.findall(query)
                assert len(column) == 1, f"{suite.table} {one.name}"
                found.append((suite.table, column[0], one))
    return found


def latest(table: str, column: str, as_of: datetime) -> object:
    """The latest value that staging lets through: a day ahead, but no date of birth is ahead."""
    if column == "birth_date":
        return local_day(as_of)
    if column == "accrued_at":
        return as_of + _DAY
    ahead = local_day(as_of + _DAY)
    # these two models leave out what is ahead of as-of
    if table in ("metrics.metrics_wecom_fans_monthly", "metrics.metrics_content_reach_monthly"):
        ahead = local_day(as_of)
    days = {"week": ahead - ahead.weekday() * _DAY, "month": ahead.replace(day=1)}
    return ahead.year if column == "year" else days.get(column, ahead)


def after(column: str, value: object) -> object:
    """The next value that the column could have."""
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, date):
        if column == "month":
            return (value + 32 * _DAY).replace(day=1)
        return value + (7 if column == "week" else 1) * _DAY
    assert isinstance(value, int)
    return value + 1


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as found:
        found.execute("create schema meta")
        yield found


@pytest.mark.parametrize(("table", "column", "check"), bounds(), ids=lambda part: str(part)[:40])
def test_the_last_legal_time_passes_and_the_next_fails(
    connection: duckdb.DuckDBPyConnection, table: str, column: str, check: Expectation
) -> None:
    query = str(check.kwargs["unexpected_rows_query"]).format(batch="trial")
    for clock in CLOCKS:
        as_of = datetime.fromisoformat(f"{clock}+08:00").astimezone(UTC).replace(tzinfo=None)
        context = "create or replace table meta.run_context as select ?::timestamp as as_of"
        connection.execute(context, [as_of])
        legal = latest(table, column, as_of)
        kind = {int: "bigint", datetime: "timestamp", date: "date"}[type(legal)]
        found = []
        for value in (legal, after(column, legal)):
            trial = f"create or replace table trial as select ?::{kind} as {column}"
            connection.execute(trial, [value])
            found.append(len(connection.execute(query).fetchall()))
        assert found == [0, 1], clock
