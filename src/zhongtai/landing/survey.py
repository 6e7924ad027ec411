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
from zhongtai.landing.order import file_order
from zhongtai.printable import printable

_DONE = ".done"
# What programs and people put beside data. Anything else below an entity is data whatever its
# name ends with: no contract promises extensions, and a file left out would be a silent loss.
_BESIDE_DATA = re.compile(
    r"_SUCCESS|_STARTED|Thumbs\.db|desktop\.ini|.*\.(?:md5|sha1|sha256|sha512|crc|lock)",
    re.IGNORECASE,
)
# How far the clock of a server may be behind ours while files are still written there.
_CLOCKS_APART = timedelta(minutes=10)
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
    def order(self) -> tuple[datetime, str, str]:
        """Deliveries are processed in this order."""
        label = self.file.label
        return (self.exported_at or _BEGINNING, file_order(label), label)


@dataclass
class Survey:
    """What one look at the landing zone found."""

    complete: list[Delivery] = field(default_factory=list)
    waiting: list[Stray] = field(default_factory=list)
    strays: list[Stray] = field(default_factory=list)
    settled: list[tuple[Contract, LandedFile]] = field(default_factory=list)
    absent: list[Stray] = field(default_factory=list)
    resting: list[timedelta] = field(default_factory=list)  # how much longer; each is in `waiting`


class Memory(Protocol):
    """What earlier looks left behind; the ledger keeps it."""

    def settled(self, contract: Contract, files: Collection[LandedFile]) -> set[LandedFile]:
        """Those of the files that need no second look, since they were loaded as they are."""

    def judged(self, contract: Contract, deliveries: Collection[Delivery]) -> set[LandedFile]:
        """Files of those deliveries that were quarantined whole with the same marker."""

    def recorded(self, contract: Contract, labels: Collection[str]) -> set[str]:
        """Those of the paths under which something was ever recorded."""

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
            advice = "move it to <source>/<entity>/ of a contract in expectations/raw"
            survey.strays.append(Stray(found.label, reason, advice))
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
                reason = "is a marker or checksum, no data"
                survey.strays.append(Stray(file.label, reason, "nothing: no contract wants it"))
            elif path_pattern(self._contract.path).fullmatch(file.label.split("/", 2)[2]):
                data.append(file)
            else:
                wanted = f"does not match {self._contract.path}, the path of {self._contract.name}"
                advice = "deliver it under such a name, or correct the path in the contract"
                survey.strays.append(Stray(file.label, wanted, advice))
        self._report_idle_markers(data, beside, survey)
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
                advice = "write the marker once the file is whole"
                survey.waiting.append(Stray(file.label, f"waits for {file.name}{_DONE}", advice))

    def _manifest(
        self, files: list[LandedFile], beside: dict[str, LandedFile], survey: Survey
    ) -> Iterable[Delivery]:
        holding = self._read_manifests({file.folder for file in files}, beside, survey)
        for file in files:
            entry = holding.get(file.folder, {}).pop(same_name(file.name), None)
            if entry:
                yield Delivery(self._contract, file, entry.marker, entry)
            else:
                reason = "waits for a manifest that names it"
                advice = "write the manifest, with this very name, once the file is whole"
                survey.waiting.append(Stray(file.label, reason, advice))
        self._report_absent(holding, survey)

    def _read_manifests(
        self, folders: set[str], beside: dict[str, LandedFile], survey: Survey
    ) -> dict[str, dict[str, ManifestEntry]]:
        """By folder and file name the entries that hold."""
        entries: dict[str, list[ManifestEntry]] = defaultdict(list)
        for manifest in beside.values():
            if manifest.folder in folders and manifest.name.lower().endswith(SUFFIX):
                content = read_manifest(self._zone, manifest)
                if isinstance(content, Stray):
                    survey.strays.append(content)
                else:
                    entries[manifest.folder].extend(content)
        return {folder: newest(found) for folder, found in entries.items()}

    def _report_absent(self, left: dict[str, dict[str, ManifestEntry]], survey: Survey) -> None:
        """Tell which manifests name files that never came; one line for each manifest."""
        named = {f"{f}/{name}": entry for f, of in left.items() for name, entry in of.items()}
        if not named:
            return
        known = self._memory.recorded(self._contract, named)
        absent: dict[str, list[str]] = defaultdict(list)
        for label, entry in named.items():
            if label not in known:
                absent[entry.manifest].append(entry.name)
        for manifest, names in absent.items():
            first = ", ".join(printable(name) for name in sorted(names)[:3])
            reason = f"names {len(names)} files that are not beside it: {first}"
            survey.absent.append(Stray(manifest, reason, "deliver them, in the same folder"))

    def _report_idle_markers(
        self, data: list[LandedFile], beside: dict[str, LandedFile], survey: Survey
    ) -> None:
        if self._contract.completion != "done":
            return
        labels = {file.label + _DONE for file in data}
        for label in beside:
            if label.endswith(_DONE) and label not in labels:
                reason = "marks a file that is not there"
                survey.strays.append(Stray(label, reason, "deliver the file beside its marker"))

    def _stable(
        self, files: list[LandedFile], _: dict[str, LandedFile], survey: Survey
    ) -> Iterable[Delivery]:
        now = datetime.now(UTC)
        wanted = timedelta(seconds=self._seconds)
        for file in files:
            # a clock that is not ours says little about rest, so the look is remembered
            since = file.modified_at
            within = wanted + _CLOCKS_APART if self._zone.shows_growing else timedelta(0)
            if wanted and now - since < within:
                since = self._memory.unchanged_since(self._contract, file)
            if not wanted or now - since >= wanted:
                yield Delivery(self._contract, file, "")
            else:
                survey.resting.append(wanted - (now - since))
                reason = f"waits until unchanged for {self._seconds} s"
                survey.waiting.append(Stray(file.label, reason, "nothing: it will be taken in"))


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
