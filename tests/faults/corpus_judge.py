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
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(kind).ru_maxrss for kind in kinds) * 1024


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
