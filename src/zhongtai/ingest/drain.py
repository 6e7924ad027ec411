"""Draining the landing zone: every complete file is read, judged and recorded exactly once."""

import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from zhongtai.access import LOADER
from zhongtai.addresses import masked
from zhongtai.contracts import Contracts
from zhongtai.crash_points import reach
from zhongtai.database import connect
from zhongtai.ingest.archive import move_to_archive
from zhongtai.ingest.judgement import Bench, Judgement, judge
from zhongtai.ingest.parts import Lake
from zhongtai.ingest.report import IngestReport, Progress
from zhongtai.ingest.rules import DeclaredTags, read_null_words
from zhongtai.ingest.settle import Settlement
from zhongtai.ingest.stillness import FileChanged
from zhongtai.ingest.workspace import open_workspace
from zhongtai.landing import Delivery, LandingZone, Stray, Survey, find_deliveries
from zhongtai.ledger import LandingMemory
from zhongtai.locks import PATIENT_SECONDS, shared_lock
from zhongtai.runs import Run, note_landing
from zhongtai.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import psycopg

# Files that are settled together: enough that hashes of earlier parts are read rarely.
_CHUNK_FILES = 32
_CHUNK_BYTES = 512 * 2**20


def drain(
    settings: Settings,
    contracts: Contracts,
    run: Run,
    *,
    source: str | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Ingest what is complete in the landing zone, until nothing complete is left.

    Several processes may drain at once. Raises ConfigurationError for an unknown source; what is
    wrong with a file never raises, it is quarantined.
    """
    settings = settings.acting_as(LOADER)
    with ExitStack() as stack:
        connection = stack.enter_context(connect(settings, autocommit=True))
        note_landing(connection, run, masked(settings.landing_url))
        folder = stack.enter_context(open_workspace(settings))
        # what is read under one set of tombstones is recorded under the same
        stack.enter_context(share_tombstones(settings, connection))
        workers = stack.enter_context(open_workers(settings, run, folder))
        settlement = Settlement(
            settings, connection, run, Lake(settings), stack.enter_context(open_duckdb(settings))
        )
        return _Drain(settings, contracts, settlement, workers, progress).until_empty(source)


def share_tombstones(
    settings: Settings, connection: "psycopg.Connection"
) -> AbstractContextManager[None]:
    """Let no erasure be recorded while files are taken in; others may take in as well."""
    from zhongtai.erasure.tombstones import LOCK

    return shared_lock(settings, connection, LOCK, "erasing somebody", PATIENT_SECONDS)


@contextmanager
def open_duckdb(settings: Settings, share: int = 1) -> Iterator["duckdb.DuckDBPyConnection"]:
    """An in-memory DuckDB for judging; `share` such connections divide the machine."""
    import duckdb

    connection = duckdb.connect(
        config={
            "threads": max(1, settings.threads // share),
            "temp_directory": str(settings.path("tmp", "duckdb")),
        }
    )
    connection.execute(f"set memory_limit = '{settings.memory_limit}'")
    try:
        yield connection
    finally:
        connection.close()


@dataclass(frozen=True)
class Workers:
    """A pool whose tasks each borrow a bench of their own."""

    pool: ThreadPoolExecutor
    benches: "queue.LifoQueue[Callable[[], Bench]]"

    def submit(self, delivery: Delivery) -> "Future[Judgement]":
        """Judge a delivery as soon as a bench is free."""
        return self.pool.submit(self._judge, delivery)

    def _judge(self, delivery: Delivery) -> Judgement:
        bench = self.benches.get()
        try:
            return judge(bench(), delivery)
        finally:
            self.benches.put(bench)


@contextmanager
def open_workers(settings: Settings, run: Run, folder: Path) -> Iterator[Workers]:
    """Workers that judge deliveries of the landing zone, unfinished files in `folder`."""
    from zhongtai.erasure.tombstones import load_suppressor, take_back_lost

    zone = LandingZone(settings.landing_url)
    words = read_null_words(settings.project_dir)
    tags = DeclaredTags(settings.project_dir)
    with connect(settings, autocommit=True) as database:
        take_back_lost(settings, database)
        suppressor = load_suppressor(settings, database)
    # the bench that was used last is the next one: few files open few connections
    benches: queue.LifoQueue[Callable[[], Bench]] = queue.LifoQueue()

    def arrange(own: Path, connections: ExitStack) -> Bench:
        own.mkdir()
        duck = connections.enter_context(open_duckdb(settings, settings.threads))
        return Bench(zone, own, duck, run.as_of, words, tags, suppressor)

    with ExitStack() as connections, ExitStack() as stack:
        for number in range(settings.threads):
            benches.put(cache(partial(arrange, folder / str(number), connections)))
        pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="ingest")
        # on an error the files still in the queue are dropped: they will be found again
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        yield Workers(pool, benches)


class _Drain:
    def __init__(
        self,
        settings: Settings,
        contracts: Contracts,
        settlement: Settlement,
        workers: Workers,
        progress: Progress | None,
    ) -> None:
        self._settings = settings
        self._contracts = contracts
        self._settlement = settlement
        self._workers = workers
        self._progress = progress
        self._zone = LandingZone(settings.landing_url)
        self._memory = LandingMemory(settlement.connection)
        self._report = IngestReport()
        self._failed: dict[str, Exception] = {}

    def until_empty(self, source: str | None) -> IngestReport:
        """Look and settle until a look finds nothing new.

        Where disk, network or memory failed one file, the others are settled before that is raised.
        """
        touched: set[str] = set()
        absent: dict[str, Stray] = {}
        while True:
            survey = self._look(source)
            # a manifest is read as long as there are files that wait for it
            absent |= {stray.file: stray for stray in survey.absent}
            settled, unsettled = self._settle_all(survey)
            touched.update(delivery.contract.name for delivery in survey.complete)
            if not settled:
                break
        for name in sorted(touched):
            self._settlement.remove_orphans(self._contracts[name])
        self._tidy_landing(survey)
        if self._failed:
            raise next(iter(self._failed.values()))
        self._report.waiting = [*survey.waiting, *unsettled, *absent.values()]
        self._report.strays = survey.strays
        return self._report

    def _tidy_landing(self, survey: Survey) -> None:
        """Archive what is settled; what names erased persons is removed, where it is ours."""
        from zhongtai.erasure.landed import remove_named

        remove_named(self._settings, self._settlement.connection)
        if self._settings.archive:
            for contract, file in survey.settled:
                if self._zone.stat(file) is not None:
                    move_to_archive(self._settings, self._zone, contract, file)

    def _look(self, source: str | None) -> Survey:
        return find_deliveries(
            self._zone,
            self._contracts,
            self._memory,
            source=source,
            stable_seconds=self._settings.stable_seconds,
        )

    def _settle_all(self, survey: Survey) -> tuple[int, list[Stray]]:
        """Settle every delivery of a survey; returns how many, and those that did not hold still.

        The files of the next chunk are read while one is settled.
        """
        settled, done = 0, 0
        unsettled: list[Stray] = []
        ahead: list[tuple[Sequence[Delivery], list[Future[Judgement]]]] = []
        chunks = _chunks([d for d in survey.complete if d.file.label not in self._failed])
        while True:
            while len(ahead) < 2 and (chunk := next(chunks, None)):
                ahead.append((chunk, [self._workers.submit(delivery) for delivery in chunk]))
            if not ahead:
                return settled, unsettled
            chunk, futures = ahead.pop(0)
            judged, changed = self._outcomes(chunk, futures)
            unsettled += changed
            settled += self._settle(judged)
            done += len(chunk)
            if self._progress:
                self._progress(chunk[-1].file.label, done, len(survey.complete))

    def _outcomes(
        self, chunk: Sequence[Delivery], futures: Sequence["Future[Judgement]"]
    ) -> tuple[list[Judgement], list[Stray]]:
        """The judgements of a chunk, and the files that could not be judged now."""
        judged, unsettled = [], []
        for delivery, future in zip(chunk, futures, strict=True):
            label = delivery.file.label
            try:
                judged.append(future.result())
            except FileChanged:
                advice = "nothing, if it is still being written: it will be taken in"
                unsettled.append(Stray(label, "changed while it was read", advice))
            except PermissionError:
                advice = "let the user of zhongtai read it"
                unsettled.append(Stray(label, "may not be read: permission denied", advice))
            except Exception as error:  # raised when the others are settled
                self._failed[label] = error
        return judged, unsettled

    def _settle(self, judged: Sequence[Judgement]) -> int:
        """Record judgements of one entity; returns how many files need no further look."""
        if not judged:
            return 0
        contract = judged[0].delivery.contract
        entries = self._settlement.settle(contract, judged)
        self._report.add(entries)
        for judgement in judged:
            _tidy(judgement)
        return len(judged)


def _chunks(deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
    """Deliveries of one entity, in delivery order, a bounded number and size at a time."""
    by_entity = sorted(deliveries, key=lambda d: (d.contract.name, d.order))
    for _, group in groupby(by_entity, key=lambda d: d.contract.name):
        chunk: list[Delivery] = []
        size = 0
        for delivery in group:
            if chunk and (len(chunk) == _CHUNK_FILES or size + delivery.file.bytes > _CHUNK_BYTES):
                yield chunk
                chunk, size = [], 0
            chunk.append(delivery)
            size += delivery.file.bytes
        yield chunk


def _tidy(judgement: Judgement) -> None:
    """Remove what is left of a settled file in the workspace."""
    for file in (judgement.local, judgement.part, judgement.rows_file):
        if file:
            file.unlink(missing_ok=True)
    reach("land.tidied")
