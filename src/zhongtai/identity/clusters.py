"""Clusters of records that grow by unions, each checked against what contradicts it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from zhongtai.identity.declaration import BIRTH_DATE, NAME
from zhongtai.identity.names import Sound, names_agree

# A type and its scope (hashed): what a person may hold one value of.
Kind = tuple[int, int]


@dataclass(frozen=True)
class Rule:
    """What the resolution needs to know of one identifier type, named by its number."""

    name: str
    max_values: int | None
    window_days: int | None
    contradicted_by: frozenset[str]
    # numbers of the identifier types among contradicted_by
    contradicting: frozenset[int]

    @property
    def minds_names(self) -> bool:
        """Whether different full names refuse a link by this type."""
        return NAME in self.contradicted_by

    @property
    def minds_birth_dates(self) -> bool:
        """Whether different birth dates refuse a link by this type."""
        return BIRTH_DATE in self.contradicted_by


@dataclass
class _Cluster:
    names: set[str] = field(default_factory=set)
    # whether a record says its own name; else it is the name of whose car it is about
    says_name: bool = False
    births: set[int] = field(default_factory=set)
    # values of types that are limited or contradict others
    values: dict[Kind, set[int]] = field(default_factory=dict)
    # how many records of the cluster name each value of a type
    uses: dict[int, Counter[int]] = field(default_factory=dict)
    # values that somebody else may hold as well: phones for when this person does not answer
    backups: set[int] = field(default_factory=set)
    # nodes that a decision keeps apart from this cluster
    apart: set[int] = field(default_factory=set)


class Clusters:
    """A union-find over nodes 0 … size-1 that knows what each cluster holds."""

    def __init__(self, size: int, rules: Mapping[int, Rule], sound: Sound) -> None:
        """Every node alone; `sound` pronounces names."""
        self._parent = list(range(size))
        self._held = [_Cluster() for _ in range(size)]
        self._rules = rules
        self._sound = sound
        self._agreed: dict[tuple[str, str], bool] = {}
        self._backups: set[int] = set()

    def find(self, node: int) -> int:
        """The root of the cluster that holds `node`."""
        parent = self._parent
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def give_name(self, node: int, name: str, *, is_own: bool = True) -> None:
        """Say the full name of a node, or (not its own) of the owner of the car it is about."""
        self._held[node].names.add(name)
        self._held[node].says_name |= is_own

    def give_birth_date(self, node: int, day: int) -> None:
        """Say the birth date of a node, as any number that stands for it."""
        self._held[node].births.add(day)

    def give_value(self, node: int, kind: Kind, value: int) -> None:
        """Say that a node holds a value of a limited or contradicting type."""
        self._held[node].values.setdefault(kind, set()).add(value)

    def give_use(self, node: int, type_no: int, value: int) -> None:
        """Say that a node names a value that links."""
        self._held[node].uses.setdefault(type_no, Counter())[value] += 1

    def give_backup(self, node: int, value: int) -> None:
        """Say that a node names a value as somebody's whom to ask instead."""
        self._held[node].backups.add(value)

    def know_backup(self, value: int) -> None:
        """Say that some record, of these or not, names the value as a backup."""
        self._backups.add(value)

    def is_anyones_backup(self, value: int) -> bool:
        """Whether some record names the value as a backup."""
        return value in self._backups

    def has_backup(self, root: int, value: int) -> bool:
        """Whether a record of the cluster names the value as a backup."""
        return value in self._held[root].backups

    def keep_apart(self, left: int, right: int) -> None:
        """Forbid that two nodes ever come into one cluster."""
        self._held[left].apart.add(right)
        self._held[right].apart.add(left)

    def has_name(self, root: int) -> bool:
        """Whether a full name is known."""
        return bool(self._held[root].names)

    def says_name(self, root: int) -> bool:
        """Whether a record of the cluster says its own full name."""
        return self._held[root].says_name

    def share_name(self, left: int, right: int) -> bool:
        """Whether both clusters hold one full name."""
        return bool(self._held[left].names & self._held[right].names)

    def prefers(self, root: int, type_no: int, value: int) -> bool:
        """Whether no other value of the type is named by more records of the cluster."""
        uses = self._held[root].uses.get(type_no)
        return not uses or uses[value] >= max(uses.values())

    def unite(self, left: int, right: int) -> int:
        """Make two clusters one, whatever contradicts it; returns its root."""
        left, right = self.find(left), self.find(right)
        if left == right:
            return left
        root, other = min(left, right), max(left, right)
        self._parent[other] = root
        held, gone = self._held[root], self._held[other]
        held.names |= gone.names
        held.says_name |= gone.says_name
        held.births |= gone.births
        held.backups |= gone.backups
        held.apart |= gone.apart
        for kind, values in gone.values.items():
            held.values.setdefault(kind, set()).update(values)
        for type_no, uses in gone.uses.items():
            held.uses.setdefault(type_no, Counter()).update(uses)
        self._held[other] = _EMPTY
        return root

    def contradiction(self, left: int, right: int, type_no: int) -> str | None:
        """Why the clusters of two roots are not to be united by this type, or None."""
        one, two, rule = self._held[left], self._held[right], self._rules[type_no]
        if self._is_forbidden(one, two, left, right):
            return "decision"
        reason = self._too_many(one, two, rule)
        if reason:
            return reason
        if (
            rule.minds_birth_dates
            and one.births
            and two.births
            and one.births.isdisjoint(two.births)
        ):
            return "different_birth_date"
        if rule.minds_names and one.names and two.names and not self._agree(one.names, two.names):
            return "different_name"
        return None

    def _is_forbidden(self, one: _Cluster, two: _Cluster, left: int, right: int) -> bool:
        if not one.apart or not two.apart:
            return False
        few, root = (one.apart, right) if len(one.apart) <= len(two.apart) else (two.apart, left)
        return any(self.find(node) == root for node in few)

    def _too_many(self, one: _Cluster, two: _Cluster, rule: Rule) -> str | None:
        for kind in sorted(one.values.keys() & two.values.keys()):
            ours, theirs = one.values[kind], two.values[kind]
            limit = self._rules[kind[0]].max_values
            if limit == 1 or kind[0] in rule.contradicting:
                if ours.isdisjoint(theirs):
                    return f"different_{self._rules[kind[0]].name}"
            elif limit and len(ours | theirs) > max(limit, len(ours), len(theirs)):
                return f"too_many_{self._rules[kind[0]].name}"
        return None

    def _agree(self, ours: Iterable[str], theirs: Iterable[str]) -> bool:
        return any(self._agree_pair(left, right) for left in ours for right in theirs)

    def _agree_pair(self, left: str, right: str) -> bool:
        pair = (left, right) if left <= right else (right, left)
        if pair not in self._agreed:
            self._agreed[pair] = names_agree(*pair, self._sound)
        return self._agreed[pair]


_EMPTY = _Cluster()


def labels_of(clusters: Clusters, nodes: Sequence[int]) -> list[int]:
    """The root of each node."""
    return [clusters.find(node) for node in nodes]
