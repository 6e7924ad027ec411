"""What a drain did, in numbers."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from zhongtai.landing import Stray
from zhongtai.ledger import Entry

# Called with the file that was settled, how many are settled in this look, and how many it found.
Progress = Callable[[str, int, int], None]


@dataclass
class EntityReport:
    """Deliveries by status and the rows of one entity."""

    loaded: int = 0
    duplicate: int = 0
    quarantined: int = 0
    rows_in: int = 0
    rows_loaded: int = 0
    rows_quarantined: int = 0
    rows_duplicate: int = 0
    rows_suppressed: int = 0

    def add(self, entry: Entry) -> None:
        """Count one ledger entry."""
        setattr(self, entry.status, getattr(self, entry.status) + 1)
        self.rows_in += entry.counts.rows_in
        self.rows_loaded += entry.counts.loaded
        self.rows_quarantined += entry.counts.quarantined
        self.rows_duplicate += entry.counts.duplicate
        self.rows_suppressed += entry.counts.suppressed


@dataclass
class IngestReport:
    """What one drain recorded, by `source.entity`, and what it left in the landing zone."""

    entities: dict[str, EntityReport] = field(default_factory=dict)
    waiting: list[Stray] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)

    def add(self, entries: Sequence[Entry]) -> None:
        """Count ledger entries."""
        for entry in entries:
            name = f"{entry.source}.{entry.entity}"
            self.entities.setdefault(name, EntityReport()).add(entry)

    @property
    def deliveries(self) -> int:
        """How many ledger rows were written."""
        return sum(e.loaded + e.duplicate + e.quarantined for e in self.entities.values())

    def as_dict(self) -> dict[str, object]:
        """The report for machines; holds counts and reasons, no file names and no values."""
        return {
            "entities": {name: vars(entity) for name, entity in sorted(self.entities.items())},
            "waiting": len(self.waiting),
            "strays": len(self.strays),
            "stray_reasons": dict(Counter(stray.reason for stray in self.strays)),
        }
