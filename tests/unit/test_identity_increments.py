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

# `make fuzz` asks for thousands of examples
EXAMPLES = int(os.environ.get("ZHONGTAI_FUZZ_EXAMPLES", "40"))

PUBLISHED = st.lists(st.booleans(), min_size=6, max_size=6)


def told(*logins: str) -> Told:
    return Told(None, None, None, tuple(Named("login_id", n, DAYS[0], DAYS[1]) for n in logins), ())


def examples(count: int) -> settings:
    return settings(
        max_examples=max(count, 1), deadline=None, suppress_health_check=list(HealthCheck)
    )


@examples(EXAMPLES)
@given(histories(), PUBLISHED)
def test_every_step_of_a_random_history_equals_a_full_run(
    tmp_path_factory: pytest.TempPathFactory, history: list[list[World]], published: list[bool]
) -> None:
    identity = Histories(tmp_path_factory.mktemp("histories"), with_low_limits())
    for worlds, is_published in zip(history, published, strict=False):
        identity.step(worlds, is_published=is_published)
    identity.connection.close()


@examples(EXAMPLES // 8)
@given(histories(), PUBLISHED)
def test_every_step_equals_a_full_run_where_persons_are_matched(
    tmp_path_factory: pytest.TempPathFactory, history: list[list[World]], published: list[bool]
) -> None:
    identity = Histories(tmp_path_factory.mktemp("histories"), with_matching(), MATCHED)
    for worlds, is_published in zip(history, published, strict=False):
        identity.step(worlds, is_published=is_published)
    identity.connection.close()


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
    identity.connection.close()
