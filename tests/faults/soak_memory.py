"""Memory of every long-lived process of a home over time, and whether it grows."""

import math
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from zhongtai.service.processes import load_services
from zhongtai.settings import Settings

MEGABYTE = 2**20
# What a process may gain over the time that is looked at, whatever its size, and for its size.
ALLOWED_BYTES = 16 * MEGABYTE
ALLOWED_SHARE = 0.05
# The first part of a process's life fills caches.
WARM_UP = 0.25
FEWEST_SAMPLES = 20


@dataclass(frozen=True)
class Growth:
    """The straight line through the samples of one process; sizes in bytes."""

    name: str
    seconds: float
    mean: float
    gained: float
    doubt: float

    @property
    def is_steady(self) -> bool:
        """Whether what it gained for certain (by two standard errors) is within what is allowed."""
        return self.gained - self.doubt <= max(ALLOWED_BYTES, ALLOWED_SHARE * self.mean)

    def __str__(self) -> str:
        gained, doubt, mean = (n / MEGABYTE for n in (self.gained, self.doubt, self.mean))
        return f"{self.name}: {mean:.0f} MB, {gained:+.1f} ± {doubt:.1f} MB in {self.seconds:.0f} s"


def fit(name: str, samples: list[tuple[float, float]]) -> Growth:
    """Least squares over (seconds, bytes), the warm-up left out."""
    first, last = samples[0][0], samples[-1][0]
    kept = [(at, size) for at, size in samples if at >= first + WARM_UP * (last - first)]
    count, span = len(kept), kept[-1][0] - kept[0][0]
    mean_at = sum(at for at, _ in kept) / count
    mean = sum(size for _, size in kept) / count
    spread = sum((at - mean_at) ** 2 for at, _ in kept)
    slope = sum((at - mean_at) * (size - mean) for at, size in kept) / spread
    rest = sum((size - mean - slope * (at - mean_at)) ** 2 for at, size in kept)
    error = math.sqrt(rest / max(count - 2, 1) / spread)
    return Growth(name, span, mean, slope * span, 2 * error * span)


def own_memory(process: psutil.Process) -> int:
    """Bytes that a process has for itself, memory that is made to be shared left out.

    Of PostgreSQL's shared buffers, which are bounded, one process may be the only one left that has
    touched most; the system then counts them as its own.
    """
    return sum(
        region.private_dirty + region.private_clean
        for region in process.memory_maps(grouped=True)
        if not region.path.startswith(("/dev/zero", "/dev/shm", "/SYSV"))  # noqa: S108
    )


def _work_of(process: psutil.Process) -> str:
    """What a process of PostgreSQL is for, as its title says: a helper's name, or user and base."""
    try:
        title = " ".join(process.cmdline())
    except psutil.Error:
        return ""
    if not title.startswith("postgres: "):
        return ""
    return f" ({' '.join(title.removeprefix('postgres: ').split()[:2])})"


@dataclass
class MemoryWatch:
    """Samples the memory that each process of the services has for itself, in a thread."""

    settings: Settings
    every: float = 3.0
    samples: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def __enter__(self) -> "MemoryWatch":
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self.every):
            for name, process in self._processes():
                try:
                    size = own_memory(process)
                except psutil.Error:
                    continue
                self.samples[name].append((time.monotonic(), float(size)))

    def _processes(self) -> list[tuple[str, psutil.Process]]:
        found = []
        services = load_services(self.settings)
        roots = list(services.running().items()) if services else []
        pid_file = Path(self.settings.path("postgres", "postmaster.pid"))
        if pid_file.exists():
            roots.append(("postgres", psutil.Process(int(pid_file.read_text().split("\n")[0]))))
        for name, root in roots:
            try:
                family = [root, *root.children(recursive=True)]
            except psutil.Error:
                continue
            found += [(f"{name} {process.pid}{_work_of(process)}", process) for process in family]
        return found

    def growths(self) -> list[Growth]:
        """Of the processes that lived for most of the time, the largest first."""
        spans = {name: s[-1][0] - s[0][0] for name, s in self.samples.items()}
        longest = max(spans.values(), default=0.0)
        lasting = [
            fit(name, samples)
            for name, samples in self.samples.items()
            if spans[name] >= 0.75 * longest and len(samples) >= FEWEST_SAMPLES
        ]
        return sorted(lasting, key=lambda growth: -growth.mean)
