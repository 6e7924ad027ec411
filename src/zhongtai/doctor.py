"""Examine an installation: what is wrong, and what to do about it. Reads; mends nothing."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata

import psycopg

from zhongtai.access import LOADER, OPS, PUBLISHER, READERS, ROLES
from zhongtai.addresses import masked
from zhongtai.contracts import Contracts, load_contracts
from zhongtai.database import ADVISORY_LOCKS, connect
from zhongtai.errors import ZhongtaiError
from zhongtai.home import private_folders
from zhongtai.ingest.parts import RESTORE_HINT, Lake
from zhongtai.landing import LandingZone
from zhongtai.publish import current_snapshot, publisher
from zhongtai.quality import balance
from zhongtai.quality.results import Evidence
from zhongtai.settings import Settings

# A build writes the working file anew and three copies of what it publishes.
_ROOM = 4
_LEAST_FREE = 2 * 2**30
_LONGEST_LOCK = timedelta(hours=6)
_CLOCKS_APART = timedelta(seconds=5)
_LEFT_OVER = timedelta(days=1)
_SHOWN = 5
# What roles that read nothing published may enter besides, of what the examination looks at.
_WORKING_IN = {
    LOADER: ("ledger",),
    OPS: ("ledger",),
    PUBLISHER: ("profiles", "ledger", "identity", "profiles_data", "tags"),
}


@dataclass(frozen=True)
class Symptom:
    """Something that is wrong: what was found, and what to do."""

    found: str
    what_to_do: str


@dataclass(frozen=True)
class Diagnosis:
    """One examination: what was looked at, and what is wrong with it (nothing, at best)."""

    name: str
    looked_at: str
    symptoms: tuple[Symptom, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.symptoms


@dataclass(frozen=True)
class Patient:
    """What is examined; `connection` autocommits."""

    settings: Settings
    contracts: Contracts
    connection: psycopg.Connection

    def number(self, query: str) -> int:
        """The one number that a query over the ledger database gives."""
        row = self.connection.execute(query.encode()).fetchone()
        return int(row[0] or 0) if row else 0


Found = tuple[str, list[Symptom]]


def examine(settings: Settings) -> list[Diagnosis]:
    """Make every examination. Raises what `connect` raises where there is no database."""
    contracts = load_contracts(settings.project_dir)
    with connect(settings, autocommit=True) as connection:
        patient = Patient(settings, contracts, connection)
        return [
            Diagnosis(name, looked_at, tuple(symptoms))
            for name, look in EXAMINATIONS.items()
            for looked_at, symptoms in [look(patient)]
        ]


def _examine_versions(_: Patient) -> Found:
    """The packages are installed in versions that the project was tested with."""
    from packaging.requirements import Requirement

    symptoms = []
    pinned = 0
    for requirement in map(Requirement, metadata.requires("zhongtai") or ()):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        pinned += 1
        try:
            installed = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            installed = "not installed"
        if installed not in requirement.specifier:
            told = f"{requirement.name} is {installed}, tested was {requirement.specifier}"
            symptoms.append(Symptom(told, "run `make setup` in the project"))
    return f"{pinned} required packages", symptoms


def _examine_disk(patient: Patient) -> Found:
    """There is room for the next build and publish."""
    settings = patient.settings
    published = settings.path("published")
    used = sum(f.stat().st_size for f in published.rglob("*") if f.is_file() and not f.is_symlink())
    if settings.warehouse_file.exists():
        used += settings.warehouse_file.stat().st_size
    need = max(_LEAST_FREE, _ROOM * used // max(settings.keep_snapshots, 1))
    free = shutil.disk_usage(settings.path()).free
    if free >= need:
        return f"{free >> 20:,} MiB free, {need >> 20:,} needed", []
    told = f"{free >> 20:,} MiB are free, the next build may need {need >> 20:,}"
    return told, [Symptom(told, "free disk space, or lower ZHONGTAI_KEEP_SNAPSHOTS")]


def _examine_modes(patient: Patient) -> Found:
    """What holds personal data can be entered by its owner only."""
    folders = [f for f in private_folders(patient.settings) if f.exists()]
    open_ones = [f for f in folders if f.stat().st_mode & 0o077]
    profiles = patient.settings.path("published", "profiles")
    open_ones += [f for f in profiles.glob("*.duckdb") if f.stat().st_mode & 0o377]
    home = patient.settings.path()
    symptoms = [
        Symptom(
            f"{path.relative_to(home) if path.is_relative_to(home) else path} has mode"
            f" {path.stat().st_mode & 0o777:o}",
            f"chmod {'700' if path.is_dir() else '400'} it, and find out who read it meanwhile",
        )
        for path in open_ones
    ]
    return f"{len(folders)} folders", symptoms


def _examine_roles(patient: Patient) -> Found:
    """The roles are there, and none sees more than it may."""
    symptoms = []
    for role in ROLES:
        query = "select rolsuper or rolcreaterole from pg_roles where rolname = %s"
        row = patient.connection.execute(query, [role]).fetchone()
        if row is None:
            told = f"role {role} is missing"
            symptoms.append(Symptom(told, "run `zhongtai database migrate`: it is made then"))
            continue
        if row[0]:
            told = f"role {role} may do everything"
            symptoms.append(Symptom(told, f"alter role {role} nosuperuser nocreaterole"))
        for schema in ("profiles", "ledger", "identity", "profiles_data", "tags"):
            may = role in READERS.get(schema, ()) or schema in _WORKING_IN.get(role, ())
            can = patient.connection.execute(
                "select has_schema_privilege(%s, %s, 'usage')", [role, schema]
            ).fetchone()
            if can and can[0] and not may and not row[0]:
                told = f"role {role} may enter schema {schema}"
                symptoms.append(Symptom(told, f"revoke usage on schema {schema} from {role}"))
    return ", ".join(ROLES), symptoms


def _examine_locks(patient: Patient) -> Found:
    """Nobody has been building or publishing for hours."""
    rows = patient.connection.execute(
        "select a.pid, a.application_name, a.backend_start"  # noqa: S608  # a constant
        f" from {ADVISORY_LOCKS} join pg_stat_activity a using (pid)"
        " where key in (hashtextextended(%s, 0), hashtextextended(%s, 0))",
        [publisher.WRITER_LOCK, publisher.LOCK],
    ).fetchall()
    old = datetime.now(UTC) - _LONGEST_LOCK
    symptoms = [
        Symptom(
            f"{name or 'a session'} ({pid}) has worked since {since:%Y-%m-%d %H:%M} UTC",
            f"look what it does; select pg_terminate_backend({pid}) ends it, the next run goes on",
        )
        for pid, name, since in rows
        if since < old
    ]
    return f"{len(rows)} locks held", symptoms


def _examine_clocks(patient: Patient) -> Found:
    """Machine and database agree on the time, and no run lies in the future."""
    row = patient.connection.execute("select clock_timestamp()").fetchone()
    now = datetime.now(UTC)
    apart = abs(row[0] - now) if row else timedelta()
    told = f"{apart.total_seconds():.1f} s apart"
    hint = "set both clocks by the same time server: windows mature by them"
    symptoms = [Symptom(f"machine and database are {told}", hint)] if apart > _CLOCKS_APART else []
    future = patient.number(
        "select count(*) from ledger.runs where started_at > clock_timestamp() + interval '1 min'"
    )
    if future:
        symptoms.append(Symptom(f"{future} runs began in the future", hint))
    return told, symptoms


def _examine_landing(patient: Patient) -> Found:
    """The landing zone can be listed."""
    settings = patient.settings
    looked_at = masked(settings.landing_url)
    if not settings.landing and not settings.path("landing").exists():
        return "nothing was delivered yet", []
    try:
        LandingZone(settings.landing_url).check()
    except ZhongtaiError as error:
        return looked_at, [Symptom(error.message, error.hint)]
    return looked_at, []


def _examine_parts(patient: Patient) -> Found:
    """The raw zone holds what the ledger lists, and nothing else."""
    lake = Lake(patient.settings)
    known = {
        row[0]: int(row[1])
        for row in patient.connection.execute("select part, rows from ledger.parts").fetchall()
    }
    found = lake.inspect(known)
    wrong = [f"{p} {n}" for p, n in found.items() if isinstance(n, str)]
    wrong += [
        f"{p} has {n} rows, the ledger says {known[p]}"
        for p, n in found.items()
        if not isinstance(n, str) and n != known[p]
    ]
    symptoms = [Symptom(told, RESTORE_HINT) for told in wrong[:_SHOWN]]
    orphans = [part for c in patient.contracts.values() for part in lake.list_parts(c)]
    unknown = sorted(set(orphans) - set(known))
    if unknown:
        told = f"{len(unknown)} parts are in no ledger row, {unknown[0]} among them"
        symptoms.append(Symptom(told, "nothing: the next delivery of the entity removes them"))
    return f"{len(known)} parts", symptoms


def _examine_balance(patient: Patient) -> Found:
    """Every delivery balances, and its rows are where the ledger says."""
    import duckdb

    spill = str(patient.settings.path("tmp"))
    with duckdb.connect(config={"temp_directory": spill}) as nothing:
        evidence = Evidence(patient.settings, nothing, patient.connection, "")
        results = [check.run(evidence) for check in balance.CHECKS]
    hint = "compare with a backup; `zhongtai status` names the entity"
    symptoms = [Symptom(r.observed, hint) for r in results if r.outcome != "passed"]
    return results[0].observed, symptoms


def _examine_snapshots(patient: Patient) -> Found:
    """Every store shows the same snapshot, whole."""
    current = current_snapshot(patient.connection)
    if current is None:
        return "nothing is published", []
    if publisher.is_complete(patient.settings, patient.connection, current):
        return current, []
    told = f"a store does not hold all of {current}"
    return told, [Symptom(told, "`zhongtai run` builds it anew")]


def _examine_leftovers(patient: Patient) -> Found:
    """Nothing that a killed process left has lain about for a day."""
    folder = patient.settings.path("tmp")
    old = (datetime.now(UTC) - _LEFT_OVER).timestamp()
    left = [f for f in folder.glob("*") if f.lstat().st_mtime < old] if folder.is_dir() else []
    if not left:
        return "no leftovers", []
    told = f"{len(left)} leftovers in {folder.name}/, {left[0].name} among them"
    return told, [Symptom(told, "remove them while nothing runs: they may hold personal data")]


EXAMINATIONS: dict[str, Callable[[Patient], Found]] = {
    "versions": _examine_versions,
    "disk": _examine_disk,
    "modes": _examine_modes,
    "roles": _examine_roles,
    "locks": _examine_locks,
    "clocks": _examine_clocks,
    "landing zone": _examine_landing,
    "raw zone": _examine_parts,
    "ledger": _examine_balance,
    "snapshots": _examine_snapshots,
    "leftovers": _examine_leftovers,
}
