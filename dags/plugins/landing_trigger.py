"""Tell Airflow that complete deliveries are waiting, in the shared-stream acknowledge mode.

Airflow keeps a trigger's event in memory until the next sync; a plain `run()` trigger that has
already noted the file as seen then loses it with a crash. In acknowledge mode `advance` is called
only once the event is stored, so that is where a delivery is marked as announced.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Hashable, Sequence
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from zhongtai.arrivals import Arrivals, Observation
from zhongtai.errors import ZhongtaiError
from zhongtai.settings import load_settings

log = logging.getLogger(__name__)


class LandingProducer(SharedStreamProducer):
    """Looks at the landing zone of one source; one event per look that finds something new."""

    def __init__(self, source: str) -> None:
        self.settings = load_settings()
        self.arrivals = Arrivals(self.settings, source)

    async def open_stream(self) -> AsyncIterator[tuple[dict[str, Any], list[Observation]]]:
        """Yield counts for the event and the observations that it announces."""
        while True:
            try:
                found = await asyncio.to_thread(self.arrivals.find_new)
            except ZhongtaiError as error:
                # a server that does not answer now may do so at the next look
                log.warning("%s", error)
                found = []
            if found:
                yield {"source": self.arrivals.source, "deliveries": len(found)}, found
            await asyncio.sleep(self.settings.poll_seconds)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Mark as announced what Airflow has stored; the rest is announced again."""
        for item in batch:
            if item.outcome.is_clean:
                await asyncio.to_thread(self.arrivals.mark_announced, item.broker_payload)
            else:
                self.arrivals.forget(item.broker_payload)


class LandingTrigger(BaseEventTrigger):
    """Fires when a source has deliveries that are complete and not yet announced."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Name the class and the arguments to make it again in the triggerer."""
        return "landing_trigger.LandingTrigger", {"source": self.source}

    def shared_stream_key(self) -> Hashable:
        """One stream per source."""
        return ("landing", self.source)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Make the producer; this choice is what turns the acknowledge mode on."""
        return LandingProducer(kwargs["source"])

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[dict[str, Any]]
    ) -> AsyncIterator[TriggerEvent]:
        """Pass every event on: a stream has one source."""
        async for event in shared_stream:
            yield TriggerEvent(event)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Refuse to run outside a shared stream, where a crash would lose events."""
        raise NotImplementedError("LandingTrigger works in the shared-stream acknowledge mode only")
        yield  # makes this an async generator, as the base class declares it
