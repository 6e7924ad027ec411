"""Known faults of packages: a file of advisories held against what is installed or locked.

The file comes from elsewhere and is only read: an export of osv.dev (`PyPI/all.zip`, or single
records as JSON or JSON Lines), so that a machine without the internet can be checked as well.
"""

import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from zhongtai.errors import ConfigurationError

_HINT = "give an export of osv.dev for PyPI: all.zip, or its records as .json or .jsonl"
_LOCKED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class Vulnerable:
    """A package that an advisory is about, in the version that was found."""

    package: str
    version: str
    advisory: str
    fixed_in: str
    summary: str


@dataclass(frozen=True)
class Audit:
    """What was held against what."""

    packages: int
    advisories: int
    found: tuple[Vulnerable, ...]


Packages = Mapping[str, frozenset[str]]


def list_installed() -> Packages:
    """The version of each package of this environment, by its canonical name."""
    return _gather((found.metadata["Name"], found.version) for found in metadata.distributions())


def list_locked(file: Path) -> Packages:
    """The versions of each package in a lock file: several, where they differ by platform.

    Raises ConfigurationError where there is no such file.
    """
    if not file.is_file():
        raise ConfigurationError(f"there is no file {file}", hint="name a requirements.lock")
    found = _gather(_LOCKED.findall(file.read_text("utf-8")))
    if not found:
        raise ConfigurationError(f"{file} locks no package", hint="expected lines NAME==VERSION")
    return found


def _gather(pairs: Iterable[tuple[str, str]]) -> Packages:
    found: dict[str, frozenset[str]] = {}
    for name, version in pairs:
        known = found.get(canonicalize_name(name), frozenset())
        found[canonicalize_name(name)] = known | {version}
    return found


def audit(packages: Packages, file: Path) -> Audit:
    """Hold packages (versions by canonical name) against the advisories of a file.

    Raises ConfigurationError where the file is none of advisories: silence would look like safety.
    """
    count, found = 0, []
    for record in _read(file):
        count += 1
        if "withdrawn" in record:
            continue
        for affected in record.get("affected", ()):
            package = affected.get("package", {})
            if package.get("ecosystem") != "PyPI":
                continue
            name = canonicalize_name(str(package.get("name", "")))
            found += [
                _tell(record, affected, name, version)
                for version in packages.get(name, ())
                if _is_affected(affected, version)
            ]
    if not count:
        raise ConfigurationError(f"{file} holds no advisory", hint=_HINT)
    distinct = {(one.package, one.version, one.advisory): one for one in found}
    return Audit(len(packages), count, tuple(distinct[key] for key in sorted(distinct)))


def _tell(
    record: Mapping[str, Any], affected: Mapping[str, Any], name: str, version: str
) -> Vulnerable:
    summary = " ".join(str(record.get("summary", "")).split())[:200]
    return Vulnerable(name, version, str(record["id"]), ", ".join(_list_fixes(affected)), summary)


def _read(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    if name.endswith(".json"):
                        yield _require_record(json.loads(archive.read(name)), file)
            return
        text = file.read_text("utf-8")
        lines = text.splitlines() if file.suffix == ".jsonl" else [text]
        for line in filter(str.strip, lines):
            content = json.loads(line)
            for record in content if isinstance(content, list) else [content]:
                yield _require_record(record, file)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{file} cannot be read as advisories: {error}", hint=_HINT
        ) from error


def _require_record(record: object, file: Path) -> Mapping[str, Any]:
    if not isinstance(record, dict) or "id" not in record:
        raise ConfigurationError(f"{file} holds something that is no advisory", hint=_HINT)
    return record


def _is_affected(affected: Mapping[str, Any], version: str) -> bool:
    if version in affected.get("versions", ()):
        return True
    try:
        ours = Version(version)
        return any(
            _is_within(ours, entry.get("events", ()))
            for entry in affected.get("ranges", ())
            if entry.get("type") == "ECOSYSTEM"
        )
    except InvalidVersion:
        # nobody can compare it: told rather than passed over
        return True


def _is_within(ours: Version, events: list[Mapping[str, str]]) -> bool:
    """Whether the last event at or before our version opens the range."""
    inside = False
    for event in events:
        if "introduced" in event:
            inside |= ours >= Version(event["introduced"])
        elif "fixed" in event:
            inside &= ours < Version(event["fixed"])
        elif "last_affected" in event:
            inside &= ours <= Version(event["last_affected"])
    return inside


def _list_fixes(affected: Mapping[str, Any]) -> list[str]:
    return [
        event["fixed"]
        for entry in affected.get("ranges", ())
        if entry.get("type") == "ECOSYSTEM"
        for event in entry.get("events", ())
        if "fixed" in event
    ]
