"""Judges one file in a process of its own, and says how much memory that took."""

import json
import resource
import sys
import tempfile
from pathlib import Path

from corpus import BOOKS, CONTRACTS, LEADS, NOW, adf, book, prospect, table
from corpus_events import lines

from zhongtai.ingest.drain import open_duckdb
from zhongtai.ingest.judgement import Bench, Judgement, judge_content
from zhongtai.landing import Delivery, LandedFile, LandingZone
from zhongtai.settings import load_settings


def judge_file(bench: Bench, entity: str, path: Path) -> Judgement:
    """What becomes of a file."""
    file = LandedFile(f"x/{path.name}", str(path), path.stat().st_size, NOW)
    judgement = Judgement(Delivery(CONTRACTS[entity], file, ""), path.name * 8, NOW, path)
    judge_content(bench, judgement)
    return judgement


def peak() -> int:
    """The most memory that this process, or one that it started, held so far, in bytes."""
    started = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    if sys.platform == "darwin":  # in bytes there
        return max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, started)
    # Linux lets ru_maxrss begin with what the parent held, and a parent that has run a thousand
    # tests holds more than the reading of a large file takes: it would seem to take nothing.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    own = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return max(int(own.split()[1]), started) * 1024


def good_file(entity: str) -> bytes:
    """A small file, to load everything that reading one loads."""
    if entity in BOOKS:
        return book(entity)
    if entity == LEADS:
        return adf(prospect())
    return lines(3) if entity.endswith(".events") else table(entity).bytes()


def main() -> None:
    """Arguments: entity, file, memory limit of DuckDB. Prints the verdict as JSON."""
    entity, path, limit = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = load_settings(home=home, database_url="postgresql://none", memory_limit=limit)
        with open_duckdb(settings) as duck:
            bench = Bench(LandingZone(folder), home, duck, NOW, frozenset())
            small = home / "small"
            small.write_bytes(good_file(entity))
            judge_file(bench, entity, small)
            before = peak()
            found = judge_file(bench, entity, path)
    verdict = {
        "grown": peak() - before,
        "rows_in": found.rows_in,
        "rows_out": found.rows_loaded + found.rows_quarantined,
        "rules": sorted({found.rule or "", *(count.rule for count in found.quarantine)}),
    }
    sys.stdout.write(json.dumps(verdict))


if __name__ == "__main__":
    main()
