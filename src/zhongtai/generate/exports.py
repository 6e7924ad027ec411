"""Generates the exports of a made-up world."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path

from zhongtai.errors import ConfigurationError
from zhongtai.generate.aftersales import aftersales_frames
from zhongtai.generate.app import app_events
from zhongtai.generate.crm import crm_frames
from zhongtai.generate.dirt_files import disturb
from zhongtai.generate.dirt_values import DirtLog, soil
from zhongtai.generate.dms import dms_frames
from zhongtai.generate.frames import Frame
from zhongtai.generate.governance import governance_frames
from zhongtai.generate.miniprogram import miniprogram_events
from zhongtai.generate.parcels import plain_parcels
from zhongtai.generate.partner import partner_frames
from zhongtai.generate.post import Delivered, deliver
from zhongtai.generate.retelling import retell
from zhongtai.generate.sensors import spoil_times
from zhongtai.generate.service import service_frames
from zhongtai.generate.spelling import Spelled
from zhongtai.generate.timeline import DEFAULT_START, Timeline
from zhongtai.generate.truth import Truth, write_summary
from zhongtai.generate.truth_metrics import write_metric_truth
from zhongtai.generate.website import website_frames
from zhongtai.generate.workforce import workforce_frames
from zhongtai.generate.world import World, build_world

DEFAULT_DIRT = 0.02
_MOST_PEOPLE = 10_000_000  # who asks for more mistyped it, and would fill the memory
BUILDERS = (
    crm_frames,
    service_frames,
    governance_frames,
    dms_frames,
    aftersales_frames,
    partner_frames,
    workforce_frames,
)
HOLIDAYS = Path(__file__).parents[3] / "seeds" / "holidays.csv"


@dataclass(frozen=True)
class Summary:
    """What was generated. `as_of` is the ISO instant that the truth is meant for."""

    people: int
    days: int
    as_of: str
    files: int
    rows: dict[str, int]
    dirt_kinds: int
    folder: Path = field(repr=False)


def generate(  # noqa: PLR0913 - all of them describe the world, by name
    out: Path,
    *,
    people: int,
    days: int,
    seed: int,
    start: date | None = None,
    waves: int = 1,
    dirt: float = DEFAULT_DIRT,
) -> Summary:
    """Write the exports of `people` persons over `days` days below `out`, with the truth beside.

    The same arguments give the same bytes. `start` is the first local day; `waves` splits the
    deliveries into that many landing folders as well; `dirt` is the share of dirty cells.
    Raises ConfigurationError for a folder that is in use or numbers that make no world.
    """
    _refuse_nonsense(out, people, days, waves, dirt)
    timeline = Timeline(start or DEFAULT_START, days, waves)
    world = build_world(seed, timeline, people)
    log = DirtLog()
    truth = Truth(out / "truth")
    delivered: list[Delivered] = []
    counts: dict[str, int] = {}
    for spelled in _soiled(world, dirt, log):
        counts[spelled.frame.entity.full_name] = len(spelled.frame)
        if len(spelled.frame):
            parcels = disturb(plain_parcels(spelled, timeline), timeline, log)
            delivered += deliver(out, timeline, parcels)
        truth.add(spelled.frame)
    truth.write(world, delivered, log)
    write_metric_truth(truth.folder, timeline.as_of, HOLIDAYS)
    summary = Summary(
        people=people,
        days=days,
        as_of=timeline.as_of.isoformat(),
        files=len(delivered),
        rows=counts,
        dirt_kinds=len(log.covered),
        folder=out,
    )
    given = {"seed": seed, "start": timeline.start, "waves": waves, "dirt": dirt}
    write_summary(truth.folder, {**asdict(replace(summary, folder=Path())), **given})
    return summary


def _soiled(world: World, dirt: float, log: DirtLog) -> Iterator[Spelled]:
    as_of = world.timeline.end
    for clean in all_frames(world):
        frame = retell(world, clean)
        is_event = frame.entity.format == "jsonl"
        timed = spoil_times(frame, as_of) if is_event else frame
        yield soil(timed, world.seed, dirt, log)


def all_frames(world: World) -> Iterator[Frame]:
    """Return the clean rows of every entity, one after the other."""
    yield app_events(world)
    yield miniprogram_events(world)
    yield from website_frames(world)
    for build in BUILDERS:
        yield from build(world)


def _refuse_nonsense(out: Path, people: int, days: int, waves: int, dirt: float) -> None:
    is_size = 50 <= people <= _MOST_PEOPLE and days >= 3
    if not is_size or not 1 <= waves <= days or not 0 <= dirt <= 0.5:
        found = f"people={people}, days={days}, waves={waves}, dirt={dirt}"
        expected = (
            f"50 <= people <= {_MOST_PEOPLE}, days >= 3, 1 <= waves <= days, 0 <= dirt <= 0.5"
        )
        raise ConfigurationError(f"No world of {found}.", hint=f"Use {expected}.")
    if out.exists() and not out.is_dir():
        raise ConfigurationError(f"{out} is a file.", hint="Name a new folder.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {out} cannot be made: {error.strerror}.", hint="Name one you may write."
        ) from error
    if any(out.iterdir()):
        raise ConfigurationError(
            f"The folder {out} is not empty.", hint="Name a new folder: old files would mix in."
        )
