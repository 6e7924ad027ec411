"""Connected components are exact: compared with a union-find that shares no code with them."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongtai.identity import label_components


def partition_by_union_find(edges: Sequence[tuple[int, int]], size: int) -> set[frozenset[int]]:
    parent = list(range(size))

    def find(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for left, right in edges:
        parent[find(left)] = find(right)
    groups: dict[int, set[int]] = {}
    for node in range(size):
        groups.setdefault(find(node), set()).add(node)
    return {frozenset(group) for group in groups.values()}


def partition_by_label(edges: Sequence[tuple[int, int]], size: int) -> set[frozenset[int]]:
    left = np.array([edge[0] for edge in edges], dtype=np.int32)
    right = np.array([edge[1] for edge in edges], dtype=np.int32)
    groups: dict[int, set[int]] = {}
    for node, label in enumerate(label_components(left, right, size).tolist()):
        groups.setdefault(label, set()).add(node)
    return {frozenset(group) for group in groups.values()}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[int, int]], int]:
    """Random edges among few nodes, loops and duplicates included, joined by chains and stars."""
    size = draw(st.integers(1, 60))
    node = st.integers(0, size - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=80))
    chain = draw(st.lists(node, max_size=40))
    edges += list(pairwise(chain))
    centre = draw(node)
    edges += [(leaf, centre) for leaf in draw(st.lists(node, max_size=20))]
    return draw(st.permutations(edges + edges[: len(edges) // 3])), size


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_labels_equal_those_of_a_union_find(graph: tuple[list[tuple[int, int]], int]) -> None:
    edges, size = graph
    assert partition_by_label(edges, size) == partition_by_union_find(edges, size)


def test_a_long_chain_in_random_order_is_one_component() -> None:
    size = 200_000
    order = np.random.default_rng(7).permutation(size).astype(np.int32)
    labels = label_components(order[:-1], order[1:], size)
    assert set(labels.tolist()) == {labels[0]}


def test_a_broken_chain_is_two_components() -> None:
    size = 10_000
    left = np.delete(np.arange(size - 1, dtype=np.int32), 4_999)
    labels = label_components(left, left + 1, size)
    assert set(labels[:5_000].tolist()) != set(labels[5_000:].tolist())
    assert len(set(labels.tolist())) == 2


def test_a_star_is_one_component() -> None:
    leaves = np.arange(1, 100_001, dtype=np.int32)
    labels = label_components(leaves, np.zeros_like(leaves), 100_001)
    assert len(set(labels.tolist())) == 1


@pytest.mark.parametrize("size", [0, 1, 5])
def test_without_edges_every_node_is_alone(size: int) -> None:
    assert partition_by_label([], size) == {frozenset([node]) for node in range(size)}


def test_a_node_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="index"):
        label_components([0], [5], 3)
