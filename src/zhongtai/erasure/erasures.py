"""Erasing a person: recorded at once, then completed in every layer.

The caller holds the right to build (the writer lock), on a connection in autocommit mode.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pyarrow as pa

from zhongtai.contracts import Contracts, load_contracts
from zhongtai.database import connect
from zhongtai.erasure import tombstones
from zhongtai.erasure.persons import (
    IDENTIFIER_TYPES,
    ONE_ID,
    VIN_OWNER,
    find_person,
    list_handovers,
    list_values,
)
from zhongtai.erasure.reports import Removal
from zhongtai.erasure.requests import find_due, record_open
from zhongtai.erasure.sweep import Progress, complete_erasures, open_sweep
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.ingest.drain import open_duckdb
from zhongtai.locks import PATIENT_SECONDS, exclusive_lock
from zhongtai.publish.encryption import attach
from zhongtai.runs import Run
from zhongtai.settings import Settings

# A row may be dated a day ahead of the run that takes it in.
_AHEAD = timedelta(days=1)
_BY_REQUEST = "the person asked for it"


@dataclass(frozen=True)
class Asked:
    """An identifier on the command line."""

    kind: str
    value: str


@dataclass(frozen=True)
class Person:
    """Whom an identifier names, and what sources call that person.

    `handovers`: the cars that the person took over from others (VIN), and when (naive UTC).
    """

    one_id: str
    values: pa.Table
    handovers: Sequence[tuple[str, datetime]] = ()


def read_identifier(text: str) -> Asked:
    """TYPE=VALUE. Raises ConfigurationError for anything else."""
    kind, _, value = (part.strip() for part in text.partition("="))
    if kind not in {*IDENTIFIER_TYPES, ONE_ID, VIN_OWNER} or not value:
        raise ConfigurationError(
            "the identifier is not TYPE=VALUE with a type that is known",
            hint=f"TYPE is one of {', '.join((*IDENTIFIER_TYPES, VIN_OWNER, ONE_ID))};"
            " for instance mobile=+8613812345678",
        )
    return Asked(kind, value)


def find_published(settings: Settings, asked: Asked) -> Person:
    """The person behind an identifier, by the published snapshot.

    Raises ZhongtaiError where it names nobody, or is shared by several persons.
    """
    current = settings.path("published", "profiles", "current.duckdb")
    if not current.exists():
        raise ZhongtaiError(
            f"nothing is published in {settings.home} yet, so nobody is known",
            hint="publish first with `zhongtai run`",
        )
    now = datetime.now(UTC).replace(tzinfo=None)
    with open_duckdb(settings) as duck:
        attach(duck, settings, current.resolve(), "kept")
        match = find_person(duck, "kept.main", asked.kind, asked.value, now)
        if match.reason == "shared":
            raise ZhongtaiError(
                f"several persons hold this {asked.kind}, so it erases nobody",
                hint="look at each with `zhongtai explain`, then give a value that the person"
                f" alone has, or {ONE_ID}=u_…",
            )
        if match.one_id is None:
            raise ConfigurationError(
                f"the published snapshot knows nobody by this {asked.kind}",
                hint="see profiles.bridge_user_identifiers; who arrived later is known after"
                " the next `zhongtai run`",
            )
        ids = [match.one_id]
        values = list_values(duck, "kept.main", ids)
        return Person(match.one_id, values, list_handovers(duck, "kept.main", ids))


def count_erasure(settings: Settings, asked: Asked) -> Removal:
    """What would go with the person behind an identifier, by layer; nothing is changed.

    Raises ZhongtaiError where it names nobody, or is shared by several persons.
    """
    contracts = load_contracts(settings.project_dir)
    with connect(settings, autocommit=True) as connection:
        person = find_published(settings, asked)
        return _count(settings, contracts, connection, person)


def _count(
    settings: Settings, contracts: Contracts, connection: psycopg.Connection, person: Person
) -> Removal:
    ids, now = [person.one_id], datetime.now(UTC)
    with open_sweep(settings, contracts, connection, person.values, ids, until=now) as sweep:
        return sweep.count()


def erase_person(  # noqa: PLR0913
    settings: Settings,
    contracts: Contracts,
    connection: psycopg.Connection,
    run: Run,
    person: Person,
    *,
    author: str,
    because: str,
    progress: Progress,
) -> Removal:
    """Erase a person on somebody's word, everywhere. Other open erasures are completed with it."""
    _record(settings, connection, run, [person], ("command", author, because))
    return complete_erasures(settings, contracts, connection, run.run_id, progress)[1]


def erase_requested(
    settings: Settings,
    contracts: Contracts,
    connection: psycopg.Connection,
    run: Run,
    progress: Progress,
) -> bool:
    """Erase whom delivered requests mean by the profiles that were just built.

    True where somebody was erased: the working file is gone then, and has to be built anew.
    """
    due, left = find_due(settings)
    if not settings.erase_on_request:
        left, due = [*left, *(request for one in due for request in one.requests)], []
    record_open(connection, left)
    if not due:
        return False
    progress(f"erase: {len(due)} persons who asked for it")
    found = [Person(one.one_id, one.values, one.handovers) for one in due]
    _record(settings, connection, run, found, ("request", "crm/erasure_requests", _BY_REQUEST))
    complete_erasures(settings, contracts, connection, run.run_id, progress)
    return True


def _record(
    settings: Settings,
    connection: psycopg.Connection,
    run: Run,
    due: Sequence[Person],
    facts: tuple[tombstones.AskedBy, str, str],
) -> None:
    asked_by, author, reason = facts
    erased_until = max(datetime.now(UTC), run.as_of + _AHEAD)
    with (
        exclusive_lock(settings, connection, tombstones.LOCK, "taking files in", PATIENT_SECONDS),
        open_duckdb(settings) as duck,
    ):
        for person in due:
            tombstones.record_erasure(
                settings,
                connection,
                duck,
                person.values,
                [person.one_id],
                handovers=person.handovers,
                asked_by=asked_by,
                author=author,
                reason=reason,
                erased_until=erased_until,
                run_id=run.run_id,
            )
