"""Ids stay with their persons: rebuilds, merges, splits, redirects, and no id twice."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from identity_cases import START, Identity, Records

from zhongtai.errors import ZhongtaiError

KEYS = [f"r{number}" for number in range(9)]
VALUES = [f"v{number}" for number in range(7)]
maps = st.dictionaries(
    st.sampled_from(KEYS), st.lists(st.sampled_from(VALUES), max_size=3), min_size=1
)
property_settings = settings(
    max_examples=350, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def grouped_by_hand(records: Records) -> set[frozenset[str]]:
    groups: list[tuple[set[str], set[str]]] = []
    for key, values in records.items():
        keys, names = {key}, set(values)
        for group in [group for group in groups if group[1] & names]:
            keys |= group[0]
            names |= group[1]
            groups.remove(group)
        groups.append((keys, names))
    return {frozenset(keys) for keys, _ in groups}


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity(tmp_path)


@property_settings
@given(st.lists(maps, min_size=1, max_size=4))
def test_every_state_gives_its_own_partition_whatever_was_published_before(
    tmp_path_factory: pytest.TempPathFactory, states: list[Records]
) -> None:
    identity = Identity(tmp_path_factory.mktemp("identity"))
    for state in states:
        identity.publish(state)
        assert identity.partition() == grouped_by_hand(state)


@property_settings
@given(maps, st.data())
def test_batch_after_batch_equals_one_full_run(
    tmp_path_factory: pytest.TempPathFactory, records: Records, data: st.DataObject
) -> None:
    whole = Identity(tmp_path_factory.mktemp("whole"))
    version = whole.resolve(records).identity_version
    order = data.draw(st.permutations(list(records)))
    size = data.draw(st.integers(1, 4))
    batches = Identity(tmp_path_factory.mktemp("batches"))
    for end in range(size, len(order) + size, size):
        batches.publish({key: records[key] for key in order[:end]})
    assert batches.partition() == whole.partition()
    assert batches.resolve(records).identity_version == version


@property_settings
@given(st.lists(maps, min_size=1, max_size=4))
@example(
    [
        {"a": ["1"], "b": ["2"]},
        {"a": ["1", "2"], "b": ["1"]},
        # the id that was retired into a person follows its record out of it, and is erased with it
        {"a": ["1"], "b": ["2"]},
        {"b": ["2"]},
    ]
)
@example(
    [
        {"r4": ["v3"], "r7": ["v0"], "r3": ["v1", "v5"]},
        {"r0": [], "r7": ["v4", "v2", "v5"], "r4": ["v4", "v5", "v1"]},
        {
            "r8": [],
            "r2": ["v3"],
            "r7": ["v1"],
            "r5": ["v4"],
            "r3": [],
            "r0": ["v2", "v3", "v4"],
            "r6": ["v3", "v6", "v4"],
            "r4": [],
        },
        {"r0": [], "r7": ["v2", "v5", "v3"], "r3": ["v3", "v6", "v3"], "r5": []},
    ]
)
def test_ids_ever_published_resolve_or_are_erased_and_none_comes_back(
    tmp_path_factory: pytest.TempPathFactory, states: list[Records]
) -> None:
    identity = Identity(tmp_path_factory.mktemp("identity"))
    ended: set[str] = set()
    known: set[str] = set()
    led_to: dict[str, str] = {}
    for state in states:
        live = set(identity.publish(state).values())
        redirects = identity.redirects()
        assert not live & ended
        assert not live & redirects.keys()
        assert set(redirects.values()) <= live
        known |= live
        ended |= known - live
        erased = {one_id for change, one_id in _all_changes(identity) if change == "erase"}
        led_to |= redirects
        for one_id in known - live - redirects.keys():
            assert led_to.get(one_id, one_id) in erased


@property_settings
@given(st.lists(maps, min_size=1, max_size=3))
def test_unchanged_input_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, states: list[Records]
) -> None:
    identity = Identity(tmp_path_factory.mktemp("identity"))
    for state in states:
        before = identity.publish(state)
    redirects = identity.redirects()
    report = identity.resolve(dict(reversed(list(states[-1].items()))))
    assert report.changes == {}
    assert identity.ids() == before
    assert identity.redirects() == redirects


def _all_changes(identity: Identity) -> list[tuple[str, str]]:
    return identity.connection.execute("select change, one_id from identity.changes").fetchall()


def test_an_id_is_opaque_and_carries_its_birth(identity: Identity) -> None:
    ids = identity.publish({"13812345678": ["a"]})
    one_id = ids["13812345678"]
    assert re.fullmatch(r"u_[0-9a-f]{12}7[0-9a-f]{3}a[0-9a-f]{15}", one_id)
    assert int(one_id[2:14], 16) == int(START.timestamp() * 1000)


def test_a_later_identifier_merges_into_the_larger_person(identity: Identity) -> None:
    before = identity.publish({"a": ["1"], "b": ["2"], "c": ["2"]})
    after = identity.publish({"a": ["1", "2"], "b": ["2"], "c": ["2"]})
    assert set(after.values()) == {before["b"]}
    assert identity.redirects() == {before["a"]: before["b"]}
    assert identity.changes() == [("merge", before["b"], before["a"], 1)]


def test_of_equally_large_persons_the_older_survives(identity: Identity) -> None:
    old = identity.publish({"z": ["1"]})["z"]
    both = identity.publish({"z": ["1"], "a": ["2"]})
    after = identity.publish({"z": ["1"], "a": ["1", "2"]})
    assert both["a"] > old
    assert set(after.values()) == {old}


def test_a_split_keeps_the_id_with_the_larger_part(identity: Identity) -> None:
    before = identity.publish({"a": ["1"], "b": ["1", "2"], "c": ["2"]})["b"]
    after = identity.publish({"a": ["1"], "b": ["2"], "c": ["2"]})
    assert after["b"] == after["c"] == before
    assert after["a"] != before
    assert identity.changes() == [("split", after["a"], before, 1)]
    assert identity.redirects() == {}


def test_an_even_split_keeps_the_id_with_the_smallest_record(identity: Identity) -> None:
    before = identity.publish({"b": ["1"], "a": ["1"]})["a"]
    after = identity.publish({"b": ["2"], "a": ["1"]})
    assert after["a"] == before


def test_a_record_that_moves_is_reassigned(identity: Identity) -> None:
    before = identity.publish({"a": ["1"], "b": ["1"], "m": ["1"], "x": ["2"], "y": ["2"]})
    after = identity.publish({"a": ["1"], "b": ["1"], "m": ["2"], "x": ["2"], "y": ["2"]})
    assert after["m"] == before["x"]
    assert identity.changes() == [("reassign", before["x"], before["a"], 1)]
    assert identity.redirects() == {}


def test_redirects_of_redirects_lead_to_the_last_id(identity: Identity) -> None:
    first = identity.publish({"a": ["1"], "b": ["2"], "c": ["2"], "d": ["3"]})
    identity.publish({"a": ["1", "2"], "b": ["2"], "c": ["2"], "d": ["3"]})
    grown = {f"d{number}": ["3"] for number in range(9)}
    identity.publish({"a": ["1", "2"], "b": ["2"], "c": ["2"], "d": ["3"], **grown})
    last = identity.publish({"a": ["1", "2"], "b": ["2"], "c": ["2"], "d": ["2", "3"], **grown})
    assert set(last.values()) == {first["d"]}
    assert identity.redirects() == {first["a"]: first["d"], first["b"]: first["d"]}


def test_runs_with_the_same_as_of_never_form_an_id_twice(identity: Identity) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    seen = set(identity.publish({"a": ["1"], "b": ["1"], "c": ["1"]}, as_of=now).values())
    for linked in (False, True, False, True):
        value = "1" if linked else "2"
        ids = identity.publish({"a": [value], "b": ["1"], "c": ["1"]}, as_of=now)
        if not linked:
            assert ids["a"] not in seen
        seen |= set(ids.values())


def test_a_run_that_was_not_published_leaves_no_trace(identity: Identity) -> None:
    identity.publish({"a": ["1"]})
    identity.resolve({"a": ["1"], "b": ["2"]})
    held = identity.ids()["b"]
    identity.resolve({"a": ["1"], "b": ["2"]})
    assert identity.ids()["b"] == held
    assert identity.changes() == [("new", held, None, 1)]


def test_the_strongest_shared_identifier_names_the_link(identity: Identity) -> None:
    identity.resolve({"a": ["1", "id_card:9"], "b": ["1", "id_card:9"], "c": ["1"], "d": ["7"]})
    linked = dict(
        identity.connection.execute(
            "select record_key, linked_by from identity.record_map"
        ).fetchall()
    )
    assert linked == {"a": "id_card", "b": "id_card", "c": "mobile", "d": "single_record"}


def test_values_of_different_types_do_not_link(identity: Identity) -> None:
    identity.resolve({"a": ["1"], "b": ["id_card:1"]})
    assert len(identity.partition()) == 2


def test_a_failed_resolution_leaves_the_last_one(identity: Identity) -> None:
    identity.resolve({"a": ["1"]})
    before = identity.ids()
    identity.history = type(identity.history)(identity.folder / "missing", ())
    with pytest.raises(Exception, match="missing"):
        identity.resolve({"a": ["1"], "b": ["1"]})
    assert identity.ids() == before


def test_a_record_that_occurs_twice_is_refused(identity: Identity) -> None:
    identity.connection.execute(
        "create table twice as select 'crm' as source, 'leads' as entity, 'a' as record_key,"
        " timestamp '2026-01-01' as first_seen_at, null as name, null as hint,"
        " null::date as birth_date"
        " from range(2)"
    )
    with pytest.raises(ZhongtaiError, match="share a key"):
        identity.resolve({}, relation="twice")
