"""Which landed files are complete, by the rule of their contract."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Protocol

from zhongtai.contracts import Contract, Contracts
from zhongtai.landing.files import LandedFile, LandingZone, Stray, same_name
from zhongtai.landing.manifests import SUFFIX, ManifestEntry, newest, read_manifest

_DONE = ".done"
# What programs and people put beside data. Anything else below an entity is data whatever its
# name ends with: no contract promises extensions, and a file left out would be a silent loss.
_BESIDE_DATA = re.compile(
    r"_SUCCESS|_STARTED|Thumbs\.db|desktop\.ini|.*\.(?:md5|sha1|sha256|sha512|crc|lock)",
    re.IGNORECASE,
)
_BEGINNING = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Delivery:
    """One complete file. `marker` is what it was judged complete by."""

    contract: Contract
    file: LandedFile
    marker: str
    entry: ManifestEntry | None = None

    @property
    def exported_at(self) -> datetime | None:
        """When the source says it exported the file."""
        return self.entry.exported_at if self.entry else None

    @property
    def order(self) -> tuple[datetime, str]:
        """Deliveries are processed in this order."""
        return (self.exported_at or _BEGINNING, self.file.label)


@dataclass
class Survey:
    """What one look at the landing zone found."""

    complete: list[Delivery] = field(default_factory=list)
    waiting: list[Stray] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)
    settled: list[tuple[Contract, LandedFile]] = field(default_factory=list)


class Memory(Protocol):
    """What earlier looks left behind; the ledger keeps it."""

    def settled(self, contract: Contract, files: Collection[LandedFile]) -> set[LandedFile]:
        """Those of the files that need no second look, since they were loaded as they are."""

    def judged(self, contract: Contract, deliveries: Collection[Delivery]) -> set[LandedFile]:
        """Files of those deliveries that were quarantined whole with the same marker."""

    def unchanged_since(self, contract: Contract, file: LandedFile) -> datetime:
        """When the file was first seen with this size and time; now, where it is new."""


def find_deliveries(
    zone: LandingZone,
    contracts: Contracts,
    memory: Memory,
    *,
    source: str | None = None,
    stable_seconds: int | None = None,
) -> Survey:
    """The complete files that `memory` does not know yet, in delivery order, and the rest.

    `stable_seconds` overrides the contracts'. Raises ConfigurationError for an unknown source.
    """
    if source is not None:
        contracts.of_source(source)
    survey = Survey()
    by_contract: dict[str, list[LandedFile]] = defaultdict(list)
    for found in zone.list(source):
        if isinstance(found, Stray):
            survey.strays.append(found)
        elif reason := _misplaced(found, contracts):
            survey.strays.append(Stray(found.label, reason))
        else:
            by_contract[".".join(found.label.split("/")[:2])].append(found)
    for name, files in by_contract.items():
        _Entity(zone, contracts[name], memory, stable_seconds).survey(files, survey)
    survey.complete.sort(key=lambda delivery: delivery.order)
    return survey


class _Entity:
    """The look at the files of one contract."""

    def __init__(
        self, zone: LandingZone, contract: Contract, memory: Memory, stable_seconds: int | None
    ) -> None:
        self._zone = zone
        self._contract = contract
        self._memory = memory
        self._seconds = contract.stable_seconds if stable_seconds is None else stable_seconds

    def survey(self, files: list[LandedFile], survey: Survey) -> None:
        data: list[LandedFile] = []
        beside: dict[str, LandedFile] = {}
        for file in files:
            if file.name.lower().endswith((_DONE, SUFFIX)):
                beside[file.label] = file
            elif _BESIDE_DATA.fullmatch(file.name):
                survey.strays.append(Stray(file.label, "is a marker or checksum, no data"))
            elif path_pattern(self._contract.path).fullmatch(file.label.split("/", 2)[2]):
                data.append(file)
            else:
                wanted = f"does not match {self._contract.path}, the path of {self._contract.name}"
                survey.strays.append(Stray(file.label, wanted))
        settled = self._memory.settled(self._contract, data)
        survey.settled.extend((self._contract, file) for file in data if file in settled)
        fresh = [file for file in data if file not in settled]
        if not fresh:
            return
        rules = {"done": self._done, "manifest": self._manifest, "stable": self._stable}
        complete = list(rules[self._contract.completion](fresh, beside, survey))
        judged = self._memory.judged(self._contract, complete)
        survey.complete.extend(delivery for delivery in complete if delivery.file not in judged)

    def _done(
        self, files: list[LandedFile], beside: dict[str, LandedFile], survey: Survey
    ) -> Iterable[Delivery]:
        for file in files:
            done = beside.get(file.label + _DONE)
            if done:
                yield Delivery(self._contract, file, f"done:{done.modified_at.isoformat()}")
            else:
                survey.waiting.append(Stray(file.label, f"waits for {file.name}{_DONE}"))

    def _manifest(
        self, files: list[LandedFile], beside: dict[str, LandedFile], survey: Survey
    ) -> Iterable[Delivery]:
        folders = {file.folder for file in files}
        entries: dict[str, list[ManifestEntry]] = defaultdict(list)
        for manifest in beside.values():
            if manifest.folder in folders and manifest.name.lower().endswith(SUFFIX):
                content = read_manifest(self._zone, manifest)
                if isinstance(content, Stray):
                    survey.strays.append(content)
                else:
                    entries[manifest.folder].extend(content)
        holding = {folder: newest(found) for folder, found in entries.items()}
        for file in files:
            entry = holding.get(file.folder, {}).get(same_name(file.name))
            if entry:
                yield Delivery(self._contract, file, entry.marker, entry)
            else:
                survey.waiting.append(Stray(file.label, "waits for a manifest that names it"))

    def _stable(
        self, files: list[LandedFile], _: dict[str, LandedFile], survey: Survey
    ) -> Iterable[Delivery]:
        now = datetime.now(UTC)
        wanted = timedelta(seconds=self._seconds)
        for file in files:
            # a clock that runs ahead of ours says nothing about rest, so the look is remembered
            since = file.modified_at
            if wanted and since > now:
                since = self._memory.unchanged_since(self._contract, file)
            if not wanted or now - since >= wanted:
                yield Delivery(self._contract, file, "")
            else:
                survey.waiting.append(
                    Stray(file.label, f"waits until unchanged for {self._seconds} s")
                )


def _misplaced(file: LandedFile, contracts: Contracts) -> str:
    """Why no contract can cover the file; empty where one does."""
    parts = file.label.split("/")
    if len(parts) < 3:
        return "is not below <source>/<entity>/"
    if parts[0] not in contracts.sources:
        return f"there is no source {parts[0]!r}"
    if f"{parts[0]}.{parts[1]}" not in contracts:
        return f"source {parts[0]!r} has no entity {parts[1]!r}"
    return ""


@cache
def path_pattern(path: str) -> re.Pattern[str]:
    """A contract's path glob (`**/`, `*`, `?`, `{a,b}`) as a pattern, case ignored."""
    translated = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|"}
    pieces = re.split(r"(\*\*/|[*?{},])", path)
    pattern = "".join(translated.get(piece, re.escape(piece)) for piece in pieces)
    return re.compile(pattern, re.IGNORECASE)
