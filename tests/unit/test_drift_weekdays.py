"""A day of the metrics beside the same weekday of the weeks before it."""

from collections.abc import Iterator, Mapping

import duckdb
import pytest
from drift_cases import LIMITS

from zhongtai.quality.drift.weekdays import find_odd_days

# as-of is a Friday; the day that is judged is Wednesday, 2026-09-16
AS_OF = "2026-09-17 17:00"
USUAL = {f"2026-{day}": 400 for day in ("09-09", "09-02", "08-26", "08-19", "08-12")}


@pytest.fixture
def candidate() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for schema in ("meta", "seeds", "metrics"):
            connection.execute(f"create schema {schema}")
        connection.execute(f"create table meta.run_context as select timestamp '{AS_OF}' as as_of")
        connection.execute("create table seeds.holidays (date date)")
        connection.execute(
            "create table metrics.metrics_leads_daily"
            " (date date, region varchar, leads bigint, visit_rate_7d_num bigint)"
        )
        connection.execute("create table metrics.metrics_care_monthly (month date, cars bigint)")
        yield connection


def count(candidate: duckdb.DuckDBPyConnection, days: Mapping[str, int]) -> list[str]:
    for day, leads in days.items():
        candidate.execute(
            "insert into metrics.metrics_leads_daily values (?, '华东', ?, 1), (?, '华南', ?, 9)",
            [day, leads // 4, day, leads - leads // 4],
        )
    return [odd.measure for odd in find_odd_days(candidate, LIMITS)]


@pytest.mark.parametrize("leads", [150, 400, 1500])
def test_a_day_like_its_weekday_is_no_news(
    candidate: duckdb.DuckDBPyConnection, leads: int
) -> None:
    assert count(candidate, {**USUAL, "2026-09-16": leads}) == []


@pytest.mark.parametrize("leads", [0, 40, 5000])
def test_a_day_without_leads_or_with_too_many_is_odd(
    candidate: duckdb.DuckDBPyConnection, leads: int
) -> None:
    odd = count(candidate, {**USUAL, "2026-09-16": leads})
    assert odd == ["day.metrics_leads_daily.leads"]


def test_a_day_without_any_row_counts_nothing(candidate: duckdb.DuckDBPyConnection) -> None:
    assert count(candidate, USUAL) == ["day.metrics_leads_daily.leads"]


def test_other_weekdays_say_nothing_of_it(candidate: duckdb.DuckDBPyConnection) -> None:
    sundays = {"2026-09-13": 9000, "2026-09-06": 9000, "2026-08-30": 9000}
    assert count(candidate, {**USUAL, **sundays, "2026-09-16": 400}) == []


def test_three_weeks_are_too_few_to_know_a_weekday(candidate: duckdb.DuckDBPyConnection) -> None:
    assert count(candidate, dict(list(USUAL.items())[:3])) == []


def test_what_happens_now_and_then_has_no_usual_weekday(
    candidate: duckdb.DuckDBPyConnection,
) -> None:
    now_and_then = dict.fromkeys(("2026-08-05", "2026-07-29"), 0)
    assert count(candidate, {**USUAL, **now_and_then, "2026-09-16": 0}) == []


def test_a_public_holiday_is_not_judged_and_teaches_nothing(
    candidate: duckdb.DuckDBPyConnection,
) -> None:
    candidate.execute("insert into seeds.holidays values ('2026-09-16')")
    assert count(candidate, USUAL) == []
    candidate.execute("update seeds.holidays set date = '2026-08-12'")
    assert count(candidate, {}) == ["day.metrics_leads_daily.leads"]
    candidate.execute("insert into seeds.holidays values ('2026-08-19')")
    assert count(candidate, {}) == []
