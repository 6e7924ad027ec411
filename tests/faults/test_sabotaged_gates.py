"""However the gate is fooled, readers keep the snapshot that passed."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from gate_cases import GateWorld, copy_world, make_world, refused, stand_in
from gate_sabotages import AFTER, BEFORE, DURING, SCENES

from zhongtai import gate
from zhongtai.contracts import Contracts
from zhongtai.errors import ZhongtaiError
from zhongtai.quality.expectations import read_result
from zhongtai.quality.suites import Expectation, Suite

NUMBERS = count(1)
GATES = "sabotaged gates"
SUITE = Suite(
    "metrics.trial",
    Path("trial.yml"),
    (
        Expectation(
            "codes", "expect_column_values_to_be_unique", {"column": "code"}, "warning", "because"
        ),
    ),
)


@pytest.fixture(scope="module")
def template(
    postgres_server: str, contracts: Contracts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GateWorld]:
    folder = tmp_path_factory.mktemp("gate")
    with make_world(postgres_server, contracts, folder, "zhongtai_gates") as made:
        yield made


@pytest.fixture
def world(
    template: GateWorld, postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[GateWorld]:
    database = f"zhongtai_gate_{next(NUMBERS)}"
    with copy_world(template, postgres_server, tmp_path, database) as made:
        stand_in(monkeypatch, lambda: made)
        yield made


@pytest.fixture(scope="module")
def checked_template(
    template: GateWorld, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GateWorld]:
    folder = tmp_path_factory.mktemp("checked")
    with (
        copy_world(template, postgres_server, folder, "zhongtai_gate_checked") as made,
        pytest.MonkeyPatch.context() as patch,
    ):
        stand_in(patch, lambda: None)
        assert made.check()
        yield made


@pytest.fixture
def checked(
    checked_template: GateWorld,
    postgres_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[GateWorld]:
    database = f"zhongtai_gate_{next(NUMBERS)}"
    with copy_world(checked_template, postgres_server, tmp_path, database) as made:
        stand_in(monkeypatch, lambda: made)
        yield made


def test_a_gate_that_nobody_fooled_publishes(world: GateWorld) -> None:
    assert world.check()
    assert world.read_shown() == {world.shown}
    assert world.read_shown() != {world.publish()}
    assert world.shown not in world.read_shown()


@pytest.mark.parametrize("name", BEFORE)
def test_what_is_wrong_before_the_check_is_not_published(
    world: GateWorld, name: str, monkeypatch: pytest.MonkeyPatch, tally: Callable[[str, bool], None]
) -> None:
    BEFORE[name](world, monkeypatch)

    def go_on() -> None:
        world.check()
        world.publish()

    told = refused(go_on)
    tally(GATES, world.read_shown() == {world.shown})
    assert world.read_shown() == {world.shown}, told


@pytest.mark.parametrize("name", DURING)
def test_what_changes_during_the_check_is_not_published(
    world: GateWorld, name: str, tally: Callable[[str, bool], None]
) -> None:
    world.during = lambda: DURING[name](world)

    def go_on() -> None:
        world.check()
        world.publish()

    told = refused(go_on)
    tally(GATES, world.read_shown() == {world.shown})
    assert world.read_shown() == {world.shown}, told


@pytest.mark.parametrize("name", AFTER)
def test_what_changed_after_the_check_is_not_published(
    checked: GateWorld, name: str, tally: Callable[[str, bool], None]
) -> None:
    AFTER[name](checked)
    told = refused(checked.publish)
    tally(GATES, checked.read_shown() == {checked.shown})
    assert checked.read_shown() == {checked.shown}, told


@pytest.mark.parametrize("name", SCENES)
def test_what_did_not_pass_is_not_published_by_another_way(
    world: GateWorld, name: str, tally: Callable[[str, bool], None]
) -> None:
    told = refused(lambda: SCENES[name](world))
    tally(GATES, world.read_shown() == {world.shown})
    assert world.read_shown() == {world.shown}, told


def a_result(**changes: Any) -> dict[str, Any]:
    """What Great Expectations says of an expectation that is met."""
    return {
        "success": True,
        "expectation_config": {
            "type": "expect_column_values_to_be_unique",
            "kwargs": {"column": "code", "batch_id": "candidate-metrics.trial"},
            "meta": {"name": "codes"},
            "severity": "warning",
        },
        "result": {"element_count": 50, "unexpected_count": 0, "missing_count": 0},
        "meta": {},
        "exception_info": dict(NO_ERROR),
        **changes,
    }


NO_ERROR: Mapping[str, Any] = {
    "raised_exception": False,
    "exception_traceback": None,
    "exception_message": None,
}
ERROR = {**NO_ERROR, "raised_exception": True, "exception_message": "no such column"}
METRIC = "('column_values.unique.unexpected_count', 'abc', ())"
CONFIG = a_result()["expectation_config"]
SHAPES: dict[str, dict[str, Any]] = {
    "an error, flat": a_result(success=False, result={}, exception_info=ERROR),
    "an error, by metric": a_result(success=False, result={}, exception_info={METRIC: ERROR}),
    "an error, of one metric of two": a_result(
        success=False, result={}, exception_info={"a": dict(NO_ERROR), METRIC: ERROR}
    ),
    "an error beside a success": a_result(exception_info=ERROR),
    "an error by metric beside a success": a_result(exception_info={METRIC: ERROR}),
    "an error under a flat all-clear": a_result(exception_info={**NO_ERROR, METRIC: ERROR}),
    "an error that is no boolean": a_result(exception_info={**ERROR, "raised_exception": "False"}),
    "an error that is null": a_result(exception_info={**ERROR, "raised_exception": None}),
    "a metric without its word": a_result(exception_info={METRIC: {"exception_message": "x"}}),
    "a metric of an unknown shape": a_result(exception_info={METRIC: "boom"}),
    "errors as a list": a_result(exception_info=[ERROR]),
    "errors as text": a_result(exception_info="boom"),
    "errors of no shape": a_result(exception_info={}),
    "no word on errors": a_result(exception_info=None),
    "success null": a_result(success=None),
    "success NaN": a_result(success=float("nan")),
    "success a text": a_result(success="true"),
    "success a number": a_result(success=1),
    "success missing": {k: v for k, v in a_result().items() if k != "success"},
    "failed without a result": a_result(success=False, result={}),
    "no result": a_result(result=None),
    "a result of text": a_result(result="50 of 50"),
    "a success that counts failures": a_result(result={"unexpected_count": 3}),
    "a success that counts NaN": a_result(result={"unexpected_count": float("nan")}),
    "of another type": a_result(expectation_config={**CONFIG, "type": "expect_column_to_exist"}),
    "of another table": a_result(
        expectation_config={
            **CONFIG,
            "kwargs": {"column": "code", "batch_id": "candidate-metrics.other"},
        }
    ),
    "of another name": a_result(expectation_config={**CONFIG, "meta": {"name": "code"}}),
    "of no name": a_result(expectation_config={**CONFIG, "meta": None}),
    "of no expectation": a_result(expectation_config=None),
}


def test_a_result_of_great_expectations_passes_in_its_own_shape() -> None:
    assert gate.decide([read_result(SUITE, a_result())], SUITE.checks).passed


@pytest.mark.parametrize("shape", SHAPES)
def test_a_result_of_any_other_shape_blocks_whatever_its_severity(
    shape: str, tally: Callable[[str, bool], None]
) -> None:
    verdict = gate.decide([read_result(SUITE, SHAPES[shape])], SUITE.checks)
    tally(GATES, not verdict.passed)
    assert not verdict.passed


def test_enough_gates_are_sabotaged() -> None:
    assert len(BEFORE) + len(DURING) + len(AFTER) + len(SCENES) + len(SHAPES) >= 40


def test_every_refusal_says_what_to_do(world: GateWorld) -> None:
    with pytest.raises(ZhongtaiError) as told:
        world.publish()
    assert "zhongtai check" in told.value.hint
