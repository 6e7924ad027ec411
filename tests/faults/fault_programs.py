"""What the children of trials do: each function runs in a process of its own, which may be killed.

The arguments are what JSON can carry: `home`, `url` of the database and the `project` folder.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import fault_observations as observations
import fault_world as world
from erasure_cases import PERSONS, find_bytes

from zhongtai import crash_points, pipeline, publish
from zhongtai.database import connect
from zhongtai.erasure.erasures import Asked
from zhongtai.errors import ZhongtaiError
from zhongtai.settings import Settings

AS_OF = datetime(2026, 3, 31, 16, tzinfo=UTC)
BRAVO = Asked("mobile", f"+86{PERSONS['BRAVO']['mobile']}")
Observed = dict[str, Any]


def fill(home: str, url: str, project: str, *, with_models: bool = False) -> list[str]:
    """Two published snapshots, and files for a third; returns the ids of the two."""
    settings = world.settings_of(home, url, project)
    with world.stand_ins(with_models=with_models):
        world.deliver_first(settings)
        first = pipeline.run_once(settings, AS_OF).snapshot_id
        world.deliver_more(settings, 1)
        second = pipeline.run_once(settings, AS_OF).snapshot_id
    world.deliver_more(settings, 2)
    return [str(first), str(second)]


def run(home: str, url: str, project: str) -> str:
    """One shot: what has landed is ingested, built, judged and published."""
    with world.stand_ins():
        return pipeline.run_once(world.settings_of(home, url, project), AS_OF).status


def fill_by_models(home: str, url: str, project: str) -> list[str]:
    """The same by dbt."""
    return fill(home, url, project, with_models=True)


def run_models(home: str, url: str, project: str) -> str:
    """One shot with dbt and the resolution of persons."""
    with world.stand_ins(with_models=True):
        return pipeline.run_once(world.settings_of(home, url, project), AS_OF).status


def converge_models(home: str, url: str, project: str) -> Observed:
    """The run after a killed one, with dbt."""
    seen = look(home, url, project)
    run_models(home, url, project)
    return {"seen": seen, "found": observe(home, url, project)}


def take_in(home: str, url: str, project: str) -> None:
    """Ingest alone."""
    pipeline.ingest(world.settings_of(home, url, project))


def build_and_check(home: str, url: str, project: str) -> None:
    """Build what was ingested, and let the gate judge it."""
    settings = world.settings_of(home, url, project)
    with world.stand_ins():
        run_id = pipeline.build(settings, AS_OF)
        if run_id:
            pipeline.check(settings, run_id)


def make_candidate(home: str, url: str, project: str) -> None:
    """All but the last step."""
    take_in(home, url, project)
    build_and_check(home, url, project)


def publish_candidate(home: str, url: str, project: str) -> None:
    """The last step alone."""
    with world.stand_ins():
        pipeline.publish(world.settings_of(home, url, project))


def roll_back(home: str, url: str, project: str, snapshot_id: str) -> None:
    """Show an earlier snapshot."""
    publish.rollback(world.settings_of(home, url, project), snapshot_id)


def erase(home: str, url: str, project: str) -> bool:
    """Erase one person on a command; False where nobody is known by the identifier any more."""
    settings = world.settings_of(home, url, project)
    try:
        with world.stand_ins():
            pipeline.erase(settings, BRAVO, author="mei", because="ticket 7")
    except ZhongtaiError as error:
        if "knows nobody" not in str(error):
            raise
        return False
    return True


class _Passings(Counter[str]):
    """Counts that remember in which order they grew."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[tuple[str, int]] = []

    def __setitem__(self, point: str, count: int) -> None:
        super().__setitem__(point, count)
        self.order.append((point, count))


def list_passings(function: str, arguments: dict[str, Any]) -> list[tuple[str, int]]:
    """The crash points that a program of this module passes undisturbed: point and occurrence."""
    passed = crash_points._passed = _Passings()
    globals()[function](**arguments)
    return passed.order


def look(home: str, url: str, project: str) -> Observed:
    """What readers see, by store: the snapshots and what they hold."""
    settings = world.settings_of(home, url, project)
    with connect(settings, autocommit=True) as connection:
        return _look(settings, connection)


def _look(settings: Settings, connection: Any) -> Observed:
    seen = {}
    for store, content in observations.read_stores(settings, connection).items():
        ids = sorted({shown for shown, _ in content.values() if shown})
        relations = {table: relation for table, (_, relation) in content.items()}
        seen[store] = {"ids": ids, "content": observations.digest(relations.items()).content}
    return seen


def observe(
    home: str, url: str, project: str, *, sought: Sequence[str] = (), stores: bool = True
) -> Observed:
    """What a home holds, by name: rows and a digest of their content."""
    settings = world.settings_of(home, url, project)
    with connect(settings, autocommit=True) as connection:
        found = observations.observe(settings, connection, stores=stores)
        kept = observations.count_snapshots(settings, connection)
    held = find_bytes(settings.home, set(sought)) if sought else {}
    return {
        **{name: asdict(relation) for name, relation in found.items()},
        **{f"kept: {store}": {"rows": count, "content": ""} for store, count in kept.items()},
        **{f"names the erased: {file}": {"rows": 1, "content": ""} for file in held},
    }


def converge_take_in(home: str, url: str, project: str) -> Observed:
    """The ingestion after a killed one."""
    take_in(home, url, project)
    return {"found": observe(home, url, project, stores=False)}


def converge_build(home: str, url: str, project: str) -> Observed:
    """The build after a killed one, to the end."""
    seen = look(home, url, project)
    build_and_check(home, url, project)
    publish_candidate(home, url, project)
    return {"seen": seen, "found": observe(home, url, project)}


def converge_publish(home: str, url: str, project: str) -> Observed:
    """The publish after a killed one."""
    seen = look(home, url, project)
    publish_candidate(home, url, project)
    return {"seen": seen, "found": observe(home, url, project)}


def converge_run(home: str, url: str, project: str) -> Observed:
    """The run after a killed one, without a human; before it, what readers see meanwhile."""
    seen = look(home, url, project)
    run(home, url, project)
    return {"seen": seen, "found": observe(home, url, project)}


def converge_roll_back(home: str, url: str, project: str, snapshot_id: str) -> Observed:
    """The recovery after a killed rollback, and the same command given again."""
    settings = world.settings_of(home, url, project)
    seen = look(home, url, project)
    publish.recover(settings)
    recovered = look(home, url, project)
    roll_back(home, url, project, snapshot_id)
    return {"seen": seen, "recovered": recovered, "found": observe(home, url, project)}


def converge_erase(home: str, url: str, project: str) -> Observed:
    """The run after a killed erasure completes it; one that was not recorded is asked for again."""
    seen = look(home, url, project)
    run(home, url, project)
    again = erase(home, url, project)
    if again:
        run(home, url, project)
    values = sorted(PERSONS["BRAVO"].values())
    return {"seen": seen, "again": again, "found": observe(home, url, project, sought=values)}


def suffer(function: str, arguments: dict[str, Any], plan: list[Any] | None) -> dict[str, int]:
    """Run a program of this module while calls fail by a plan; how often each kind was called."""
    import fault_io

    fault_io.interpose(arguments["home"], tuple(plan) if plan else None)
    globals()[function](**arguments)
    return dict(fault_io.calls)


def suffer_below(
    function: str, arguments: dict[str, Any], plan: list[Any] | None
) -> dict[str, int]:
    """The same below Python: calls of the C library fail (needs fault_disk.c preloaded)."""
    import ctypes
    import errno

    library = ctypes.CDLL(None)
    kinds = ("open", "write", "fsync", "rename", "remove")
    kind, number, error, lasts = plan or ("open", 0, "EIO", False)
    code = errno.ENOSPC if error == "short" else getattr(errno, error)
    library.fault_arm(
        f"{arguments['home']}/".encode(), kinds.index(kind), ctypes.c_long(number), code,
        int(lasts), int(error == "short"),
    )  # fmt: skip
    globals()[function](**arguments)
    library.fault_count.restype = ctypes.c_long
    return {name: library.fault_count(place) for place, name in enumerate(kinds)}
