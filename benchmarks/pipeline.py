"""A full run of sample exports, then a delta run with 1 % of the events, each in a new process.

The floor of the full run is DuckDB reading the delivered files one by one, delimited text already
decoded, into Parquet. The floor of the delta run is the full run.
"""

import gzip
import multiprocessing
import shutil
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.measurements import Breakdown, Measurement

DAYS, SEED = 30, 7
DELTA_SHARE = 0.01
DELTA_BUDGET = 0.10  # of the full run
SLOWEST = 10
T = TypeVar("T")
_MARKERS = (".done", ".manifest.json")


@dataclass(frozen=True)
class RunTimes:
    """What one run took; `steps` and `nodes` are (name, seconds)."""

    status: str
    seconds: float
    steps: tuple[tuple[str, float], ...]
    nodes: tuple[tuple[str, float], ...]
    rows: int


class Stopwatch:
    """Seconds per step, from the progress that a run reports."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.marks: list[tuple[str, float]] = [("start", self.started)]

    def note(self, message: str) -> None:
        """Begin a step; what publishing reports in between belongs to it."""
        step = "publish" if self.marks[-1][0] == "publish" else message.split(":", maxsplit=1)[0]
        if step != self.marks[-1][0]:
            self.marks.append((step, time.perf_counter()))

    def steps(self, ended: float) -> tuple[tuple[str, float], ...]:
        """Each step with its seconds, in order."""
        ends = [at for _, at in self.marks[1:]] + [ended]
        pairs = zip(self.marks, ends, strict=True)
        return tuple((step, end - begun) for (step, begun), end in pairs)


def run_pipeline(home: Path, landing: Path, as_of: datetime) -> RunTimes:
    """One run in this process, start of PostgreSQL included."""
    from zhongtai import pipeline
    from zhongtai.database import connect
    from zhongtai.embedded_server import stop_embedded_server
    from zhongtai.errors import GateHeldError
    from zhongtai.settings import load_settings

    settings = load_settings(home=home, landing=str(landing), stable_seconds=0)
    watch = Stopwatch()
    try:
        status: str = pipeline.run_once(settings, as_of, watch.note).status
    except GateHeldError:
        status = "held"
    ended = time.perf_counter()
    with connect(settings) as connection:
        run_id, rows = connection.execute(
            "select r.run_id, coalesce(sum(d.rows_in), 0)::bigint from ledger.runs r"
            " left join ledger.deliveries d using (run_id)"
            " group by r.run_id order by max(r.started_at) desc limit 1"
        ).fetchone() or ("", 0)
        nodes = connection.execute(
            "select node, seconds from ledger.node_results where run_id = %s order by 2 desc",
            [run_id],
        ).fetchall()
    stop_embedded_server(settings)
    return RunTimes(status, ended - watch.started, watch.steps(ended), tuple(nodes), int(rows))


def decode(content: bytes) -> str:
    """The text of a delivered file in whichever encoding of the sample; nothing is refused."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030", "replace")


def prepare_floor(landing: Path, folder: Path) -> tuple[list[str], int]:
    """What DuckDB is to read, and how many data files there are.

    Its CSV reader speaks UTF-8 only, so delimited text is decoded beforehand, at no cost to the
    floor. Workbooks, XML and archives cut short are left out.
    """
    files = [f for f in sorted(landing.rglob("*")) if f.is_file() and not f.name.endswith(_MARKERS)]
    folder.mkdir()
    readers = []
    for number, file in enumerate(files):
        plain = file.name.removesuffix(".gz")
        if plain.endswith(".jsonl"):
            name = str(file).replace("'", "''")
            options = "format = 'newline_delimited', ignore_errors = true"
            readers.append(f"read_json('{name}', {options})")
        elif plain.endswith(".csv"):
            try:
                content = file.read_bytes()
                text = decode(gzip.decompress(content) if file.suffix == ".gz" else content)
            except (EOFError, OSError, zlib.error):
                continue  # the caller says how many were read
            (folder / f"{number}.csv").write_text(text, "utf-8")
            options = "all_varchar = true, ignore_errors = true, strict_mode = false"
            readers.append(f"read_csv('{folder / str(number)}.csv', {options})")
    return readers, len(files)


def read_with_duckdb(readers: list[str], target: Path) -> tuple[float, int]:
    """Seconds to write each as Parquet, and how many of them DuckDB could read."""
    import duckdb

    target.mkdir()
    read = 0
    started = time.perf_counter()
    with duckdb.connect() as connection:
        for number, reader in enumerate(readers):
            try:
                connection.execute(
                    f"copy (select * from {reader}) to '{target / str(number)}.parquet'"  # noqa: S608  # our own paths
                    " (format parquet, compression zstd)"
                )
            except duckdb.Error:
                continue  # the sample's broken files; the caller says how many were read
            read += 1
    return time.perf_counter() - started, read


def hold_back(landing: Path, aside: Path, share: float) -> tuple[int, int]:
    """Move the last app events into a delivery aside; returns how many, of how many events.

    `share` is meant of all event lines (app and mini-program) that were delivered, copies too.
    """

    def lines_of(file: Path) -> list[bytes]:
        content = file.read_bytes()
        return (gzip.decompress(content) if file.suffix == ".gz" else content).splitlines(True)

    # markers and copies of the sample's damaged files stay as they are: only plain files are cut
    plain = sorted((landing / "app" / "events").rglob("*.jsonl"), reverse=True)
    total = sum(_count_lines(file, lines_of) for file in landing.rglob("*.jsonl*"))
    wanted = max(1, round(total * share))
    held: list[bytes] = []
    for file in plain:
        lines = lines_of(file)
        cut = max(1, len(lines) - (wanted - len(held)))
        held += lines[cut:]
        file.write_bytes(b"".join(lines[:cut]))
        if len(held) >= wanted:
            break
    folder = aside / "app" / "events" / "delta"
    folder.mkdir(parents=True)
    (folder / "delta.jsonl").write_bytes(b"".join(held))
    (folder / "delta.jsonl.done").touch()
    return len(held), total


def _count_lines(file: Path, lines_of: Callable[[Path], list[bytes]]) -> int:
    try:
        return len(lines_of(file))
    except EOFError:
        return 0  # the sample's own truncated file


def _watch_memory(process_id: int, ended: threading.Event, peak: list[float]) -> None:
    """Keep the largest sum, in MB, over a process and its children until `ended`."""
    root = psutil.Process(process_id)
    while not ended.wait(0.25):
        total = 0
        try:
            for process in (root, *root.children(recursive=True)):
                info = process.memory_full_info()
                total += getattr(info, "pss", info.rss)
        except psutil.Error:
            continue  # a child ended between being listed and being looked at
        peak[0] = max(peak[0], total / 2**20)


def _own_process_id() -> int:
    return multiprocessing.current_process().pid or 0


def watched(function: Callable[..., T], *arguments: object) -> tuple[T, float]:
    """What it returns in a process of its own, and the peak MB of that and its children."""
    peak, ended = [0.0], threading.Event()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
        process_id = process.submit(_own_process_id).result()
        watcher = threading.Thread(target=_watch_memory, args=(process_id, ended, peak))
        watcher.start()
        try:
            found = process.submit(function, *arguments).result()
        finally:
            ended.set()
            watcher.join()
    return found, peak[0]


def break_down(name: str, times: RunTimes) -> Breakdown:
    """The steps of a run and its slowest nodes."""
    total = sum(seconds for _, seconds in times.nodes)
    return Breakdown(name, times.steps, times.nodes[:SLOWEST], len(times.nodes), total)


def measure(people: int) -> tuple[list[Measurement], list[Breakdown]]:
    """Full and delta run of the sample exports of `people` persons."""
    from zhongtai.generate.exports import generate

    # a short path: PostgreSQL's socket must fit into 107 characters
    with tempfile.TemporaryDirectory(prefix="zt-bench-") as name:
        folder = Path(name)
        summary = generate(folder / "world", people=people, days=DAYS, seed=SEED)
        landing, as_of = folder / "world" / "landing", datetime.fromisoformat(summary.as_of)
        events, of_events = hold_back(landing, folder / "delta", DELTA_SHARE)
        size = sum(f.stat().st_size for f in landing.rglob("*") if f.is_file()) / 2**20
        readers, files = prepare_floor(landing, folder / "clean")
        floor, read = read_with_duckdb(readers, folder / "floor")
        full, full_peak = watched(run_pipeline, folder / "home", landing, as_of)
        shutil.copytree(folder / "delta", landing, dirs_exist_ok=True)
        delta, delta_peak = watched(run_pipeline, folder / "home", landing, as_of)
    what = f"{people:,} people, {DAYS} days"
    rows = [
        Measurement(
            f"full run, {what}",
            full.seconds,
            f"DuckDB reads the same files, text in UTF-8 → Parquet ({read} of {files})",
            floor,
            None,
            full_peak,
            note=f"{full.status}; {full.rows:,} rows, {size:.0f} MB; PostgreSQL's memory apart",
        ),
        Measurement(
            f"delta run, {events:,} more events ({events / of_events:.2%})",
            delta.seconds,
            "the full run",
            full.seconds,
            DELTA_BUDGET,
            delta_peak,
            note=f"{delta.status}; {delta.rows:,} rows",
        ),
    ]
    return rows, [break_down("Full run", full), break_down("Delta run", delta)]
