"""Small files of all sources, delivered over some time, and what the ledger says of them."""

import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from simulated_landing import Shore
from simulated_ledger import Ledger, Rules
from simulated_world import COMPLETION, IMMUTABLE, World

from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.settings import Settings

SUFFIXES = {"app": "jsonl.gz", "miniprogram": "jsonl", "website": "csv.gz"}


def deliver_all(settings: Settings, contracts: Contracts, files: int, minutes: float) -> Ledger:
    """Deliver small files evenly over the time; returns what the ledger must say of them."""
    headers = {n: [c.delivered for c in contracts[n].columns] for n in COMPLETION}
    world, ledger = World(1, headers), Ledger(COMPLETION, IMMUTABLE)
    shore = Shore(Path(settings.landing_url), ledger)
    started = time.monotonic()
    entities = sorted(COMPLETION)
    for number in range(files):
        entity = entities[number % len(entities)]
        source, _, name = entity.partition(".")
        day = number * 30 // files
        label = f"{source}/{name}/day {day:02d}/{number}.{SUFFIXES.get(source, 'csv')}"
        drawn = world.draw(entity, day, world.random.randint(1, 5))
        file = world.file(entity, label, drawn, world.moment(day))
        shore.deliver(file, file.modified)
        due = started + minutes * 60 * (number + 1) / files
        time.sleep(max(0.0, due - time.monotonic()))
    ledger.drain(datetime.now(UTC), Rules())
    return ledger


def read_counts(settings: Settings) -> dict[str, tuple[int, int]]:
    """By file the rows in and set aside, of everything in the ledger."""
    with connect(settings, autocommit=True) as connection:
        rows = connection.execute(
            "select file, rows_in, rows_quarantined from ledger.deliveries"
        ).fetchall()
    assert len({row[0] for row in rows}) == len(rows), "a file was recorded twice"
    return {file: (rows_in, quarantined) for file, rows_in, quarantined in rows}


def read_loaded(settings: Settings) -> Counter[str]:
    """By entity the rows that were loaded."""
    with connect(settings, autocommit=True) as connection:
        rows = connection.execute(
            "select source || '.' || entity, sum(rows_loaded)::bigint from ledger.deliveries"
            " group by 1"
        ).fetchall()
    return Counter(dict(rows))


def distinct_rows(ledger: Ledger) -> list[tuple[str, str]]:
    """Rows that load whatever the order in which files come: a key of an immutable entity once."""
    rows = [(entity, row.key) for entity, row in ledger.rows()]
    immutable = {row for row in rows if row[0] in IMMUTABLE}
    return [*immutable, *(row for row in rows if row[0] not in IMMUTABLE)]


def compare(settings: Settings, expected: Ledger) -> list[str]:
    """How the ledger differs from what was delivered; empty where it does not."""
    told = {
        entry.file.label: (len(entry.fates), entry.fates.count("quarantined"))
        for entry in expected.entries
    }
    counted = read_counts(settings)
    lines = [f"{file}: {counted.get(file)} instead of {told[file]}" for file in told
             if counted.get(file) != told[file]]  # fmt: skip
    loaded, due = read_loaded(settings), Counter(entity for entity, _ in distinct_rows(expected))
    return lines + [
        f"{e}: {loaded[e]} rows instead of {due[e]}" for e in due if loaded[e] != due[e]
    ]
