"""The watcher announces each complete delivery once, and again when nobody took notice."""

from pathlib import Path

from zhongtai.arrivals import Arrivals
from zhongtai.database import connect
from zhongtai.settings import Settings


def deliver(settings: Settings, name: str, *, done: bool = True) -> Path:
    path = Path(settings.landing_url, "app", "events", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"type": "track"}\n')
    if done:
        path.with_name(f"{name}.done").touch()
    return path


def names(found: list) -> list[str]:
    return [observation.file for observation in found]


def test_a_delivery_is_new_once_it_is_complete(settings: Settings) -> None:
    arrivals = Arrivals(settings, "app")
    path = deliver(settings, "a.jsonl", done=False)
    assert arrivals.find_new() == []
    path.with_name("a.jsonl.done").touch()
    assert names(arrivals.find_new()) == ["app/events/a.jsonl"]
    assert arrivals.find_new() == []


def test_what_was_announced_stays_announced_for_another_watcher(settings: Settings) -> None:
    deliver(settings, "a.jsonl")
    first = Arrivals(settings, "app")
    first.mark_announced(first.find_new())
    deliver(settings, "b.jsonl")
    assert names(Arrivals(settings, "app").find_new()) == ["app/events/b.jsonl"]


def test_a_watcher_that_died_before_the_event_was_stored_loses_nothing(settings: Settings) -> None:
    deliver(settings, "a.jsonl")
    assert names(Arrivals(settings, "app").find_new()) == ["app/events/a.jsonl"]
    assert names(Arrivals(settings, "app").find_new()) == ["app/events/a.jsonl"]


def test_a_forgotten_announcement_is_made_again(settings: Settings) -> None:
    deliver(settings, "a.jsonl")
    arrivals = Arrivals(settings, "app")
    found = arrivals.find_new()
    arrivals.forget(found)
    assert arrivals.find_new() == found


def test_what_the_ledger_still_lacks_after_an_hour_is_announced_again(settings: Settings) -> None:
    deliver(settings, "a.jsonl")
    arrivals = Arrivals(settings, "app")
    arrivals.mark_announced(arrivals.find_new())
    with connect(settings) as connection:
        connection.execute(
            "update ledger.announcements set announced_at = announced_at - interval '61 minutes'"
        )
    assert names(Arrivals(settings, "app").find_new()) == ["app/events/a.jsonl"]
