"""Continuity: the gate asks at least what it asked of the snapshot that readers see."""

from collections.abc import Sequence

import psycopg

from zhongtai.quality.results import SEVERITIES, Check, CheckResult, result

CHECK = Check(
    "gate",
    "no_check_is_gone_or_weaker",
    "critical",
    "a gate that asks less than the last one lets through what nobody looks at any more; where that"
    " is meant a person says so, by a release",
)
_SHOWN = 10


def compare(ledger: psycopg.Connection, required: Sequence[Check]) -> CheckResult:
    """Whether what was required of the snapshot that readers see is required still, as strictly."""
    before = ledger.execute(
        "select suite, expectation, severity from ledger.gate_results where run_id = ("
        " select s.run_id from ledger.snapshots s join publication.pointer using (snapshot_id))"
        " order by 1, 2"
    ).fetchall()
    now = {(check.suite, check.expectation): check.severity for check in required}
    wrong = []
    for suite, expectation, severity in before:
        current = now.get((suite, expectation))
        if current is None:
            wrong.append(f"{suite} / {expectation} is gone")
        elif SEVERITIES.index(current) > SEVERITIES.index(severity):
            wrong.append(f"{suite} / {expectation} was {severity}, is {current}")
    if not before:
        return result(CHECK, "passed", "nothing is published yet to compare with")
    more = [f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
    told = "; ".join([f"{len(before)} checks before, {len(now)} now", *wrong[:_SHOWN], *more])
    return result(CHECK, "failed" if wrong else "passed", told)
