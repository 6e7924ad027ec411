"""Which records must be one person, in plain Python: sets of values, joined wherever they meet."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from simulated_ledger import Mark, Row

Partition = frozenset[frozenset[Mark]]


@dataclass
class Decisions:
    """What people decided about pairs of records; of one pair the last that stands holds."""

    told: list[tuple[str, Mark, Mark]] = field(default_factory=list)
    undone: set[int] = field(default_factory=set)

    def add(self, kind: str, one: Mark, other: Mark) -> int:
        """A decision of kind merge or split; returns its number."""
        self.told.append((kind, *sorted((one, other))))
        return len(self.told) - 1

    def standing(self) -> dict[tuple[Mark, Mark], str]:
        """By pair what holds."""
        return {
            (one, other): kind
            for number, (kind, one, other) in enumerate(self.told)
            if number not in self.undone
        }


def known_records(rows: Iterable[tuple[str, Row]]) -> dict[Mark, set[str]]:
    """By record the values that it names: those of its newest version, or of all its events."""
    newest: dict[Mark, Row] = {}
    named: dict[Mark, set[str]] = defaultdict(set)
    for _, row in rows:
        if row.subject is None:
            continue
        if row.updated is None:
            named[row.subject] |= row.names
            continue
        held = newest.get(row.subject)
        if held is None or held.updated is None or row.updated > held.updated:
            newest[row.subject] = row
            named[row.subject] = set(row.names)
    return dict(named)


def find_persons(
    records: Mapping[Mark, set[str]], decisions: Mapping[tuple[Mark, Mark], str]
) -> Partition:
    """Records that share a value, or a chain of them, are one person; so are those merged.

    Two that were split must stand alone together: of more than two this model does not know which
    of both each would go with.
    """
    parents: dict[object, object] = {}

    def root(of: object) -> object:
        while parents.setdefault(of, of) != of:
            of = parents[of]
        return of

    for record, values in records.items():
        for value in values:
            parents[root(record)] = root(("value", value))
    for (one, other), kind in decisions.items():
        if kind == "merge" and one in records and other in records:
            parents[root(one)] = root(other)
    groups: dict[object, set[Mark]] = defaultdict(set)
    for record in records:
        groups[root(record)].add(record)
    found = frozenset(frozenset(group) for group in groups.values())
    return _split(found, [frozenset(p) for p, kind in decisions.items() if kind == "split"])


def _split(found: Partition, pairs: Iterable[frozenset[Mark]]) -> Partition:
    for pair in pairs:
        if any(pair < group for group in found):
            raise AssertionError(f"{sorted(pair)} were split, but others stand with them")
        if pair in found:
            found = (found - {pair}) | {frozenset({record}) for record in pair}
    return found
