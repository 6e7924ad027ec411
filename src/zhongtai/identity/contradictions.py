"""Whether recorded decisions can hold together: nobody may be one person and two."""

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zhongtai.identity.references import Reference

if TYPE_CHECKING:
    from zhongtai.identity.decisions import Decision


def find_contradiction(
    decisions: Sequence["Decision"],
) -> tuple["Decision", list["Decision"]] | None:
    """A split, and the shortest chain of merges that joins what it keeps apart; None if all fit.

    `decisions` are those that hold, at most one for a pair.
    """
    merges: dict[Reference, list[tuple[Reference, Decision]]] = {}
    for decision in decisions:
        if decision.kind == "merge":
            left, right = decision.pair
            merges.setdefault(left, []).append((right, decision))
            merges.setdefault(right, []).append((left, decision))
    for decision in decisions:
        if decision.kind == "split":
            path = _find_path(merges, *decision.pair)
            if path:
                return decision, path
    return None


def _find_path(
    merges: dict[Reference, list[tuple[Reference, "Decision"]]], start: Reference, goal: Reference
) -> list["Decision"]:
    """The fewest merges that lead from one record to the other; empty where none do."""
    came: dict[Reference, tuple[Reference, Decision] | None] = {start: None}
    waiting = deque([start])
    while waiting and goal not in came:
        record = waiting.popleft()
        for neighbour, decision in merges.get(record, []):
            if neighbour not in came:
                came[neighbour] = (record, decision)
                waiting.append(neighbour)
    path = []
    step = came.get(goal)
    while step:
        path.append(step[1])
        step = came[step[0]]
    return path[::-1]
