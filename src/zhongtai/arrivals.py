"""What has arrived and is not in the ledger yet: announced by the watcher, waited for by builds."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from zhongtai.access import LOADER
from zhongtai.contracts import load_contracts
from zhongtai.database import connect
from zhongtai.errors import ZhongtaiError
from zhongtai.landing import Delivery, LandingZone, find_deliveries
from zhongtai.ledger import LandingMemory
from zhongtai.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Observation:
    """A complete file as the watcher saw it; its judgement is the ingestion's business."""

    file: str
    bytes: int
    modified_at: datetime
    marker: str


class Arrivals:
    """The watcher's view of one source. Not for use by several threads at once."""

    def __init__(self, settings: Settings, source: str) -> None:
        self.source = source
        self._settings = settings.acting_as(LOADER)
        self._zone = LandingZone(settings.landing_url)
        self._contracts = load_contracts(settings.project_dir)
        self._told: set[Observation] = set()

    def find_new(self) -> list[Observation]:
        """Complete deliveries that are neither in the ledger nor announced, in delivery order.

        They count as told until `forget`, so that a look while Airflow stores the event is quiet.
        """
        with connect(self._settings) as connection:
            survey = find_deliveries(
                self._zone,
                self._contracts,
                LandingMemory(connection),
                source=self.source,
                stable_seconds=self._settings.stable_seconds,
            )
            rows = connection.execute(
                "select file, bytes, modified_at, marker from ledger.announcements"
                " where source = %s and announced_at > now() - interval '1 hour'",
                [self.source],
            ).fetchall()
        announced = {Observation(*row) for row in rows} | self._told
        found = [_observe(delivery) for delivery in survey.complete]
        new = [observation for observation in found if observation not in announced]
        self._told = (self._told & set(found)) | set(new)
        return new

    def mark_announced(self, observations: Sequence[Observation]) -> None:
        """Note that Airflow has stored the event of these observations.

        The note holds for an hour: what is still not in the ledger then is announced again.
        """
        with connect(self._settings) as connection, connection.cursor() as cursor:
            cursor.executemany(
                "insert into ledger.announcements (source, file, bytes, modified_at, marker)"
                " values (%s, %s, %s, %s, %s)"
                " on conflict (source, file, bytes, modified_at, marker)"
                " do update set announced_at = clock_timestamp()",
                [(self.source, o.file, o.bytes, o.modified_at, o.marker) for o in observations],
            )
            cursor.execute(
                "delete from ledger.announcements"
                " where source = %s and announced_at < now() - interval '7 days'",
                [self.source],
            )

    def forget(self, observations: Sequence[Observation]) -> None:
        """Announce these again at the next look: Airflow did not store their event."""
        self._told.difference_update(observations)


def _observe(delivery: Delivery) -> Observation:
    file = delivery.file
    return Observation(file.label, file.bytes, file.modified_at, delivery.marker)


def wait_for_ingestion(settings: Settings, at_most_seconds: float) -> None:
    """Wait while something is still on its way into the ledger, but not for long.

    Sources that deliver together are then published together, once: what is complete is waited
    for, and what will be in time when nobody touches it, but no marker and no manifest.
    """
    zone = LandingZone(settings.landing_url)
    contracts = load_contracts(settings.project_dir)
    deadline = time.monotonic() + at_most_seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            with connect(settings.acting_as(LOADER)) as connection:
                survey = find_deliveries(
                    zone,
                    contracts,
                    LandingMemory(connection),
                    stable_seconds=settings.stable_seconds,
                )
        except ZhongtaiError as error:
            # what is loaded already is published all the same
            log.warning("nobody waits for the landing zone: %s", error.message)
            return
        at_rest_in_time = any(rest.total_seconds() < left for rest in survey.resting)
        if not survey.complete and not at_rest_in_time:
            return
        time.sleep(1)
