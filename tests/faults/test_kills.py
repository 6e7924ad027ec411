"""A command that is killed at any durable step leaves what the next run finishes by itself."""

import random
from collections.abc import Callable

import pytest
from fault_trials import Grounds, Outcome, Scenario, choose

Tell = Callable[[list[Outcome]], None]

TAKE_IN = Scenario("killed ingestion", "take_in", "converge_take_in", has_readers=False)
BUILD = Scenario("killed build and check", "build_and_check", "converge_build")
PUBLISH = Scenario("killed publish", "publish_candidate", "converge_publish")
ERASE = Scenario("killed erasure", "erase", "converge_erase", shows_whole=False)
RUN = Scenario("run killed at any moment", "run", "converge_run")
MODELS = Scenario("killed run of dbt models", "run_models", "converge_models")
# So many kills follow each other before a run is left alone, where not all is asked for.
IN_TURN = 12
SHARDS = 4


def try_points(
    grounds: Grounds, scenario: Scenario, is_full: bool, most: int, shard: int = 0
) -> list[Outcome]:
    """Kill at every passing of every point, or one after the other at the most telling ones."""
    passings = grounds.list_passings(scenario)
    if is_full:
        return grounds.kill_at(scenario, passings[shard::SHARDS])
    assert shard == 0
    return grounds.kill_at(scenario, choose(passings, most), IN_TURN)


def only_once(shard: int, is_full: bool) -> None:
    if shard and not is_full:
        pytest.skip("all of it by make faults")


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_killed_ingestion_converges(
    grounds: Grounds, tell: Tell, is_full: bool, shard: int
) -> None:
    only_once(shard, is_full)
    tell(try_points(grounds, TAKE_IN, is_full, 40, shard))


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_killed_build_converges(ingested: Grounds, tell: Tell, is_full: bool, shard: int) -> None:
    only_once(shard, is_full)
    tell(try_points(ingested, BUILD, is_full, 12, shard))


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_killed_publish_converges(
    checked: Grounds, tell: Tell, is_full: bool, shard: int
) -> None:
    only_once(shard, is_full)
    tell(try_points(checked, PUBLISH, is_full, 24, shard))


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_killed_rollback_converges(
    grounds: Grounds, tell: Tell, is_full: bool, shard: int
) -> None:
    only_once(shard, is_full)
    to = {"snapshot_id": grounds.snapshots[0]}
    scenario = Scenario("killed rollback", "roll_back", "converge_roll_back", arguments=to)
    tell(try_points(grounds, scenario, is_full, 8, shard))


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_killed_erasure_converges(
    grounds: Grounds, tell: Tell, is_full: bool, shard: int
) -> None:
    only_once(shard, is_full)
    tell(try_points(grounds, ERASE, is_full, 20, shard))


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_run_killed_at_any_moment_converges(
    grounds: Grounds, tell: Tell, is_full: bool, shard: int
) -> None:
    only_once(shard, is_full)
    moments = random.Random(shard)  # noqa: S311  # no secret
    lasts = grounds.undisturbed(RUN)["seconds"]
    tries = [
        grounds.kill_after(RUN, moments.uniform(0.0, lasts)) for _ in range(15 if is_full else 2)
    ]
    tell([outcome for outcome in tries if outcome])


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_killed_run_of_models_converges(
    is_full: bool, shard: int, tell: Tell, request: pytest.FixtureRequest
) -> None:
    if not is_full:
        pytest.skip("dbt by make faults")
    modelled = request.getfixturevalue("modelled")
    passings = [one for one in modelled.list_passings(MODELS) if one[0].startswith("build.")]
    outcomes = modelled.kill_at(MODELS, passings[shard::SHARDS])
    moments = random.Random(shard)  # noqa: S311  # no secret
    lasts = modelled.undisturbed(MODELS)["seconds"]
    tries = [modelled.kill_after(MODELS, moments.uniform(0.2, lasts)) for _ in range(4)]
    tell(outcomes + [outcome for outcome in tries if outcome])
