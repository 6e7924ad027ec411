"""What is resolved from step to step equals what one full run resolves, whatever happens."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from identity_histories import (
    DAYS,
    MATCHED,
    Histories,
    Told,
    World,
    histories,
    with_low_limits,
    with_matching,
)
from person_cases import Named

# `make fuzz` asks for thousands. In parts, so that two can run side by side.
EXAMPLES = int(os.environ.get("ZHONGTAI_FUZZ_EXAMPLES", "300"))
PARTS = 6

PUBLISHED = st.lists(st.booleans(), min_size=6, max_size=6)


def told(*logins: str) -> Told:
    return Told(None, None, None, tuple(Named("login_id", n, DAYS[0], DAYS[1]) for n in logins), ())


def holder(name: str, phone: str = "+8613900000001", *, is_backup: bool = False) -> Told:
    named = Named("mobile", phone, DAYS[0], DAYS[1], needs_name=is_backup)
    return Told(name, None, None, (named,), ())


def examples(count: int) -> settings:
    return settings(
        max_examples=max(count // PARTS, 1),
        deadline=None,
        # each part draws its own
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )


def follow(
    identity: Histories, history: list[list[World]], published: list[bool]
) -> list[str | None]:
    """Take all steps; returns why each was resolved in full, if it was."""
    taken = [
        identity.step(worlds, is_published=is_published).full_because
        for worlds, is_published in zip(history, published, strict=False)
    ]
    identity.close()
    return taken


@pytest.mark.parametrize("part", range(PARTS))
def test_every_step_of_a_random_history_equals_a_full_run(
    part: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @examples(EXAMPLES * 9 // 10)
    @given(histories(), PUBLISHED)
    def run(history: list[list[World]], published: list[bool]) -> None:
        folder = tmp_path_factory.mktemp("histories")
        identity = Histories(folder, with_low_limits(), is_optimised=part == 0)
        assert follow(identity, history, published)[1:] == [None] * (len(history) - 1)

    run()


@pytest.mark.parametrize("part", range(PARTS))
def test_every_step_equals_a_full_run_where_persons_are_matched(
    part: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @examples(EXAMPLES // 10)
    @given(histories(), PUBLISHED)
    def run(history: list[list[World]], published: list[bool]) -> None:
        folder = tmp_path_factory.mktemp("histories")
        # of every other part a rule soon gives too many pairs, and lets its largest blocks go
        declaration = with_matching(max_pairs=12 if part % 2 else 1000)
        identity = Histories(folder, declaration, MATCHED, is_optimised=part == 0)
        assert follow(identity, history, published)[1:] == [None] * (len(history) - 1)

    run()


def test_a_change_that_touches_too_many_is_resolved_in_full(tmp_path: Path) -> None:
    identity = Histories(tmp_path, with_low_limits(), widest=0.3)
    worlds = [World() for _ in range(10)]
    for world in worlds:
        world.records |= {0: told("L1"), 1: told("L1"), 2: told("L2")}
    identity.step(worlds, is_published=True)
    worlds[3].records[3] = told("L1", "L2")
    report = identity.step(worlds, is_published=True)
    assert (report.full_because, report.changed, report.touched) == (None, 1, 4)
    for world in worlds[4:7]:
        world.records[3] = told("L1", "L2")
    report = identity.step(worlds, is_published=True)
    assert report.full_because == "changes touch 12 records"
    identity.close()


def persons(identity: Histories) -> int:
    found = identity.connection.execute("select count(distinct one_id) from identity.record_map")
    return int((found.fetchone() or (0,))[0])


def test_who_shares_a_hub_is_touched_when_its_owner_becomes_known(tmp_path: Path) -> None:
    identity = Histories(tmp_path, with_low_limits())
    world = World({n: holder(name) for n, name in enumerate(("王伟", "李娜", "陈静", "陈静"))})
    identity.step([world], is_published=True)
    assert persons(identity) == 4
    world.owners["+8613900000001"] = "陈静"
    identity.step([world], is_published=True)
    assert persons(identity) == 3
    identity.close()


def test_who_shares_a_hub_and_a_name_is_touched_when_somebody_gives_it_as_a_backup(
    tmp_path: Path,
) -> None:
    identity = Histories(tmp_path, with_low_limits())
    world = World({n: holder(name) for n, name in enumerate(("王伟", "李娜", "陈静", "陈静"))})
    identity.step([world], is_published=True)
    world.records[4] = holder("赵磊", is_backup=True)
    identity.step([world], is_published=True)
    assert persons(identity) == 4
    del world.records[4]
    identity.step([world], is_published=False)
    assert persons(identity) == 4
    identity.close()


def test_a_held_candidate_is_no_past_but_what_it_resolved_is_known(tmp_path: Path) -> None:
    identity = Histories(tmp_path, with_low_limits())
    worlds = [World({0: told("L1"), 1: told("L2")}) for _ in range(5)]
    identity.step(worlds, is_published=True)
    worlds[0].records[2] = told("L1", "L2")
    assert identity.step(worlds, is_published=False).changes == {"merge": 1}
    report = identity.step(worlds, is_published=True)
    assert (report.full_because, report.touched, report.changes) == (None, 0, {"merge": 1})
    identity.close()
