"""The quality checks of a candidate: suites by Great Expectations, and our own over the ledger."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from zhongtai.access import PUBLISHER
from zhongtai.crash_points import reach
from zhongtai.database import connect
from zhongtai.errors import ZhongtaiError
from zhongtai.quality import balance, continuity, drift, privacy, reconciliation
from zhongtai.quality.page import write_page
from zhongtai.quality.results import Check, CheckResult, Evidence, OwnCheck, result
from zhongtai.quality.suites import Suite, load_suites
from zhongtai.runs import Run
from zhongtai.settings import Settings
from zhongtai.warehouse import open_build

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = [
    "Check",
    "CheckResult",
    "check_balance",
    "check_candidate",
    "docs_page",
    "required_checks",
]

OWN_CHECKS: tuple[OwnCheck, ...] = (
    *balance.CHECKS,
    *reconciliation.CHECKS,
    *privacy.CHECKS,
    *drift.CHECKS,
)
BALANCE_SUITE = balance.SUITE
_SUITES = "suites"
_KEPT_PAGES = 30


def check_candidate(settings: Settings, run: Run) -> list[CheckResult]:
    """Make every check over build.duckdb, read only; the results, also kept in the ledger.

    `run` is the one that built the candidate. The page is `docs_page(settings, run_id)`. A check
    that cannot be made gives a result that says so; raises ConfigurationError for a suite that
    cannot be read, ZhongtaiError where the working file says that another run built it. The caller
    holds no connection to the file.
    """
    suites = load_suites(settings.project_dir)
    with connect(settings.acting_as(PUBLISHER)) as ledger:
        with open_build(settings, read_only=True) as warehouse:
            as_of = _read_as_of(warehouse, run)
            tables = published_tables(warehouse_tables(warehouse))
            evidence = Evidence(settings, warehouse, ledger, run.run_id)
            results = [check.run(evidence) for check in OWN_CHECKS]
            _record_measures(evidence, results)
        docs = _fresh_folder(settings, run.run_id)
        results.append(continuity.compare(ledger, list_required(suites, tables)))
        results += _suite_results(suites, tables)
        results += _expectation_results(settings, suites, tables, docs / "great_expectations")
        _record_results(ledger, run.run_id, results)
        write_page(docs, run.run_id, f"{as_of} UTC", results)
    return results


def check_balance(settings: Settings) -> list[CheckResult]:
    """Make the checks of balance over the ledger and the files as they are now; nothing is kept."""
    from zhongtai.publish.duckdb_store import open_engine

    # they look at no candidate
    with connect(settings.acting_as(PUBLISHER)) as ledger, open_engine(settings) as engine:
        evidence = Evidence(settings, engine, ledger, "")
        return [check.run(evidence) for check in balance.CHECKS]


def _read_as_of(warehouse: "DuckDBPyConnection", run: Run) -> str:
    """The instant that the candidate was built as of.

    Raises ZhongtaiError unless `run` built it: the results of another run would let it pass.
    """
    row = warehouse.execute(
        "select run_id, cast(as_of as varchar) from meta.run_context"
    ).fetchone()
    if row is None or row[0] != run.run_id:
        raise ZhongtaiError(
            f"the working file says that run {row and row[0]} built it, expected {run.run_id}",
            hint="run `zhongtai run` again: the working file is built anew",
        )
    return str(row[1])


def required_checks(settings: Settings) -> tuple[Check, ...]:
    """What every candidate must have gone through, from the suites, its tables and our own list.

    Derived anew and apart from the results, so that a check that was skipped is missed.
    """
    suites = load_suites(settings.project_dir)
    with open_build(settings, read_only=True) as warehouse:
        tables = published_tables(warehouse_tables(warehouse))
    return list_required(suites, tables)


def list_required(suites: Sequence[Suite], tables: Iterable[str]) -> tuple[Check, ...]:
    """The required checks for these suites and these published tables (`<store>.<name>`)."""
    of_tables = {check for table in tables for check in [_suite_check(table)]}
    of_suites = {_suite_check(suite.table) for suite in suites}
    return (
        *(own.check for own in OWN_CHECKS),
        continuity.CHECK,
        *sorted(of_tables | of_suites, key=lambda check: check.expectation),
        *(check for suite in suites for check in suite.checks),
    )


def docs_page(settings: Settings, run_id: str) -> Path:
    """Where the page of a run's gate is."""
    return settings.path("docs", run_id, "index.html")


def published_tables(tables: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """`<store>.<name>` of the tables that a publish would take."""
    return tuple(
        f"{schema}.{name}"
        for schema, name in sorted(tables)
        if schema in ("metrics", "profiles") and "__dbt_" not in name
    )


def warehouse_tables(warehouse: "DuckDBPyConnection") -> list[tuple[str, str]]:
    """Schema and name of every table of the candidate."""
    rows = warehouse.execute("select schema_name, table_name from duckdb_tables()").fetchall()
    return [(str(schema), str(name)) for schema, name in rows]


def _suite_check(table: str) -> Check:
    return Check(
        _SUITES,
        table,
        "critical",
        "every published table has a suite with expectations, and every suite its table",
    )


def _suite_results(suites: Sequence[Suite], tables: Sequence[str]) -> list[CheckResult]:
    """For every table and every suite: whether the other is there and says something."""
    by_table = {suite.table: suite for suite in suites}
    results = []
    for table in sorted({*tables, *by_table}):
        suite = by_table.get(table)
        lacks = _say_lack(table, suite, tables)
        observed = lacks or f"{len(suite.expectations) if suite else 0} expectations"
        results.append(result(_suite_check(table), "missing" if lacks else "passed", observed))
    return results


def _say_lack(table: str, suite: Suite | None, tables: Sequence[str]) -> str:
    if suite is None:
        return f"no expectations/published/{table.split('.')[1]}.yml"
    if table not in tables:
        return f"the candidate has no table {table}"
    return "" if suite.expectations else f"{suite.file.name} has no expectation"


def _expectation_results(
    settings: Settings, suites: Sequence[Suite], tables: Sequence[str], docs: Path
) -> list[CheckResult]:
    from zhongtai.quality.expectations import run_suites

    return run_suites(settings, suites, tables, docs)


def _record_measures(evidence: Evidence, results: Sequence[CheckResult]) -> None:
    """Keep the measures for later runs, where they could be taken at all."""
    if any(r.suite == drift.SUITE and r.outcome == "raised" for r in results):
        return
    drift.record(evidence.ledger, evidence.build_run_id, evidence.drift.measures)


def _record_results(
    ledger: psycopg.Connection, run_id: str, results: Sequence[CheckResult]
) -> None:
    with ledger.transaction():
        ledger.execute("delete from ledger.gate_results where run_id = %s", [run_id])
        # of two results for one check the worse one is kept
        for one in sorted(results, key=lambda one: one.outcome == "passed"):
            ledger.execute(
                "insert into ledger.gate_results"
                " (run_id, suite, expectation, severity, outcome, observed, because)"
                " values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
                [
                    run_id, one.suite, one.expectation, one.severity, one.outcome, one.observed,
                    one.because,
                ],
            )  # fmt: skip
    reach("check.results_recorded")


def _fresh_folder(settings: Settings, run_id: str) -> Path:
    """An empty docs folder for the run; the pages of the oldest runs make room."""
    root = settings.path("docs")
    root.mkdir(parents=True, exist_ok=True)
    folder = root / run_id
    shutil.rmtree(folder, ignore_errors=True)
    # run ids begin with the time of the run
    others = sorted(f for f in root.iterdir() if f.is_dir() and (f / "index.html").exists())
    for old in others[: max(0, len(others) - _KEPT_PAGES + 1)]:
        shutil.rmtree(old)
    folder.mkdir()
    reach("check.page_cleared")
    return folder
