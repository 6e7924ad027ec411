"""The gate: every way to fool it blocks, and what is held is released only with a reason."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from zhongtai import gate
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError, GateHeldError, ZhongtaiError
from zhongtai.publish import snapshots
from zhongtai.publish.candidates import Candidate, load_candidate
from zhongtai.quality import BALANCE_SUITE, OWN_CHECKS, continuity, list_required
from zhongtai.quality.results import Check, CheckResult, result
from zhongtai.runs import Run, start_run
from zhongtai.settings import Settings

CRITICAL = Check("metrics.a", "keys_are_unique", "critical", "sums would double")
WARNING = Check("metrics.a", "dealers_are_known", "warning", "reports need their names")
INFO = Check("metrics.b", "has_rows", "info", "good to know")
REQUIRED = (CRITICAL, WARNING, INFO)


def passed(*checks: Check) -> list[CheckResult]:
    return [result(check, "passed", "0 rows") for check in checks]


def test_a_clean_candidate_passes() -> None:
    verdict = gate.decide(passed(*REQUIRED), REQUIRED)
    assert verdict.passed
    assert verdict.blocking == verdict.warnings == ()
    assert "3 checks" in verdict.because


def test_a_critical_failure_blocks_and_says_the_number() -> None:
    results = [result(CRITICAL, "failed", "17 rows"), *passed(WARNING, INFO)]
    verdict = gate.decide(results, REQUIRED)
    assert [b.expectation for b in verdict.blocking] == ["keys_are_unique"]
    assert "17 rows" in verdict.because
    assert "sums would double" in verdict.because


def test_a_warning_that_failed_is_told_and_blocks_nothing() -> None:
    results = [*passed(CRITICAL), result(WARNING, "failed", "2"), result(INFO, "failed", "0")]
    verdict = gate.decide(results, REQUIRED)
    assert verdict.passed
    assert [w.expectation for w in verdict.warnings] == ["dealers_are_known", "has_rows"]


@pytest.mark.parametrize("check", REQUIRED, ids=lambda check: check.severity)
def test_a_check_that_raised_blocks_whatever_its_severity(check: Check) -> None:
    others = [other for other in REQUIRED if other != check]
    verdict = gate.decide([result(check, "raised", "no such column"), *passed(*others)], REQUIRED)
    assert [b.expectation for b in verdict.blocking] == [check.expectation]


@pytest.mark.parametrize("check", REQUIRED, ids=lambda check: check.severity)
def test_a_check_that_did_not_run_blocks_whatever_its_severity(check: Check) -> None:
    verdict = gate.decide(passed(*(other for other in REQUIRED if other != check)), REQUIRED)
    assert [(b.expectation, b.outcome) for b in verdict.blocking] == [
        (check.expectation, "missing")
    ]


def test_no_results_at_all_block() -> None:
    assert len(gate.decide([], REQUIRED).blocking) == 3


def test_an_empty_list_of_required_checks_blocks() -> None:
    assert not gate.decide(passed(*REQUIRED), ()).passed


def test_a_result_cannot_lower_the_severity_that_was_declared() -> None:
    lowered = replace(result(CRITICAL, "failed", "17 rows"), severity="info")
    assert not gate.decide([lowered, *passed(WARNING, INFO)], REQUIRED).passed


def test_a_severity_that_nobody_knows_blocks_when_it_fails() -> None:
    odd = replace(CRITICAL, severity="blocker")  # type: ignore[arg-type]
    verdict = gate.decide([result(odd, "failed", "1")], (odd,))
    assert not verdict.passed


def test_an_outcome_that_nobody_knows_is_no_pass() -> None:
    odd = replace(result(CRITICAL, "passed", ""), outcome="PASSED")  # type: ignore[arg-type]
    verdict = gate.decide([odd, *passed(WARNING, INFO)], REQUIRED)
    assert [b.outcome for b in verdict.blocking] == ["raised"]


def test_of_two_results_for_one_check_the_worse_counts() -> None:
    results = [*passed(*REQUIRED), result(CRITICAL, "failed", "17 rows")]
    assert not gate.decide(results, REQUIRED).passed
    assert not gate.decide(results[::-1], REQUIRED).passed


def test_a_result_of_a_check_that_nobody_required_blocks() -> None:
    for outcome in ("failed", "passed"):
        unknown = CheckResult("metrics.z", "anything", "info", outcome, "1", "unknown table")  # type: ignore[arg-type]
        assert not gate.decide([*passed(*REQUIRED), unknown], REQUIRED).passed


def test_a_table_without_a_suite_is_required_to_have_one() -> None:
    required = list_required((), ["metrics.new_table"])
    results = passed(*(own.check for own in OWN_CHECKS), continuity.CHECK)
    verdict = gate.decide(results, required)
    assert [b.expectation for b in verdict.blocking] == ["metrics.new_table"]


def test_only_balance_cannot_be_released() -> None:
    balance = Check(BALANCE_SUITE, "every_delivery_balances", "critical", "rows were lost")
    required = (CRITICAL, balance)
    held = gate.decide([result(CRITICAL, "failed", "1"), *passed(balance)], required)
    assert not held.passed
    assert held.can_be_released
    for outcome in ("failed", "raised", "missing"):
        unbalanced = [result(balance, outcome, "1"), *passed(CRITICAL)]  # type: ignore[arg-type]
        assert not gate.decide(unbalanced, required).can_be_released
    assert not gate.decide(passed(CRITICAL), required).can_be_released


def test_the_own_checks_cover_balance_dbt_reconciliation_privacy_and_drift() -> None:
    suites = {own.check.suite for own in OWN_CHECKS}
    assert suites == {"balance", "dbt", "reconciliation", "personal_data", "drift"}
    names = [(own.check.suite, own.check.expectation) for own in OWN_CHECKS]
    assert len(names) == len(set(names))
    assert all(own.check.severity == "critical" for own in OWN_CHECKS if own.check.suite != "drift")


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as opened:
        yield opened


@pytest.fixture
def candidate(connection: psycopg.Connection) -> Candidate:
    run = start_run(connection, "test", datetime(2026, 3, 31, 16, tzinfo=UTC))
    return store_candidate(connection, run)


def store_candidate(connection: psycopg.Connection, run: Run) -> Candidate:
    connection.execute(
        "insert into publication.candidates (snapshot_id, run_id, as_of, input_fingerprint,"
        " identity_version, inputs_at) values ('s1', %s, %s, 'f', 'v', %s)",
        [run.run_id, run.as_of, run.started_at],
    )
    return load_candidate(connection, run_id=run.run_id)


def hold(connection: psycopg.Connection, candidate: Candidate, check: Check = CRITICAL) -> None:
    verdict = gate.decide([result(check, "failed", "17 rows")], (check,))
    gate.hold(connection, candidate, verdict)


def one(connection: psycopg.Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def test_a_held_candidate_is_a_held_snapshot_with_its_reason(
    connection: psycopg.Connection, candidate: Candidate
) -> None:
    hold(connection, candidate)
    assert one(connection, "select state from ledger.snapshots") == "held"
    assert "17 rows" in one(connection, "select because from ledger.snapshots")
    assert load_candidate(connection).verdict == "held"


def test_what_readers_see_stays_published_when_it_is_checked_again(
    connection: psycopg.Connection, candidate: Candidate
) -> None:
    gate.accept(connection, candidate, gate.decide(passed(CRITICAL), (CRITICAL,)))
    snapshots.record(connection, candidate, "published")
    hold(connection, candidate)
    assert one(connection, "select state from ledger.snapshots") == "published"
    assert load_candidate(connection).verdict == "passed"
    assert one(connection, "select count(*) from ledger.gate_verdicts") == 2


def test_a_passed_candidate_may_be_published_and_cannot_be_held(
    connection: psycopg.Connection, candidate: Candidate
) -> None:
    verdict = gate.decide(passed(CRITICAL), (CRITICAL,))
    with pytest.raises(ValueError, match="nothing to hold"):
        gate.hold(connection, candidate, verdict)
    gate.accept(connection, candidate, verdict)
    assert load_candidate(connection).verdict == "passed"


def test_a_blocked_candidate_cannot_be_accepted(
    connection: psycopg.Connection, candidate: Candidate
) -> None:
    verdict = gate.decide([], (CRITICAL,))
    with pytest.raises(ValueError, match="is blocked"):
        gate.accept(connection, candidate, verdict)
    assert load_candidate(connection).verdict is None


def test_a_release_records_its_reason(
    settings: Settings, connection: psycopg.Connection, candidate: Candidate
) -> None:
    hold(connection, candidate)
    released = gate.release(settings, "the dealer confirmed the numbers")
    assert released.verdict == "released"
    assert load_candidate(connection).because == "the dealer confirmed the numbers"
    verdicts = connection.execute(
        "select verdict, because from ledger.gate_verdicts order by sequence"
    ).fetchall()
    assert [v[0] for v in verdicts] == ["held", "released"]


def test_a_release_without_a_reason_is_refused(
    settings: Settings, connection: psycopg.Connection, candidate: Candidate
) -> None:
    hold(connection, candidate)
    with pytest.raises(ConfigurationError, match="needs a reason"):
        gate.release(settings, "  ")
    assert load_candidate(connection).verdict == "held"


def test_a_candidate_out_of_balance_is_never_released(
    settings: Settings, connection: psycopg.Connection, candidate: Candidate
) -> None:
    hold(connection, candidate, Check(BALANCE_SUITE, "every_delivery_balances", "critical", "lost"))
    with pytest.raises(GateHeldError, match="out of balance: balance / every_delivery_balances"):
        gate.release(settings, "we know")
    assert load_candidate(connection).verdict == "held"


def test_what_is_not_held_cannot_be_released(settings: Settings, candidate: Candidate) -> None:
    with pytest.raises(ZhongtaiError, match="is not held"):
        gate.release(settings, "just in case")
