"""Produces items in a thread, ahead of their consumer."""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class _Made(Generic[Item]):
    item: Item


@dataclass(frozen=True)
class _Failure:
    error: BaseException


def produce_ahead(items: Iterator[Item], ahead: int = 2) -> Iterator[Item]:
    """The items in order, up to `ahead` of them made while the consumer is busy.

    Worth it where making and using an item both work outside the interpreter lock. An exception
    is raised where the item that failed would have come.
    """
    made: queue.Queue[_Made[Item] | _Failure | None] = queue.Queue(maxsize=ahead)
    stopped = threading.Event()

    def offer(item: _Made[Item] | _Failure | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                made.put(item, timeout=0.1)
                return

    def produce() -> None:
        try:
            for item in items:
                offer(_Made(item))
                if stopped.is_set():
                    return
        except BaseException as error:  # raised again by the consumer
            offer(_Failure(error))
        offer(None)

    thread = threading.Thread(target=produce, name="produce-ahead", daemon=True)
    thread.start()
    try:
        while (made_item := made.get()) is not None:
            if isinstance(made_item, _Failure):
                raise made_item.error
            yield made_item.item
    finally:
        stopped.set()
        thread.join()
