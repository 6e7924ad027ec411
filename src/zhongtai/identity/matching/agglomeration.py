"""Average linkage over sparse pairs: numbers in, group numbers out.

The similarity of two groups is the mean probability over all pairs between them; a pair that was
not scored counts as 0. Joining the most similar two groups again and again is the same as
joining, round by round, all pairs of groups that are each other's most similar one (average
linkage is reducible), and rounds are a handful of array operations over everything.

Probabilities are whole millionths, so that sums do not depend on their order. Of equally similar
groups the one with the smaller first member is taken.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zhongtai.identity.components import label_components

SCALE = 1_000_000
# Similarities are compared as fractions in double precision: this absorbs their last bit.
_TOLERANCE = 1e-12

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Graph:
    """Pairs left < right of nodes 0 … size-1, each once, with their probability in millionths."""

    size: int
    left: Numbers
    right: Numbers
    millionths: Numbers

    def select(self, kept: npt.NDArray[np.bool_]) -> "Graph":
        """The graph with some of its pairs."""
        return Graph(self.size, self.left[kept], self.right[kept], self.millionths[kept])


@dataclass(frozen=True)
class Conflicts:
    """What keeps nodes apart.

    `values[node, attribute]` is the number of its value, 0 for none: two different values of one
    attribute are two persons. `left`, `right` are pairs of nodes that were told to stay apart.
    """

    values: Numbers
    left: Numbers
    right: Numbers


def cut_components(graph: Graph, largest: int) -> tuple[Graph, int]:
    """Raise the threshold inside components of more than `largest` nodes until none is left.

    Each round drops, in every such component, the lowest eighth of its different probabilities;
    what hangs together by pairs of one probability falls apart whole, for that is no person.
    Returns the graph that is left and the number of components that were cut.
    """
    cut = 0
    while len(graph.left):
        labels = label_components(graph.left, graph.right, graph.size).astype(np.int64)
        sizes = np.bincount(labels, minlength=1)
        is_large = sizes[labels[graph.left]] > largest
        if not is_large.any():
            break
        component = labels[graph.left[is_large]]
        if not cut:
            cut = len(np.unique(component))
        limits = _lowest_eighths(component, graph.millionths[is_large], int(labels.max()) + 1)
        kept = np.ones(len(graph.left), dtype=bool)
        kept[is_large] = graph.millionths[is_large] > limits[component]
        graph = graph.select(kept)
    return graph, cut


def agglomerate(graph: Graph, conflicts: Conflicts, accept: float) -> Numbers:
    """Join groups while their similarity is at least `accept` and nothing keeps them apart.

    Returns the group of each node: the number of its first member.
    """
    group = np.arange(graph.size, dtype=np.int64)
    members = np.ones(graph.size, dtype=np.int64)
    values = conflicts.values.copy()
    apart = _codes(conflicts.left, conflicts.right, graph.size)
    left, right, total = graph.left, graph.right, graph.millionths
    component = label_components(left, right, graph.size)
    while len(left):
        similarity = total / (members[left] * members[right])
        is_open = similarity >= accept * SCALE * (1 - _TOLERANCE)
        is_open &= ~(np.isin(_codes_of(left, right, graph.size), apart))
        is_open &= first_conflict(values, left, right) < 0
        if not is_open.any():
            break
        into, gone = _mutual_nearest(left[is_open], right[is_open], similarity[is_open])
        # where nothing could be joined in this round nothing ever will be
        is_active = np.zeros(graph.size, dtype=bool)
        is_active[component[into]] = True
        is_kept = is_active[component[left]]
        step = np.arange(graph.size, dtype=np.int64)
        step[gone] = into
        members[into] += members[gone]
        values[into] = np.maximum(values[into], values[gone])
        group = step[group]
        apart = _codes(step[apart // graph.size], step[apart % graph.size], graph.size)
        left, right, total = _merge_pairs(
            step[left[is_kept]], step[right[is_kept]], total[is_kept], graph.size
        )
    return group


def first_conflict(values: Numbers, left: Numbers, right: Numbers) -> Numbers:
    """The first attribute in which each pair has two different values; -1 for none."""
    found = np.full(len(left), -1, dtype=np.int64)
    for attribute in reversed(range(values.shape[1])):
        of_left, of_right = values[left, attribute], values[right, attribute]
        found[(of_left > 0) & (of_right > 0) & (of_left != of_right)] = attribute
    return found


def explain_conflicts(graph: Graph, conflicts: Conflicts, group: Numbers) -> Numbers:
    """What keeps the groups of each pair apart: an attribute, -2 for a decision, -1 for nothing."""
    values = np.zeros_like(conflicts.values)
    for attribute in range(values.shape[1]):
        np.maximum.at(values[:, attribute], group, conflicts.values[:, attribute])
    left, right = group[graph.left], group[graph.right]
    found = first_conflict(values, left, right)
    apart = _codes(group[conflicts.left], group[conflicts.right], graph.size)
    found[np.isin(_codes_of(left, right, graph.size), apart)] = -2
    return found


def _mutual_nearest(
    left: Numbers, right: Numbers, similarity: npt.NDArray[np.float64]
) -> tuple[Numbers, Numbers]:
    """The pairs of groups that are each other's most similar one, the smaller number first."""
    source = np.concatenate([left, right])
    target = np.concatenate([right, left])
    order = np.lexsort((target, -np.concatenate([similarity, similarity]), source))
    source, target = source[order], target[order]
    is_first = np.ones(len(source), dtype=bool)
    is_first[1:] = source[1:] != source[:-1]
    source, target = source[is_first], target[is_first]
    place = np.searchsorted(source, target)
    is_mutual = (target[place] == source) & (source < target)
    return source[is_mutual], target[is_mutual]


def _merge_pairs(
    left: Numbers, right: Numbers, total: Numbers, size: int
) -> tuple[Numbers, Numbers, Numbers]:
    """The pairs between groups, each once, their totals added up; none within a group."""
    is_between = left != right
    codes = _codes_of(left[is_between], right[is_between], size)
    order = np.argsort(codes, kind="stable")
    codes, total = codes[order], total[is_between][order]
    if not len(codes):
        return codes, codes, total
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    return codes[starts] // size, codes[starts] % size, np.add.reduceat(total, starts)


def _codes_of(left: Numbers, right: Numbers, size: int) -> Numbers:
    """One number per pair, whichever side is which."""
    codes: Numbers = np.minimum(left, right) * size + np.maximum(left, right)
    return codes


def _codes(left: Numbers, right: Numbers, size: int) -> Numbers:
    return np.unique(_codes_of(left, right, size))


def _lowest_eighths(component: Numbers, millionths: Numbers, count: int) -> Numbers:
    """The last of the lowest eighth of the different probabilities of each component."""
    codes = np.unique(component * (SCALE + 1) + millionths)
    component, millionths = codes // (SCALE + 1), codes % (SCALE + 1)
    starts = np.flatnonzero(np.r_[True, component[1:] != component[:-1]])
    ends = np.r_[starts[1:], len(component)]
    limits = np.zeros(count, dtype=np.int64)
    limits[component[starts]] = millionths[starts + (ends - starts - 1) // 8]
    return limits
