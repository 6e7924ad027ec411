"""The shortest way from record to record of one person, over what they share."""

import heapq
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Node = TypeVar("Node")
Why = TypeVar("Why")

# Fewer steps first; of equally short ways the one by the strongest evidence.
_STEP = 1_000


@dataclass(frozen=True)
class Tie(Generic[Node]):
    """Nodes that are one person because they share something; a smaller `cost` is stronger."""

    cost: int
    nodes: tuple[Node, ...]


def shortest_path(
    starts: Collection[Node], ends: Collection[Node], ties: Mapping[Why, Tie[Node]]
) -> list[tuple[Node, Why, Node]] | None:
    """The steps (from, why, to) from any of `starts` to any of `ends`; None where there is no way.

    Costs are 0 … 999. An empty list where a start is an end. Equally good ways are told apart by
    the names of their nodes, so the order of nothing matters.
    """
    shared: dict[Node, list[Why]] = {}
    for why, tie in ties.items():
        for node in tie.nodes:
            shared.setdefault(node, []).append(why)
    came: dict[Node, tuple[Node, Why]] = {}
    left: set[Node] = set()
    spent: set[Why] = set()
    steps: list[tuple[Node, tuple[Node, Why] | None]] = [(node, None) for node in starts]
    # length, the names of where it leads and over what, and the number of its last step
    queue = [(0, repr(node), "", number) for number, (node, _) in enumerate(steps)]
    heapq.heapify(queue)
    while queue:
        length, _, _, number = heapq.heappop(queue)
        node, step = steps[number]
        if node in left:
            continue
        left.add(node)
        if step:
            came[node] = step
        if node in ends:
            return _walk_back(node, came)
        # who comes first to what several share leaves nobody a shorter way over it
        for why in (why for why in shared.get(node, ()) if why not in spent):
            for other in ties[why].nodes:
                total = length + _STEP + ties[why].cost
                heapq.heappush(queue, (total, repr(other), repr(why), len(steps)))
                steps.append((other, (node, why)))
        spent.update(shared.get(node, ()))
    return None


def _walk_back(node: Node, came: Mapping[Node, tuple[Node, Why]]) -> list[tuple[Node, Why, Node]]:
    steps = []
    while node in came:
        before, why = came[node]
        steps.append((before, why, node))
        node = before
    return steps[::-1]
