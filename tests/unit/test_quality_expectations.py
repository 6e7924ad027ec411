"""Great Expectations over a candidate: what passes, fails, raises or is missing, and is shown."""

from pathlib import Path

import duckdb
import pytest

from zhongtai.quality.expectations import _judge, run_suites
from zhongtai.quality.results import CheckResult
from zhongtai.quality.suites import Expectation, Suite, _rows_query, load_suites
from zhongtai.settings import Settings, load_settings

PROJECT = Path(__file__).resolve().parents[2]
FINE = {"exception_info": {"raised_exception": False}}
PHONE = "+8613912345678"


def rows(name: str, where: str, severity: str = "critical") -> Expectation:
    query = _rows_query(where)
    return expectation(name, "unexpected_rows_expectation", severity, unexpected_rows_query=query)


def expectation(name: str, kind: str, severity: str = "critical", **kwargs: object) -> Expectation:
    return Expectation(name, kind, kwargs, severity, "because of the test")  # type: ignore[arg-type]


@pytest.fixture
def built(tmp_path: Path) -> Settings:
    settings = load_settings(home=tmp_path / "家 with blanks", threads=1, memory_limit="1GB")
    settings.warehouse_file.parent.mkdir(parents=True)
    with duckdb.connect(settings.warehouse_file) as connection:
        connection.execute("create schema metrics")
        connection.execute("create schema profiles")
        connection.execute(
            "create table metrics.trial as select range as n, 'S' || range as code,"
            " case when range = 3 then null else date '2026-03-01' end as date from range(50)"
        )
        connection.execute("create table metrics.empty (n bigint, code varchar)")
        connection.execute(
            f"create table profiles.dim_users as select 'u' || range as one_id, '{PHONE}' as mobile"
            " from range(3)"
        )
    return settings


def outcomes(results: list[CheckResult]) -> dict[str, str]:
    return {r.expectation: r.outcome for r in results}


def test_each_expectation_passes_fails_or_raises_on_its_own(
    built: Settings, tmp_path: Path
) -> None:
    trial = Suite("metrics.trial", tmp_path, (
        rows("no_negative", "n < 0"),
        rows("small", "n > 40"),
        rows("braces_and_colons", "regexp_matches(code, '^S[0-9]{9}:x$') or n::varchar = ':x'"),
        rows("no_such_column", "nowhere = 1"),
        rows("no_such_function", "nowhere(n)", "info"),
        expectation("dates", "expect_column_values_to_not_be_null", column="date"),
        expectation("codes", "expect_column_values_to_be_unique", column="code"),
        expectation("grain", "expect_compound_columns_to_be_unique", column_list=["n", "code"]),
        expectation("missing_column", "expect_column_values_to_be_unique", column="nowhere"),
        expectation("no_such_type", "expect_the_unexpected", column="n"),
        expectation("enough", "expect_table_row_count_to_be_between", min_value=51),
    ))  # fmt: skip
    found = run_suites(built, [trial], ["metrics.trial"])
    assert outcomes(found) == {
        "no_negative": "passed",
        "small": "failed",
        "braces_and_colons": "passed",
        "no_such_column": "raised",
        "no_such_function": "raised",
        "dates": "failed",
        "codes": "passed",
        "grain": "passed",
        "missing_column": "raised",
        "enough": "failed",
    }, "no_such_type has no result, so the gate calls it missing"
    by_name = {r.expectation: r for r in found}
    assert by_name["small"].observed == "observed_value 9"
    assert "unexpected_count 1" in by_name["dates"].observed
    assert by_name["no_such_function"].severity == "info"


def test_a_suite_without_its_table_is_missing_and_an_unreadable_table_raises(
    built: Settings, tmp_path: Path
) -> None:
    absent = Suite("metrics.absent", tmp_path, (rows("a", "n < 0"), rows("b", "n < 1")))
    assert outcomes(run_suites(built, [absent], ["metrics.trial"])) == {
        "a": "missing",
        "b": "missing",
    }
    assert outcomes(run_suites(built, [absent], ["metrics.absent"])) == {
        "a": "raised",
        "b": "raised",
    }


def test_an_empty_table_breaks_no_rule_about_rows(built: Settings, tmp_path: Path) -> None:
    empty = Suite("metrics.empty", tmp_path, (
        rows("a", "n < 0"),
        expectation("b", "expect_column_values_to_be_unique", column="code"),
        expectation("c", "expect_column_values_to_be_in_set", column="code", value_set=["x"]),
        expectation("d", "expect_table_row_count_to_be_between", min_value=1),
    ))  # fmt: skip
    assert outcomes(run_suites(built, [empty], ["metrics.empty"])) == {
        "a": "passed",
        "b": "passed",
        "c": "passed",
        "d": "failed",
    }


def test_neither_results_nor_pages_show_a_value(built: Settings, tmp_path: Path) -> None:
    users = Suite("profiles.dim_users", tmp_path, (
        expectation("unique", "expect_column_values_to_be_unique", column="mobile"),
        expectation("known", "expect_column_values_to_be_in_set", column="mobile", value_set=["x"]),
        rows("none", "mobile is not null"),
        rows("cast", "mobile::bigint::date is null"),
        rows("quoted_by_the_error", "cast(mobile as date) is null"),
    ))  # fmt: skip
    docs = tmp_path / "docs"
    found = run_suites(built, [users], ["profiles.dim_users"], docs)
    assert [r.outcome for r in found] == ["failed", "failed", "failed", "raised", "raised"]
    assert all("139123" not in r.observed for r in found)
    pages = [f for f in docs.rglob("*") if f.is_file()]
    assert (docs / "index.html") in pages
    assert not [f for f in pages if PHONE.encode() in f.read_bytes()]


def test_an_expectation_that_raises_shows_a_message_and_no_query_path_or_traceback(
    built: Settings, tmp_path: Path
) -> None:
    lost = tmp_path / "lost.parquet"
    trial = Suite("metrics.trial", tmp_path, (
        rows("no_such_column", "nowhere = 1"),
        rows("gone", f"n in (select n from read_parquet('{lost}'))"),
        expectation("missing_column", "expect_column_values_to_be_unique", column="absent"),
        rows("good", "n < 0"),
    ))  # fmt: skip
    docs = tmp_path / "docs"
    found = {r.expectation: r for r in run_suites(built, [trial], ["metrics.trial"], docs)}
    assert found["no_such_column"].observed.startswith(
        'Binder Error: Referenced column "nowhere" not found in FROM clause!'
    )
    assert "…/lost.parquet" in found["gone"].observed
    assert found["good"].outcome == "passed"
    for one in found.values():
        assert not [word for word in ("[SQL", "LINE ", str(tmp_path)) if word in one.observed]
    (page,) = docs.rglob("*-metrics.trial.html")
    shown = page.read_text("utf-8")
    assert "Binder Error: Referenced column" in shown
    for word in ("Traceback", "site-packages", "[SQL", "substituted_batch"):
        assert word not in shown


def test_the_working_file_can_be_written_after_the_check(built: Settings, tmp_path: Path) -> None:
    run_suites(built, [Suite("metrics.trial", tmp_path, (rows("a", "n < 0"),))], ["metrics.trial"])
    with duckdb.connect(built.warehouse_file) as connection:
        connection.execute("create table metrics.next as select 1 as n")


def test_every_declared_type_is_known_to_great_expectations() -> None:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    known = set(list_registered_expectation_implementations())
    used = {e.type for suite in load_suites(PROJECT) for e in suite.expectations}
    assert len(used) >= 4
    assert used - known == set()


@pytest.mark.parametrize(
    ("one", "outcome"),
    [
        ({"success": True, "result": {"observed_value": 0}, **FINE}, "passed"),
        ({"success": True, "result": {}, **FINE}, "passed"),
        ({"success": False, "result": {"unexpected_count": 2}, **FINE}, "failed"),
        ({"success": False, "result": {}, **FINE}, "raised"),
        ({"success": None, "result": {"observed_value": 0}, **FINE}, "raised"),
        ({"success": True, "result": {}, "exception_info": {"raised_exception": True}}, "raised"),
        ({"success": False, "exception_info": {"metric": {"raised_exception": True}}}, "raised"),
        ({"success": True, "exception_info": {"metric": "an unknown shape"}}, "raised"),
        ({"success": True, "exception_info": "an unknown shape"}, "raised"),
    ],
)
def test_raised_is_told_from_failed_in_every_shape(one: dict[str, object], outcome: str) -> None:
    assert _judge(one)[0] == outcome
