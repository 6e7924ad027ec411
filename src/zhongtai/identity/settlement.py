"""Resolving again what contradicts itself: strongest evidence first, refusing what cannot be.

The values are taken in an order that only their content decides (strength, then how many records
name them, then which records, then the value itself), so neither the order of rows nor what was
computed before matters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from zhongtai.identity.clusters import Clusters, Rule

_MICROSECONDS_PER_DAY = 86_400_000_000
# Operators keep a number back for 90 days before somebody else gets it.
_REISSUED_AFTER = 90 * _MICROSECONDS_PER_DAY
# A value belongs to who uses it twice as often as anybody else.
_CLEARLY_MORE = 2


@dataclass(frozen=True)
class Link:
    """A node naming a value between two times (microseconds, None where unknown).

    `is_verified`: the source saw the person prove to hold it.
    """

    node: int
    first: int | None
    last: int | None
    is_verified: bool = False


@dataclass(frozen=True)
class Refusal:
    """Two nodes that share a value of a type and were not united, and why.

    `is_successive`: the one held the value long after the other, so they know nothing of each
    other; else they share it. `is_by_hint`: all that differs is whose car the one is about, which
    makes nobody else a holder of the value.
    """

    node: int
    other: int
    type_no: int
    value: int
    reason: str
    is_successive: bool = False
    is_by_hint: bool = False


@dataclass
class _Holder:
    """A cluster, as far as it holds the value in hand."""

    root: int
    node: int
    weight: int
    first: int | None
    last: int | None
    is_verified: bool = False
    era: int = 0

    def overlaps(self, other: "_Holder") -> bool:
        """Whether both held the value at one time, as far as is known."""
        if None in (self.first, self.last, other.first, other.last):
            return True
        return bool(self.first <= other.last and other.first <= self.last)  # type: ignore[operator]

    def is_long_from(self, other: "_Holder") -> bool:
        """Whether there is time for the value to be given to somebody else in between."""
        if None in (self.first, self.last, other.first, other.last):
            return False
        gap = max(self.first, other.first) - min(self.last, other.last)  # type: ignore[type-var, operator]
        return bool(gap > _REISSUED_AFTER)

    def absorb(self, other: "_Holder") -> None:
        """Count the evidence of another holder as well."""
        self.node = min(self.node, other.node)
        self.weight += other.weight
        self.is_verified |= other.is_verified
        self.first = min((t for t in (self.first, other.first) if t is not None), default=None)
        self.last = max((t for t in (self.last, other.last) if t is not None), default=None)
        # the later era: it is the one that goes on
        self.era = max(self.era, other.era)


def settle(
    clusters: Clusters, values: Mapping[tuple[int, int], Sequence[Link]], rules: Mapping[int, Rule]
) -> list[Refusal]:
    """Unite the nodes of `clusters` by the values that they share, unless something contradicts.

    `values`: (type number, value) to its links; nodes are numbered in the order of their keys and
    types from the strongest. Returns the links that were refused and did not come about otherwise.
    """
    order = sorted(values.items(), key=lambda v: _strength(clusters, *v))
    refused: dict[tuple[int, int, int], Refusal] = {}
    for (type_no, value), links in order:
        holders = _list_holders(clusters, links)
        if len(holders) > 1:
            _mark_eras(holders, rules[type_no].window_days)
            for refusal in _share(clusters, holders, type_no, value):
                key = (refusal.node, refusal.other, refusal.type_no)
                refused.setdefault(key, refusal)
    return [
        replace(one, is_by_hint=_is_by_hint(clusters, one))
        for one in refused.values()
        if clusters.find(one.node) != clusters.find(one.other)
    ]


def _strength(
    clusters: Clusters, value: tuple[int, int], links: Sequence[Link]
) -> tuple[int, bool, int, list[int], int]:
    """What decides the order of values: nothing but their content.

    Among one type a phone that somebody gave as another's comes after those that are people's own.
    """
    nodes = sorted(link.node for link in links)
    return value[0], clusters.is_anyones_backup(value[1]), -len(nodes), nodes, value[1]


def _list_holders(clusters: Clusters, links: Sequence[Link]) -> list[_Holder]:
    held: dict[int, _Holder] = {}
    for link in links:
        root = clusters.find(link.node)
        one = _Holder(root, link.node, 1, link.first, link.last, link.is_verified)
        if root in held:
            held[root].absorb(one)
        else:
            held[root] = one
    return list(held.values())


def _mark_eras(holders: list[_Holder], window_days: int | None) -> None:
    """Number the periods between which nobody used the value for the window."""
    if not window_days:
        return
    timed = sorted(
        (h for h in holders if h.first is not None and h.last is not None),
        key=lambda h: (h.first, h.last, h.node),
    )
    era, seen = 0, None
    for holder in timed:
        if seen is not None and holder.first - seen > window_days * _MICROSECONDS_PER_DAY:  # type: ignore[operator]
            era += 1
        holder.era = era
        seen = max(holder.last, seen) if seen is not None else holder.last  # type: ignore[type-var]


def _share(clusters: Clusters, holders: list[_Holder], type_no: int, value: int) -> list[Refusal]:
    """Unite the holders of one value, as far as they go together."""
    refusals = []
    groups: list[_Holder] = []
    # named ones first: they stake out the groups that the nameless may join
    for holder in sorted(holders, key=lambda h: (not clusters.has_name(h.root), -h.weight, h.node)):
        open_groups = []
        for group in groups:
            reason = _contradiction(clusters, group, holder, (type_no, value))
            if reason:
                refusals.append(_refuse(group, holder, (type_no, value), reason))
            else:
                open_groups.append(group)
        chosen = _choose(clusters, open_groups, holder, type_no, value)
        if chosen:
            root = clusters.unite(chosen.root, holder.root)
            chosen.absorb(holder)
            chosen.root = root
        else:
            refusals += [_refuse(g, holder, (type_no, value), "ambiguous") for g in open_groups]
            if not open_groups:
                groups.append(holder)
    return refusals


def _contradiction(
    clusters: Clusters, group: _Holder, holder: _Holder, shared: tuple[int, int]
) -> str | None:
    reason = clusters.contradiction(group.root, holder.root, shared[0])
    if reason:
        return reason
    if group.era != holder.era and not clusters.share_name(group.root, holder.root):
        return "not_seen_for_long"
    # whoever proved to hold the phone that another one gave for emergencies is that somebody else
    for one, two in ((group, holder), (holder, group)):
        is_nameless_holder = one.is_verified and not clusters.has_name(one.root)
        if is_nameless_holder and clusters.has_backup(two.root, shared[1]):
            return "different_holder"
    return None


def _choose(
    clusters: Clusters, groups: list[_Holder], holder: _Holder, type_no: int, value: int
) -> _Holder | None:
    """The group that the holder belongs to, None where there is none or no telling."""
    if len(groups) > 1:
        at_that_time = [group for group in groups if group.overlaps(holder)]
        groups = at_that_time or groups
    if len(groups) > 1:
        at_home = [group for group in groups if clusters.prefers(group.root, type_no, value)]
        groups = at_home or groups
    if len(groups) > 1:
        first, second = sorted(groups, key=lambda g: (-g.weight, g.node))[:2]
        if first.weight >= _CLEARLY_MORE * second.weight:
            return first
        return None
    return groups[0] if groups else None


def _refuse(group: _Holder, holder: _Holder, value: tuple[int, int], reason: str) -> Refusal:
    node, other = sorted((group.node, holder.node))
    return Refusal(node, other, *value, reason, group.is_long_from(holder))


def _is_by_hint(clusters: Clusters, refusal: Refusal) -> bool:
    sides = (clusters.find(node) for node in (refusal.node, refusal.other))
    return refusal.reason == "different_name" and not all(map(clusters.says_name, sides))
