"""The shortest way between records: real, shortest, strongest, and the same in any order."""

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongtai.identity.paths import Tie, shortest_path

KEYS = "abcdefgh"
Ties = dict[str, Tie[str]]
graphs = st.dictionaries(
    st.sampled_from([f"v{number}" for number in range(8)]),
    st.builds(
        Tie,
        st.integers(0, 20),
        st.lists(st.sampled_from(KEYS), min_size=2, max_size=4, unique=True).map(tuple),
    ),
)


def ways(ties: Ties, start: str, end: str, seen: tuple[str, ...] = ()) -> list[tuple[int, int]]:
    """(steps, cost) of every way that visits no record twice."""
    if start == end:
        return [(0, 0)]
    found = []
    for tie in ties.values():
        if start in tie.nodes:
            for node in set(tie.nodes) - {start, *seen}:
                for steps, cost in ways(ties, node, end, (*seen, start)):
                    found.append((steps + 1, cost + tie.cost))
    return found


@given(graphs, st.sampled_from(list(combinations("abcd", 2))), st.randoms())
def test_the_way_is_real_shortest_and_then_strongest(
    ties: Ties, ends: tuple[str, str], shuffler: random.Random
) -> None:
    small = {
        why: Tie(tie.cost, tuple(n for n in tie.nodes if n < "g")) for why, tie in ties.items()
    }
    start, end = ends
    path = shortest_path([start], [end], small)
    expected = min(ways(small, start, end), default=None)
    assert (path is None) == (expected is None)
    if path is None:
        return
    assert (len(path), sum(small[why].cost for _, why, _ in path)) == expected
    assert [start, *(other for _, _, other in path)] == [*(one for one, _, _ in path), end]
    for one, why, other in path:
        assert {one, other} <= set(small[why].nodes)
    again = list(small.items())
    shuffler.shuffle(again)
    turned = {why: Tie(tie.cost, tie.nodes[::-1]) for why, tie in again}
    assert shortest_path([start], [end], turned) == path


@pytest.mark.parametrize(("starts", "ends"), [("ab", "bc"), ("a", "a")])
def test_there_is_no_step_between_what_is_the_same(starts: str, ends: str) -> None:
    assert shortest_path(starts, ends, {}) == []


def test_a_value_of_very_many_records_is_passed_once() -> None:
    star = Tie(1, tuple(f"n{number:05}" for number in range(20_000)))
    path = shortest_path(["n00000"], ["n19999"], {"phone": star, "mail": star})
    assert path == [("n00000", "mail", "n19999")]
