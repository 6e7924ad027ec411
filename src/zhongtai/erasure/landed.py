"""Files as they were delivered: in the archive, and in a landing zone that is ours to tidy."""

import logging
import shutil
from datetime import datetime
from os.path import normpath
from pathlib import Path

import psycopg

from zhongtai.addresses import masked
from zhongtai.crash_points import reach
from zhongtai.errors import ZhongtaiError
from zhongtai.landing import LandedFile, LandingZone, is_local
from zhongtai.settings import Settings

log = logging.getLogger(__name__)

# The same bytes under another name name the same persons.
_NAMED = (
    "select d.source, d.entity, d.file, d.sha256, d.bytes, d.modified_at, d.run_id"
    " from ledger.deliveries d"
    " where exists (select 1 from ledger.deliveries e join erasure.named_files n"
    " using (delivery_id) where (e.source, e.entity, e.sha256) = (d.source, d.entity, d.sha256))"
)


# Of these, what was delivered to another landing zone.
_UNSEEN = (
    f"select distinct n.file, r.landing from ({_NAMED}) as n"  # noqa: S608  # our own
    " join ledger.runs r using (run_id) where r.landing <> %s order by 1, 2"
)


def is_ours(settings: Settings) -> bool:
    """Whether landed files may be removed: below the home, or where they are archived anyway."""
    landing = settings.landing_url.removeprefix("file://")
    # <home>/../exports is not below the home
    place, home = (Path(normpath(Path(one).absolute())) for one in (landing, settings.path()))
    return settings.archive or (is_local(landing) and place.is_relative_to(home))


def list_named(settings: Settings, connection: psycopg.Connection) -> list[LandedFile]:
    """Landed files of which the ledger knows that they name somebody who was erased."""
    known = _known(connection)
    if not known:
        return []
    zone = LandingZone(settings.landing_url)
    return [
        found
        for found in zone.list()
        if isinstance(found, LandedFile) and (found.label, found.bytes, found.modified_at) in known
    ]


def _known(connection: psycopg.Connection) -> set[tuple[str, int, datetime]]:
    return {
        (file, size, modified_at)
        for _, _, file, _, size, modified_at, _ in connection.execute(_NAMED).fetchall()
    }


def tell_named(settings: Settings, connection: psycopg.Connection) -> list[str]:
    """Paths in the landing zone of what `list_named` finds.

    Of one that cannot be reached, all that may still lie there, and why nobody looked.
    """
    try:
        return sorted(file.label for file in list_named(settings, connection))
    except ZhongtaiError as error:
        files = sorted({file for file, *_ in _known(connection)})
        return [f"{file} (perhaps: {error.message})" for file in files]


def _tell_unseen(settings: Settings, connection: psycopg.Connection) -> list[str]:
    """Files that name erased persons and lay in another landing zone, which nobody looks at."""
    if settings.archive:
        return []  # they were moved when they were taken in
    found = connection.execute(_UNSEEN, [masked(settings.landing_url)])
    return [f"{file} (perhaps: it was delivered to {landing})" for file, landing in found]


def count_named(settings: Settings, connection: psycopg.Connection) -> int:
    """How many files `list_named` finds; none in a zone that cannot be reached."""
    try:
        return len(list_named(settings, connection))
    except ZhongtaiError as error:
        log.warning("landed files are not counted: %s", error.message)
        return 0


def remove_named(settings: Settings, connection: psycopg.Connection) -> list[str]:
    """Remove files that name erased persons, in the archive and the landing zone.

    Returns the paths (in the landing zone) of those that are not ours to remove, and of those that
    were delivered to another one. What they held of others is in the raw zone. May be repeated.
    """
    for source, entity, _, sha256, *_ in connection.execute(_NAMED).fetchall():
        shutil.rmtree(settings.path("archive", source, entity, sha256), ignore_errors=True)
        reach("erase.archive_removed")
    unseen = _tell_unseen(settings, connection)
    if not is_ours(settings):
        return tell_named(settings, connection) + unseen
    found = list_named(settings, connection)
    zone = LandingZone(settings.landing_url)
    for file in found:
        if zone.stat(file) == file:
            zone.remove(file)
            reach("erase.landed_removed")
    return unseen


def remove_or_tell_named(settings: Settings, connection: psycopg.Connection) -> list[str]:
    """The same; what a zone does not let go is told as well.

    An erasure must not end half way where a server does not answer: the next run that takes files
    in removes them.
    """
    try:
        return remove_named(settings, connection)
    except ZhongtaiError as error:
        log.warning("landed files are not removed yet: %s", error.message)
        return tell_named(settings, connection) + _tell_unseen(settings, connection)
