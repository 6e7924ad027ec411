"""Ways to fool the gate: what is done to the candidate, the ledger, the checks or the verdict."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from gate_cases import SECOND, GateWorld, build_next, refused

from candidate_cases import TEST_NODE
from zhongtai import gate, pipeline, quality
from zhongtai.database import connect
from zhongtai.ingest import parts
from zhongtai.publish.candidates import load_candidate
from zhongtai.quality.results import CheckResult

Sabotage = Callable[[GateWorld, pytest.MonkeyPatch], None]
_OTHER_RUN = (
    "insert into ledger.runs (run_id, command, as_of) values ('other', 'build', now());"
    "insert into ledger.node_results select 'other', node, resource_type, status, seconds"
    " from ledger.node_results where run_id = '{run}'"
)


def ledger(*statements: str) -> Sabotage:
    """Statements over the database, before the check; {run} is the run of the candidate."""
    return lambda world, _: world.ledger(
        *(s.replace("{run}", world.run.run_id) for s in statements)
    )


def build(*statements: str) -> Sabotage:
    """Statements over the working file."""
    return lambda world, _: world.build(*statements)


def results(change: Callable[[list[CheckResult]], list[CheckResult]]) -> Sabotage:
    """A change of what the check says."""

    def spoil(_: GateWorld, patch: pytest.MonkeyPatch) -> None:
        check = quality.check_candidate
        patch.setattr(quality, "check_candidate", lambda *given: change(check(*given)))

    return spoil


def suite(table: str, old: str, new: str) -> Sabotage:
    """A change of a suite."""

    def spoil(world: GateWorld, _: pytest.MonkeyPatch) -> None:
        text = world.suite(table).read_text()
        assert old in text
        world.suite(table).write_text(text.replace(old, new))

    return spoil


def drop_suite(world: GateWorld, _: pytest.MonkeyPatch) -> None:
    world.suite("dim_users").unlink()


def swap_suites(world: GateWorld, _: pytest.MonkeyPatch) -> None:
    shutil.copy(world.suite("dim_users"), world.suite("dim_user_tags"))


def skip_own_checks(_: GateWorld, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quality, "OWN_CHECKS", ())


def require_nothing(_: GateWorld, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(quality, "required_checks", lambda _: ())


def lose_part(world: GateWorld, _: pytest.MonkeyPatch) -> None:
    world.part().unlink()


def lose_quarantine(world: GateWorld, _: pytest.MonkeyPatch) -> None:
    shutil.rmtree(world.settings.home / "quarantine")


def lose_manifest(world: GateWorld, _: pytest.MonkeyPatch) -> None:
    world.settings.path("dbt", "target", "manifest.json").unlink()


def borrow_a_run(world: GateWorld, _: pytest.MonkeyPatch) -> None:
    """The nodes of this run failed; the file says that another one built it."""
    for statement in _OTHER_RUN.format(run=world.run.run_id).split(";"):
        world.ledger(statement)
    world.ledger(
        f"update ledger.node_results set status = 'error' where run_id = '{world.run.run_id}'"
    )
    world.build("update meta.run_context set run_id = 'other'")


def raise_in_a_check(_: GateWorld, patch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    patch.setattr(parts.Lake, "inspect", fail)


def gates_of_another_run(world: GateWorld, patch: pytest.MonkeyPatch) -> None:
    """The results of the last snapshot are handed in for this candidate, which is not looked at."""
    with connect(world.settings) as connection:
        rows = connection.execute(
            "select suite, expectation, severity, 'failed', observed, because"
            " from ledger.gate_results where suite <> 'balance'"
        ).fetchall()
    patch.setattr(quality, "check_candidate", lambda *_: [CheckResult(*row) for row in rows])


BEFORE: Mapping[str, Sabotage] = {
    # the ledger and what it stands for
    "balance tampered": ledger(
        "alter table ledger.deliveries drop constraint balance",
        "update ledger.deliveries set rows_in = rows_in + 1",
    ),
    "ledger rows deleted": ledger("delete from ledger.parts", "delete from ledger.deliveries"),
    "parts deleted from the ledger": ledger("delete from ledger.parts"),
    "a raw part lost": lose_part,
    "rows set aside lost": lose_quarantine,
    "fewer rows said to be loaded": ledger("update ledger.parts set rows = rows - 1"),
    "a check raises": raise_in_a_check,
    # what dbt did
    "no node recorded": ledger("delete from ledger.node_results where run_id = '{run}'"),
    "a node errored": ledger(
        "update ledger.node_results set status = 'error' where run_id = '{run}'"
        " and node like '%dim_users'"
    ),
    "a node skipped": ledger(
        "update ledger.node_results set status = 'skipped' where run_id = '{run}'"
        " and node like '%dim_dates'"
    ),
    "a status nobody knows": ledger(
        "update ledger.node_results set status = 'Success!' where run_id = '{run}'"
        " and node like '%dim_dates'"
    ),
    "a step left out": ledger(
        "delete from ledger.node_results where run_id = '{run}' and node like '%metrics_%'"
    ),
    "a dbt test left out": ledger(
        f"delete from ledger.node_results where run_id = '{{run}}' and node = '{TEST_NODE}'"
    ),
    "no list of nodes": lose_manifest,
    "the nodes of another run": borrow_a_run,
    # the candidate
    "a table emptied": build("delete from metrics.dim_dates"),
    "a table dropped": build("drop table metrics.dim_dates"),
    "a table without a suite": build("create table metrics.metrics_news as select 1 as n"),
    "rows lost on the way": build(
        "delete from profiles.bridge_user_records where record_key = 'L2'"
    ),
    "a lead counted twice": build("update metrics.metrics_lead_funnel_daily set leads_created = 3"),
    "another ledger published": build("update metrics.meta_ledger set rows_in = 1"),
    "a phone number in metrics": build(
        "update metrics.metrics_tag_daily set tag_id = 'call 13912345678'"
    ),
    "a person's key in metrics": build("alter table metrics.dim_dates add column one_id varchar"),
    "another build in the file": build("update meta.candidate set snapshot_id = 'other'"),
    "an unfinished build": build("drop table meta.candidate"),
    # the checks
    "a suite removed": drop_suite,
    "a suite without expectations": suite("dim_users", "expectations:", "expectations: []\nx:"),
    "a suite of another table": swap_suites,
    "a suite for another table": suite("dim_users", "profiles.dim_users", "profiles.dim_user_tags"),
    "a check renamed": suite("dim_users", "columns_are_there", "columns_are_fine"),
    "a severity lowered": suite("dim_users", "critical", "warning"),
    "our own checks left out": skip_own_checks,
    "the list of required checks emptied": require_nothing,
    "results emptied": results(lambda _: []),
    "a suite skipped": results(lambda all_: [r for r in all_ if r.suite != "profiles.dim_users"]),
    "balance skipped": results(lambda all_: [r for r in all_ if r.suite != "balance"]),
    "fewer results than checks": results(lambda all_: all_[:-1]),
    "results of checks nobody asked for": results(
        lambda all_: [*all_, CheckResult("x", "y", "info", "failed", "", "")]
    ),
    "results twice, one of them bad": results(
        lambda all_: [*all_, CheckResult(*_fields(all_[0], outcome="failed"))]
    ),
    "an outcome nobody knows": results(
        lambda all_: [CheckResult(*_fields(r, outcome="PASSED")) for r in all_]
    ),
    "results of another run": gates_of_another_run,
}


def _fields(one: CheckResult, outcome: str) -> tuple[Any, ...]:
    return one.suite, one.expectation, one.severity, outcome, one.observed, one.because


def swap_file_and_back(world: GateWorld) -> None:
    """A sound copy is looked at; what stood there before comes back after it."""
    file = world.settings.warehouse_file
    kept = file.with_name("kept.duckdb")
    file.rename(kept)
    shutil.copy(kept, file)
    file.unlink()
    kept.rename(file)


def empty_the_suites(world: GateWorld) -> None:
    for file in world.suite("x").parent.glob("*.yml"):
        file.write_text(file.read_text().split("expectations:")[0] + "expectations: []\n")


def die(_: GateWorld) -> None:
    raise KeyboardInterrupt


DURING: Mapping[str, Callable[[GateWorld], None]] = {
    "a table changed during the audit": lambda w: w.build(
        "insert into metrics.dim_dates (date) values (null)"
    ),
    "a table changed and changed back": lambda w: w.build(
        "update metrics.dim_dates set share = share + 1",
        "update metrics.dim_dates set share = share - 1",
    ),
    "another file audited": swap_file_and_back,
    "suites emptied during the audit": empty_the_suites,
    "another candidate sealed during the audit": lambda w: w.build(
        "update meta.candidate set snapshot_id = 'other'"
    ),
}


def check_again_and_die(world: GateWorld) -> None:
    """The second check, of something else, is killed before it says anything."""
    world.build("update metrics.dim_dates set share = 0")
    world.during = lambda: die(world)
    with pytest.raises(KeyboardInterrupt):
        world.check()


def check_again(world: GateWorld) -> None:
    world.build("delete from metrics.meta_ledger")
    assert not world.check()


def swap_file(world: GateWorld) -> None:
    file = world.settings.warehouse_file
    other = shutil.copy(file, file.with_name("other.duckdb"))
    world.build("update metrics.dim_dates set share = 0")
    shutil.copy(file, other)
    Path(other).replace(file)


def replace_build(world: GateWorld) -> None:
    build_next(world.settings, SECOND)


def forge_hashes(world: GateWorld) -> None:
    """The recorded content is made that of a tampered table."""
    world.build("update metrics.dim_dates set share = 0")
    with connect(world.settings, autocommit=True) as connection:
        from zhongtai.publish import duckdb_store
        from zhongtai.publish.candidates import record_content

        candidate = load_candidate(connection, run_id=world.run.run_id)
        _, hashes = duckdb_store.hash_candidate(world.settings, candidate)
        record_content(connection, candidate, hashes)
        connection.execute("update publication.candidates set verdict = 'passed'")


AFTER: Mapping[str, Callable[[GateWorld], None]] = {
    "a row changed after the audit": lambda w: w.build(
        "update profiles.dim_users set one_id = 'u_9' where one_id = 'u_2'"
    ),
    "a fraction changed in its last digit": lambda w: w.build(
        "update metrics.dim_dates set share = share + 1e-9"
    ),
    "a row added": lambda w: w.build("insert into metrics.dim_dates values (null, null)"),
    "a row removed": lambda w: w.build("delete from metrics.dim_dates where share = 0"),
    "a column renamed": lambda w: w.build(
        "alter table metrics.metrics_complaint_daily rename accepted to accepted_2"
    ),
    "a column retyped": lambda w: w.build(
        "alter table metrics.metrics_complaint_daily alter accepted type integer"
    ),
    "a table added": lambda w: w.build("create table metrics.metrics_news as select 1 as n"),
    "a table removed": lambda w: w.build("drop table metrics.dim_dates"),
    "two tables swapped": lambda w: w.build(
        "alter table profiles.dim_users rename to spare",
        "alter table profiles.dim_user_tags rename to dim_users",
        "alter table profiles.spare rename to dim_user_tags",
        "insert into profiles.dim_users values ('u_3')",
    ),
    "the file swapped": swap_file,
    "the build replaced": replace_build,
    "checked again, killed halfway": check_again_and_die,
    "checked again and held": check_again,
    "hashes forged": forge_hashes,
    "the verdict taken back": lambda w: w.ledger(
        "insert into ledger.gate_verdicts (snapshot_id, run_id, verdict, can_be_released, because)"
        " select snapshot_id, run_id, 'held', true, 'wait' from publication.candidates"
    ),
    "the verdict of other content": lambda w: w.ledger(
        "update ledger.gate_verdicts set audited_hash = 'f' || audited_hash"
    ),
    "no verdict in the ledger": lambda w: w.ledger("delete from ledger.gate_verdicts"),
}


def hold(world: GateWorld, *statements: str) -> None:
    """Let the gate hold the candidate, for a reason that may be released."""
    world.build(*(statements or ("insert into metrics.metrics_complaint_daily values (1)",)))
    assert not world.check()


def release(world: GateWorld) -> None:
    pipeline.release(world.settings, "we know better")


def forge_pass(world: GateWorld) -> None:
    hold(world)
    world.ledger("update publication.candidates set verdict = 'passed'")
    world.publish()


def forge_release(world: GateWorld) -> None:
    hold(world)
    world.ledger("update publication.candidates set verdict = 'released'")
    world.publish()


def publish_held(world: GateWorld) -> None:
    hold(world)
    world.publish()


def release_unbalanced(world: GateWorld) -> None:
    world.part().unlink()
    assert not world.check()
    release(world)


def release_unbalanced_with_a_forged_flag(world: GateWorld) -> None:
    part = world.part()
    kept = part.rename(part.with_suffix(".kept"))
    assert not world.check()
    kept.rename(part)
    world.ledger("update ledger.gate_verdicts set can_be_released = true")
    release(world)


def release_what_lost_rows_since(world: GateWorld) -> None:
    hold(world)
    world.part().unlink()
    release(world)


def release_changed(world: GateWorld) -> None:
    hold(world)
    world.build("update metrics.dim_dates set share = 0")
    told = refused(lambda: release(world))
    assert "changed after it was checked" in told
    with connect(world.settings) as connection:
        assert load_candidate(connection, run_id=world.run.run_id).verdict == "held"
    world.publish()


def release_replaced(world: GateWorld) -> None:
    hold(world)
    build_next(world.settings, SECOND)
    release(world)


def release_another(world: GateWorld) -> None:
    hold(world)
    pipeline.release(world.settings, "the other one", snapshot_id=world.shown)


def release_without_a_reason(world: GateWorld) -> None:
    hold(world)
    pipeline.release(world.settings, " ")


def release_while_it_is_checked(world: GateWorld) -> None:
    """The check that is under way finds rows lost; the release came while it looked."""
    hold(world)
    world.part().unlink()
    world.during = lambda: _release_quietly(world)
    assert not world.check()
    world.publish()


def _release_quietly(world: GateWorld) -> None:
    refused(lambda: gate.release(world.settings, "in passing"))


def turn_the_clock_back(world: GateWorld) -> None:
    """An earlier candidate that passed seems to be the last; the file holds one that is held."""
    assert world.check()
    later = build_next(world.settings, SECOND)
    world.build("delete from metrics.meta_ledger")
    assert not pipeline.check(world.settings, later.run_id).passed
    world.ledger(
        "update publication.candidates set sealed_at = now() + interval '1 year'"
        f" where run_id = '{world.run.run_id}'"
    )
    pipeline.publish(world.settings)


SCENES: Mapping[str, Callable[[GateWorld], None]] = {
    "not checked": lambda w: w.publish() and None,
    "held": publish_held,
    "a verdict forged": forge_pass,
    "a release forged": forge_release,
    "released out of balance": release_unbalanced,
    "released out of balance by a forged flag": release_unbalanced_with_a_forged_flag,
    "released after rows were lost": release_what_lost_rows_since,
    "released and changed": release_changed,
    "released and replaced": release_replaced,
    "another one released": release_another,
    "released without a reason": release_without_a_reason,
    "released while it is checked": release_while_it_is_checked,
    "the clock turned back": turn_the_clock_back,
}
