"""Whose a record was on a day: every published map can be had back."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from identity_cases import START, Identity, decision
from test_identity_stability import maps

DAY = timedelta(days=1)


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity(tmp_path)


def on(identity: Identity, moment: datetime) -> dict[str, str]:
    """Record key to one_id, as the history tells it for a moment."""
    rows = identity.connection.execute(
        "with periods as ("
        " select record_key, one_id, valid_from, null::timestamp as valid_to"
        " from identity.record_map"
        " union all select record_key, one_id, valid_from, valid_to from identity.past_map)"
        " select record_key, one_id from periods"
        " where valid_from <= $at and (valid_to > $at or valid_to is null)",
        {"at": moment.replace(tzinfo=None)},
    ).fetchall()
    assert len(rows) == len({key for key, _ in rows}), "two persons at one time"
    return dict(rows)


@property_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(maps, min_size=1, max_size=5))
def test_every_map_ever_published_can_be_had_back(
    tmp_path_factory: pytest.TempPathFactory, states: list[dict[str, list[str]]]
) -> None:
    identity = Identity(tmp_path_factory.mktemp("past"))
    published = [identity.publish(state) for state in states]
    assert on(identity, START - DAY) == {}
    for number, ids in enumerate(published):
        assert on(identity, START + number * DAY) == ids
        assert on(identity, START + (number + 0.9) * DAY) == ids
    assert on(identity, START + 1000 * DAY) == identity.ids()


def test_nothing_begins_anew_where_nothing_changed(identity: Identity) -> None:
    for _ in range(3):
        identity.publish({"a": ["1"], "b": ["1"], "c": ["2"]})
    begun = identity.connection.execute("select distinct valid_from from identity.record_map")
    assert begun.fetchall() == [(START.replace(tzinfo=None),)]
    assert identity.connection.execute("select * from identity.past_map").fetchall() == []


def test_what_was_published_for_no_time_leaves_no_period(identity: Identity) -> None:
    identity.publish({"a": ["1"], "b": ["2"]}, as_of=START)
    identity.publish({"a": ["1"], "b": ["1"]}, as_of=START)
    assert identity.connection.execute("select * from identity.past_map").fetchall() == []
    assert on(identity, START) == identity.ids()


def test_a_run_with_an_earlier_as_of_does_not_change_what_was(identity: Identity) -> None:
    first = identity.publish({"a": ["1"], "b": ["2"]}, as_of=START)
    second = identity.publish({"a": ["1"], "b": ["1"]}, as_of=START + 5 * DAY)
    identity.publish({"a": ["1"], "b": ["2"]}, as_of=START + 2 * DAY)
    assert on(identity, START + 3 * DAY) == first
    identity.publish({"a": ["1"], "b": ["1"]}, as_of=START + 9 * DAY)
    assert on(identity, START + 10 * DAY) == second


def test_after_an_even_merge_is_undone_the_id_is_back_with_who_had_it(identity: Identity) -> None:
    records: dict[str, list[str]] = {f"r{number}": [] for number in range(8)}
    pairs = (("r0", "r1"), ("r3", "r2"), ("r4", "r5"), ("r7", "r6"))
    before = identity.publish(records)
    identity.decisions = [decision(number, "merge", *pair) for number, pair in enumerate(pairs)]
    merged = identity.publish(records)
    identity.decisions = []
    after = identity.publish(records)
    survivors = set(merged.values())
    assert len(survivors) == 4
    assert {k: i for k, i in after.items() if i in survivors} == {
        k: i for k, i in before.items() if i in survivors
    }


def test_after_an_undo_a_retired_id_leads_to_the_person_it_was(identity: Identity) -> None:
    records = {"a": ["1"], "b": ["1"], "c": ["2"], "d": ["3"]}
    before = identity.publish(records)
    identity.decisions = [decision(1, "merge", "b", "c"), decision(2, "merge", "c", "d")]
    merged = identity.publish(records)
    assert set(merged.values()) == {before["a"]}
    identity.decisions = []
    after = identity.publish(records)
    assert {key: identity.redirects().get(i, i) for key, i in before.items()} == after


def test_a_change_by_decision_says_so(identity: Identity) -> None:
    """And a change by evidence in the same run does not."""
    records = {"a": ["1"], "b": ["2"], "c": ["3"], "d": ["3"], "e": ["4"], "f": ["5"]}
    before = identity.publish(records)
    identity.decisions = [decision(1, "merge", "a", "b"), decision(2, "split", "c", "d")]
    after = identity.publish(records | {"f": ["4"]})
    assert identity.reasons() == {
        ("merge", after["a"]): "a decision joins records of both ids",
        ("merge", after["e"]): "evidence links the records of both ids",
        ("split", next(after[k] for k in "cd" if after[k] != before["c"])): (
            "a decision keeps these records from the previous id"
        ),
    }
    identity.decisions = []
    last = identity.publish(records | {"f": ["4"]})
    assert identity.reasons() == {
        ("split", next(last[k] for k in "ab" if last[k] != after["a"])): (
            "a decision that joined them to the previous id was taken back"
        ),
        ("merge", last["c"]): "a decision that kept both ids apart was taken back",
    }


def test_an_undone_decision_gives_an_id_back_even_by_the_larger_part(identity: Identity) -> None:
    records = {"a": ["1"], "b": ["1"], "c": ["1"], "d": ["1"], "z": []}
    before = identity.publish(records)
    apart = [("a", "b"), ("a", "c"), ("a", "d")]
    identity.decisions = [decision(1, "merge", "b", "z")]
    identity.decisions += [decision(2 + n, "split", *pair) for n, pair in enumerate(apart)]
    identity.decisions += [decision(9, "merge", "b", "c"), decision(10, "merge", "c", "d")]
    identity.publish(records)
    grown = {**records, "e": ["2"]}
    assert identity.publish(grown)["z"] == identity.ids()["d"]
    identity.decisions = []
    after = identity.publish(grown)
    assert {key: identity.redirects().get(i, i) for key, i in before.items()} == {
        key: after[key] for key in before
    }
    assert after["z"] != after["a"]


def test_a_decision_that_never_held_in_a_published_map_restores_nothing(
    identity: Identity,
) -> None:
    identity.publish({"a": ["1"], "b": []})
    grown = {"a": ["1"], "b": ["1"], "c": ["1"]}
    kept = identity.publish(grown)["a"]
    identity.decisions = [decision(1, "merge", "a", "b")]
    identity.resolve(grown)
    identity.decisions = []
    after = identity.publish({"a": ["2"], "b": ["1"], "c": ["1"]})
    assert kept == after["b"] == after["c"]
