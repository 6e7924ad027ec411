"""The gate: from the results of the checks to a verdict, and what becomes of the candidate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import psycopg

from zhongtai.access import PUBLISHER
from zhongtai.crash_points import reach
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError, GateHeldError, ZhongtaiError
from zhongtai.publish import snapshots
from zhongtai.publish.candidates import Candidate, load_candidate, record_verdict
from zhongtai.publish.content import audited_hash
from zhongtai.quality import BALANCE_SUITE, Check, CheckResult, check_balance
from zhongtai.quality.results import OUTCOMES, Outcome, result
from zhongtai.settings import Settings

_WORST_FIRST: tuple[Outcome, ...] = ("raised", "failed", "missing", "passed")
_SHOWN = 10


@dataclass(frozen=True)
class Verdict:
    """What the gate says. `blocking` keeps the candidate back, `warnings` are for a person."""

    blocking: tuple[CheckResult, ...]
    warnings: tuple[CheckResult, ...]
    checks: int

    @property
    def passed(self) -> bool:
        """Whether the candidate may be published."""
        return not self.blocking

    @property
    def can_be_released(self) -> bool:
        """Whether a person may publish it nevertheless; never where rows are out of balance."""
        return all(blocked.suite != BALANCE_SUITE for blocked in self.blocking)

    @property
    def because(self) -> str:
        """The verdict in words, with the numbers of what blocks."""
        if self.passed:
            return f"{self.checks} checks, none blocks, {len(self.warnings)} to look at"
        lines = [describe_result(blocked) for blocked in self.blocking[:_SHOWN]]
        more = len(self.blocking) - _SHOWN
        lines += [f"and {more} more"] if more > 0 else []
        return f"{len(self.blocking)} of {self.checks} checks block:\n  " + "\n  ".join(lines)


def describe_result(one: CheckResult) -> str:
    """One result in a line."""
    return f"{one.suite} / {one.expectation} {one.outcome}: {one.observed} ({one.because})"


def decide(results: Iterable[CheckResult], required: Sequence[Check]) -> Verdict:
    """The verdict over the results, measured against the list of required checks.

    A check that raised or is missing blocks whatever its severity: nobody knows what it would have
    said. One that failed blocks where it is critical. The severity is the required list's, not the
    result's. A result that nothing required blocks, also where it passed: the list is not the one
    that the checks were made by.
    """
    found: dict[tuple[str, str], list[CheckResult]] = {}
    for one in results:
        found.setdefault((one.suite, one.expectation), []).append(one)
    judged = [_judge(check, found.pop((check.suite, check.expectation), [])) for check in required]
    for unknown in found.values():
        judged += [_object(one) for one in unknown]
    if not required:
        nothing = Check("gate", "required_checks", "critical", "a gate without checks lets all in")
        judged.append(result(nothing, "missing", "no check is required"))
    blocking = tuple(one for one in judged if _blocks(one))
    warnings = tuple(one for one in judged if one.outcome != "passed" and not _blocks(one))
    return Verdict(blocking, warnings, len(judged))


def hold(connection: psycopg.Connection, candidate: Candidate, verdict: Verdict) -> None:
    """Keep a candidate back: readers go on with the last snapshot.

    A candidate that readers see already stays what it is; the verdict is kept beside it. Raises
    ValueError for a verdict that passed.
    """
    if verdict.passed:
        raise ValueError(f"candidate {candidate.snapshot_id} passed; there is nothing to hold")
    with connection.transaction():
        _record(connection, candidate, "held", verdict)
        if snapshots.is_shown(connection, candidate.snapshot_id):
            return
        record_verdict(connection, candidate, "held", verdict.because)
        snapshots.record(connection, candidate, "held", verdict.because)
    reach("check.held")


def accept(connection: psycopg.Connection, candidate: Candidate, verdict: Verdict) -> None:
    """Let a candidate be published. Raises ValueError for a verdict that blocks."""
    if not verdict.passed:
        raise ValueError(f"candidate {candidate.snapshot_id} is blocked: {verdict.because}")
    with connection.transaction():
        record_verdict(connection, candidate, "passed", "publish")
        _record(connection, candidate, "passed", verdict)
    reach("check.accepted")


def release(settings: Settings, because: str, snapshot_id: str | None = None) -> Candidate:
    """Allow a held candidate (the last one by default) to be published; it is returned.

    Raises ZhongtaiError without a reason, when the candidate is not held, or when it is out of
    balance, then or now: that is never released.
    """
    reason = because.strip()
    if not reason:
        raise ConfigurationError("a release needs a reason", hint='zhongtai release --because "…"')
    with connect(settings.acting_as(PUBLISHER)) as connection:
        candidate = load_candidate(connection, snapshot_id=snapshot_id)
        # whoever checks it or releases it as well waits, and finds what was said here
        connection.execute(
            "select 1 from publication.candidates where snapshot_id = %s for update",
            [candidate.snapshot_id],
        )
        candidate = load_candidate(connection, snapshot_id=candidate.snapshot_id)
        row = connection.execute(
            "select verdict, blocking, can_be_released, audited_hash from ledger.gate_verdicts"
            " where snapshot_id = %s order by sequence desc limit 1",
            [candidate.snapshot_id],
        ).fetchone()
        verdict, blocking, can_be_released, audited = row or (None, (), False, None)
        if candidate.verdict != "held" or verdict != "held":
            raise ZhongtaiError(
                f"candidate {candidate.snapshot_id} is not held"
                f" (verdict: {candidate.verdict or 'not checked'})",
                hint="zhongtai status shows what is held",
            )
        if audited != audited_hash(candidate.tables):
            raise ZhongtaiError(
                f"candidate {candidate.snapshot_id} is not what the gate held any more",
                hint="run `zhongtai check` again",
            )
        _refuse_unbalanced(settings, candidate, blocking, can_be_released)
        record_verdict(connection, candidate, "released", reason)
        connection.execute(
            "insert into ledger.gate_verdicts"
            " (snapshot_id, run_id, verdict, blocking, can_be_released, because, audited_hash)"
            " values (%s, %s, 'released', %s, true, %s, %s)",
            [candidate.snapshot_id, candidate.run_id, blocking, reason, audited],
        )
        reach("check.released")
    return replace(candidate, verdict="released", because=reason)


def _refuse_unbalanced(
    settings: Settings, candidate: Candidate, blocking: Sequence[str], can_be_released: bool
) -> None:
    """Raise GateHeldError where rows were lost when it was held, or are by now."""
    unbalanced = [name for name in blocking if name.startswith(f"{BALANCE_SUITE} / ")]
    unbalanced += [
        f"{one.suite} / {one.expectation}"
        for one in check_balance(settings)
        if one.outcome != "passed"
    ]
    if unbalanced or not can_be_released:
        named = ", ".join(dict.fromkeys(unbalanced)) or "by its verdict"
        raise GateHeldError(
            f"candidate {candidate.snapshot_id} is out of balance: {named}",
            hint="a balance failure is never released: find the rows, then run again",
        )


def _judge(check: Check, found: Sequence[CheckResult]) -> CheckResult:
    """What became of a required check: the worst of its results; none is missing."""
    if not found:
        return result(check, "missing", "the check did not run")
    worst = min(found, key=lambda one: _rank(one.outcome))
    outcome: Outcome = worst.outcome if worst.outcome in OUTCOMES else "raised"
    return result(check, outcome, worst.observed)


def _object(one: CheckResult) -> CheckResult:
    """What becomes of a result that nothing required."""
    if one.outcome != "passed":
        return replace(one, severity="critical")
    return replace(one, severity="critical", outcome="raised", observed="nothing requires it")


def _rank(outcome: str) -> int:
    # an outcome that nobody knows is no pass
    return _WORST_FIRST.index(outcome) if outcome in OUTCOMES else 0


def _blocks(one: CheckResult) -> bool:
    if one.outcome == "passed":
        return False
    return one.outcome != "failed" or one.severity not in ("warning", "info")


def _record(
    connection: psycopg.Connection,
    candidate: Candidate,
    decision: str,
    verdict: Verdict,
) -> None:
    connection.execute(
        "insert into ledger.gate_verdicts"
        " (snapshot_id, run_id, verdict, blocking, can_be_released, because, audited_hash)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        [
            candidate.snapshot_id, candidate.run_id, decision,
            [f"{one.suite} / {one.expectation}" for one in verdict.blocking],
            verdict.can_be_released, verdict.because, audited_hash(candidate.tables),
        ],
    )  # fmt: skip
