"""Days of the published side: publishing, people who decide, roll back and ask to be forgotten."""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from simulated_ledger import Ledger, Mark, Row
from simulated_persons import Decisions, Partition, find_persons, known_records
from simulated_snapshots import Publication
from simulated_world import Cells, World

# kinds of identifiers that name one person whatever their scope
_ASKED_BY = ("mobile", "unionid", "login_id", "crm_customer_id", "member_code", "openid")


@dataclass(frozen=True)
class Snapshot:
    """What a snapshot shows, what its records named, and of which day's publishing it is."""

    persons: Partition
    records: dict[Mark, set[str]]
    number: int


@dataclass
class Published:
    """What the stores must show, and the pairs of records that people decide about.

    Of a pair to split both records name one phone and nothing else; of a pair to merge each stands
    alone. Nobody else names what they name, so the model knows what a decision does.
    """

    seed: int
    publication: Publication
    world: World
    ledger: Ledger
    decisions: Decisions = field(default_factory=Decisions)
    ids: dict[int, int] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    current: str = ""
    pairs: list[tuple[str, Mark, Mark]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(f"published {self.seed}")  # noqa: S311

    def introduce(self, day: int) -> list[tuple[str, list[tuple[Row, Cells]]]]:
        """The rows of another pair, by entity: to be delivered some day."""
        kind = self.random.choice(("split", "merge"))
        one = self.world.newcomer(kind)
        contact = self.world.tell("crm.contacts", one, day)
        if kind == "split":
            other = self.world.tell("crm.leads", one, day)
            self._pair(kind, contact, other)
            return [("crm.contacts", [contact]), ("crm.leads", [other])]
        other = self.world.tell("crm.contacts", self.world.newcomer(kind), day)
        self._pair(kind, contact, other)
        return [("crm.contacts", [contact, other])]

    def _pair(self, kind: str, one: tuple[Row, Cells], other: tuple[Row, Cells]) -> None:
        marks = [row.subject for row, _ in (one, other) if row.subject]
        self.pairs.append((kind, marks[0], marks[1]))

    def publish(self, as_of: datetime, kill_at: int) -> None:
        """Publish what is loaded by now."""
        self.publication.publish(as_of, kill_at=kill_at)
        records = known_records(self.ledger.rows())
        persons = find_persons(records, self.decisions.standing())
        number = 1 + max((s.number for s in self.snapshots.values()), default=0)
        shown = Snapshot(persons, records, number)
        # a process that died may have published the same before
        for snapshot_id in self.publication.list_kept():
            self.snapshots.setdefault(snapshot_id, shown)
        self.current = self._shown_now()
        if self.snapshots[self.current].number != number:
            raise AssertionError(f"{self.current} is shown still, an earlier snapshot")

    def compare(self) -> tuple[dict[str, Partition], dict[str, Partition]]:
        """What the stores show by name, and what each must."""
        found = self.publication.persons()
        expected = self.snapshots[self.current].persons
        stores = ("duckdb", "postgres", "parquet")
        return found, {f"{store} {self.current}": expected for store in stores}

    def decide(self) -> str:
        """Somebody decides about a pair that is published, or takes a decision back."""
        standing = [n for n in self.ids if n not in self.decisions.undone]
        if standing and self.random.random() < 0.4:
            number = self.random.choice(standing)
            self.publication.undo(self.ids[number])
            self.decisions.undone.add(number)
            return f"decision {number} undone"
        known = self.snapshots[self.current].records if self.current else {}
        decided = self.decisions.standing()
        open_pairs = [
            (kind, *sorted((one, other)))
            for kind, one, other in self.pairs
            if one in known and other in known
        ]
        open_pairs = [pair for pair in open_pairs if (pair[1], pair[2]) not in decided]
        if not open_pairs:
            return "nothing to decide"
        kind, one, other = self.random.choice(open_pairs)
        number = self.decisions.add(kind, one, other)
        self.ids[number] = self.publication.decide(kind, one, other)
        return f"{kind} {one} {other}"

    def roll_back(self, kill_at: int) -> None:
        """Show what was published before, where that is kept."""
        before = self.snapshots[self.current].number - 1
        kept = [s for s in self.publication.list_kept() if self.snapshots[s].number == before]
        if kept:
            self.publication.roll_back(kept[-1], kill_at=kill_at)
            self.current = kept[-1]

    def erase(self, as_of: datetime, kill_at: int) -> None:
        """Somebody whom the snapshot knows is forgotten, in all that is kept."""
        if not self.current:
            return
        shown = self.snapshots[self.current]
        roles = {mark for _, one, other in self.pairs for mark in (one, other)}
        asking = []
        for person in sorted(shown.persons, key=sorted):
            names = set().union(*(shown.records[mark] for mark in person))
            asked = sorted(n for n in names if self.world.kinds[n] in _ASKED_BY)
            if asked and not person & roles:
                asking.append((person, names, asked))
        if not asking:
            return
        person, names, asked = self.random.choice(asking)
        value = self.random.choice(asked)
        kind = self.world.kinds[value]
        self.publication.erase(as_of, kind, value, kill_at=kill_at)
        self.ledger.erase(names, set(person))
        for snapshot_id, snapshot in self.snapshots.items():
            left = frozenset(group for group in snapshot.persons if not group & person)
            self.snapshots[snapshot_id] = Snapshot(left, snapshot.records, snapshot.number)

    def _shown_now(self) -> str:
        names = list(self.publication.persons())
        return names[0].split()[1]
