"""What the ledger must say after each step, in plain Python: nothing of the product is imported.

The rules are those of the input contract: when a file is complete, what it repeats, which rows of
it load. They are written down here a second time, by dicts over what the simulation itself drew.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

# entity and key of the record that a row is about, or goes with
Mark = tuple[str, str]
# file, sha256, status, rows in, loaded, quarantined, duplicate, suppressed
Line = tuple[str, str, str, int, int, int, int, int]
_BEGINNING = datetime.fromtimestamp(0, UTC)
_AHEAD = timedelta(days=1)


@dataclass(frozen=True)
class Row:
    """One row as it was drawn. `names` are identifier values, `marks` the records it is about.

    `fault`: no_key, no_time or broken; `has_phone` is what the tightened rule asks for.
    """

    key: str
    names: frozenset[str] = frozenset()
    marks: frozenset[Mark] = frozenset()
    subject: Mark | None = None
    updated: datetime | None = None
    at: datetime | None = None
    fault: str = ""
    has_phone: bool = True


@dataclass(frozen=True)
class File:
    """The bytes of one file and what was drawn to make them.

    `countable`: the rows that can be counted where the file is refused whole. `is_cut`: the stream
    breaks off. `has_new_header`: its key column has a name that the first contract does not know.
    """

    entity: str
    label: str
    content: bytes
    rows: tuple[Row, ...]
    modified: datetime
    countable: int
    words: frozenset[str]
    is_cut: bool = False
    has_new_header: bool = False

    @cached_property
    def digest(self) -> str:
        """sha256 of the bytes."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def sight(self) -> tuple[str, int, datetime]:
        """What tells one state of a path from another without reading it."""
        return self.label, len(self.content), self.modified

    @property
    def place(self) -> list[str | int]:
        """Sorts paths as people number them; all files of an entity end alike here."""
        return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", self.label)]


@dataclass(frozen=True)
class Manifest:
    """What a source says of one file."""

    exported: datetime
    name: str
    size: int
    digest: str
    rows: int


@dataclass(frozen=True)
class Rules:
    """What the contracts say at the moment."""

    knows_new_header: bool = False
    wants_phone: bool = False


@dataclass
class Entry:
    """One row of the ledger. `fates` has one word for each row."""

    file: File
    marker: object
    exported: datetime | None
    number: int
    status: str
    fates: list[str]
    is_dropped: bool = False

    @property
    def line(self) -> Line:
        """What the ledger must say of it."""
        count = Counter(self.fates)
        return (
            self.file.label, self.file.digest, self.status, len(self.fates), count["loaded"],
            count["quarantined"], count["duplicate"], count["suppressed"],
        )  # fmt: skip


@dataclass
class Ledger:
    """Files as they lie in the landing zone, and what was recorded of them."""

    completion: Mapping[str, str]
    immutable: frozenset[str]
    archives: bool = False
    files: dict[str, File] = field(default_factory=dict)
    done: dict[str, datetime] = field(default_factory=dict)
    manifests: dict[str, list[Manifest]] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    keys: dict[str, set[str]] = field(default_factory=dict)
    gone_names: set[str] = field(default_factory=set)
    gone_marks: set[Mark] = field(default_factory=set)

    def lines(self) -> Counter[Line]:
        """The whole ledger, in no order."""
        return Counter(entry.line for entry in self.entries)

    def drain(self, as_of: datetime, rules: Rules, source: str | None = None) -> None:
        """Record every complete file that is not recorded as it is, of one source or of all."""
        for entity in sorted(self.completion):
            if source in (None, entity.split(".")[0]):
                found = [f for f in self.files.values() if f.entity == entity]
                complete = [(f, *self._marker(f)) for f in found if self._marker(f)]
                complete.sort(key=lambda c: (c[2] or _BEGINNING, c[0].place))
                for file, marker, exported in complete:
                    if not self._is_known(file, marker):
                        self._record(file, marker, exported, as_of, rules)
                if self.archives:
                    self._archive(found)
        self._remove_named()

    def replay(self, as_of: datetime, rules: Rules) -> None:
        """Judge again what is quarantined."""
        ordered = sorted(
            self.entries,
            key=lambda e: (e.exported is not None, e.exported, e.file.place, e.number),
        )
        for entry in ordered:
            if entry.status == "quarantined":
                if not entry.is_dropped:
                    self._judge(entry, as_of, rules)
            elif entry.status == "loaded":
                for number, row in enumerate(entry.file.rows):
                    if entry.fates[number] == "quarantined":
                        entry.fates[number] = self._fate(entry.file, row, as_of, rules)

    def erase(self, names: set[str], marks: set[Mark]) -> None:
        """Forget a person: what is recorded becomes suppressed, what comes is so at once."""
        self.gone_names |= names
        self.gone_marks |= marks
        for entry in self.entries:
            if entry.status == "quarantined":
                self._drop_if_named(entry)
            elif entry.status == "loaded":
                for number, row in enumerate(entry.file.rows):
                    if self._is_gone(row):
                        entry.fates[number] = "suppressed"
        self._remove_named()

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Rows that are in the raw zone, with their entity; repeated keys too."""
        for entry in self.entries:
            if entry.status == "loaded":
                for row, fate in zip(entry.file.rows, entry.fates, strict=True):
                    if fate in ("loaded", "duplicate"):
                        yield entry.file.entity, row

    def _marker(self, file: File) -> tuple[object, datetime | None] | tuple[()]:
        """What makes the file complete and when it was exported; nothing where it is not."""
        match self.completion[file.entity]:
            case "stable":
                return "", None
            case "done":
                done = self.done.get(file.label)
                return (done, None) if done else ()
            case _:
                told = self.manifests.get(file.label)
                if not told:
                    return ()
                newest = max(told, key=lambda m: (m.exported, m.name))
                return (newest.size, newest.digest, newest.rows), newest.exported

    def _is_known(self, file: File, marker: object) -> bool:
        return any(
            entry.file.sight == file.sight
            and (entry.status != "quarantined" or entry.marker == marker)
            for entry in self.entries
        )

    def _archive(self, files: list[File]) -> None:
        """What loads or repeats goes, and what marked it: another file needs another marker."""
        settled = {e.file.sight for e in self.entries if e.status in ("loaded", "duplicate")}
        for file in files:
            if file.sight in settled:
                self.files.pop(file.label)
                self.done.pop(file.label, None)

    def _record(
        self, file: File, marker: object, exported: datetime | None, as_of: datetime, rules: Rules
    ) -> None:
        entry = Entry(file, marker, exported, len(self.entries), "quarantined", [])
        self._judge(entry, as_of, rules)
        if entry.status == "quarantined":
            self._drop_if_named(entry)
        self.entries.append(entry)

    def _judge(self, entry: Entry, as_of: datetime, rules: Rules) -> None:
        """Set the status and the fates of an entry that is not loaded."""
        file = entry.file
        if self._is_refused(entry, rules):
            entry.fates = ["quarantined"] * file.countable
        elif self._is_loaded(file):
            entry.status, entry.fates = "duplicate", ["duplicate"] * len(file.rows)
        else:
            entry.fates = [self._fate(file, row, as_of, rules) for row in file.rows]
            entry.status = "loaded"

    def _is_refused(self, entry: Entry, rules: Rules) -> bool:
        file = entry.file
        truth = (len(file.content), file.digest, len(file.rows))
        is_mismatch = isinstance(entry.marker, tuple) and entry.marker != truth
        return file.is_cut or is_mismatch or (file.has_new_header and not rules.knows_new_header)

    def _is_loaded(self, file: File) -> bool:
        return any(
            e.status == "loaded" and (e.file.entity, e.file.digest) == (file.entity, file.digest)
            for e in self.entries
        )

    def _fate(self, file: File, row: Row, as_of: datetime, rules: Rules) -> str:
        if self._is_gone(row):
            return "suppressed"
        is_ahead = row.at is not None and row.at > as_of + _AHEAD
        if row.fault or is_ahead or (rules.wants_phone and not row.has_phone):
            return "quarantined"
        if file.entity not in self.immutable:
            return "loaded"
        keys = self.keys.setdefault(file.entity, set())
        fate = "duplicate" if row.key in keys else "loaded"
        keys.add(row.key)
        return fate

    def _is_gone(self, row: Row) -> bool:
        return bool(row.names & self.gone_names or row.marks & self.gone_marks)

    def _drop_if_named(self, entry: Entry) -> None:
        """A file that nobody could take apart is not kept where it names an erased person."""
        sought = self.gone_names | {key for _, key in self.gone_marks if "|" not in key}
        if entry.file.words & sought:
            entry.is_dropped = True
            entry.fates = ["suppressed"] * len(entry.fates)

    def _remove_named(self) -> None:
        """Landed files that are recorded and name somebody who was erased are removed."""
        named = {e.file.digest for e in self.entries if e.is_dropped or "suppressed" in e.fates}
        recorded = {e.file.sight for e in self.entries if e.file.digest in named}
        for label, file in list(self.files.items()):
            if file.sight in recorded:
                del self.files[label]
                self.done.pop(label, None)
