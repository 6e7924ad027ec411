"""Whatever arrives ends in a terminal state, balanced, with a message that says what to do.

All classes of the corpus are delivered to one landing zone and drained at once, each beside a good
neighbour: what stops the drain, or costs the neighbour, fails here.
"""

import json
import subprocess
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import corpus_books  # noqa: F401 - registers its classes
import corpus_events  # noqa: F401
import corpus_manifests  # noqa: F401
import corpus_markup  # noqa: F401
import corpus_names  # noqa: F401
import corpus_streams  # noqa: F401
import corpus_texts  # noqa: F401
import psycopg
import pyarrow.parquet as pq
import pytest
from corpus import CONTRACTS, CORPUS, Bad, table
from psycopg.rows import dict_row

from zhongtai.advice import ADVICE
from zhongtai.database import connect
from zhongtai.ingest import IngestReport, drain
from zhongtai.landing import Stray
from zhongtai.landing.files import LandingZone
from zhongtai.quarantine import QuarantineItem, list_
from zhongtai.runs import start_run
from zhongtai.settings import Settings, load_settings

from landing_cases import Landing


@dataclass(frozen=True)
class Planted:
    """A bad file in its place; `label` is what the product calls it."""

    bad: Bad
    label: str


@dataclass(frozen=True)
class Drained:
    """The landing zone after one drain."""

    settings: Settings
    planted: dict[str, list[Planted]]
    neighbours: dict[str, str]
    report: IngestReport
    ledger: dict[str, dict[str, Any]]
    items: dict[str, list[QuarantineItem]]

    @property
    def strays(self) -> dict[str, Stray]:
        """What was left in the landing zone."""
        return {stray.file: stray for stray in (*self.report.waiting, *self.report.strays)}


def plant(landing: Landing, place: str, bad: Bad) -> Planted:
    """Put a bad file, with whatever completes it, into a folder of its own."""
    source, entity = bad.entity.split(".")
    folder = landing.root / source / entity / place
    folder.mkdir(parents=True)
    if bad.prepare:
        bad.prepare(folder)
    if bad.plant:
        path = bad.plant(folder)
    elif bad.is_complete and bad.manifest is None:
        name = f"{place}/{bad.name}" if bad.name else ""
        path = landing.deliver(bad.entity, bad.content, name or f"{place}/data.{suffix(bad)}")
    else:
        path = folder / f"data.{suffix(bad)}"
        path.write_bytes(bad.content)
        if bad.manifest is not None:
            write_manifest(path, bad)
    label = LandingZone(str(landing.root))._label(str(path))
    return Planted(bad, label)


def write_manifest(path: Path, bad: Bad) -> None:
    source, entity = bad.entity.split(".")
    given = dict(bad.manifest or {})
    exported_at = given.pop("exported_at", "2026-03-05T12:00:00+08:00")
    content = {"source": source, "entity": entity, "exported_at": exported_at,
               "files": [{"name": path.name, **given}]}  # fmt: skip
    path.with_name("data.manifest.json").write_text(json.dumps(content))


def suffix(bad: Bad) -> str:
    return {"jsonl": "jsonl", "csv": "csv", "adf": "xml", "xlsx": "xlsx"}[
        CONTRACTS[bad.entity].format
    ]


@pytest.fixture(scope="module")
def drained(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drained]:
    """Everything bad, delivered and drained once."""
    template, name = "/zhongtai_template", "/zhongtai_corpus"
    assert template in postgres_server
    home = tmp_path_factory.mktemp("corpus")
    server = postgres_server.replace(template, "/postgres")
    url = postgres_server.replace(template, name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name[1:]} template {template[1:]}")
    settings = load_settings(home=home, database_url=url, stable_seconds=0, threads=2)
    try:
        yield drain_corpus(settings, Landing(Path(settings.landing_url), CONTRACTS))
    finally:
        # some folders are nested more deeply than Python can follow
        subprocess.run(["/bin/rm", "-rf", str(home)], check=True)
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"drop database {name[1:]} with (force)")


def drain_corpus(settings: Settings, landing: Landing) -> Drained:
    planted: dict[str, list[Planted]] = {}
    neighbours = {}
    for kind, generate in CORPUS.classes.items():
        planted[kind] = [
            plant(landing, f"{kind}/{number:03d}", bad) for number, bad in enumerate(generate())
        ]
        entity = planted[kind][0].bad.entity
        good = table(entity, 2).bytes() if CONTRACTS[entity].format == "csv" else None
        entity = entity if good else "dms.dealers"
        file = landing.deliver(entity, good or table(entity, 2).bytes(), f"{kind}/neighbour.csv")
        neighbours[kind] = str(file.relative_to(landing.root))
    with connect(settings) as connection:
        run = start_run(connection, "test")
    report = drain(settings, CONTRACTS, run)
    with connect(settings) as connection:
        cursor = connection.cursor(row_factory=dict_row)
        found = cursor.execute("select * from ledger.deliveries").fetchall()
    items: dict[str, list[QuarantineItem]] = {}
    for item in list_(settings, with_warnings=True):
        items.setdefault(item.file, []).append(item)
    ledger = {row["file"]: row for row in found}
    assert len(ledger) == len(found)
    return Drained(settings, planted, neighbours, report, ledger, items)


# One test, so that one process alone drains the corpus when several run the tests.
def test_every_bad_file_ends_as_it_should_and_its_neighbour_loads(
    drained: Drained, figure: Callable[[str], None]
) -> None:
    files = sum(map(len, drained.planted.values()))
    total = Counter[str]()
    for row in drained.ledger.values():
        total.update({k: v for k, v in row.items() if k.startswith("rows_")})
    figure(
        f"{files} bad files in {len(drained.planted)} classes:"
        f" {len(drained.ledger)} deliveries, {dict(total)}, {len(drained.strays)} left lying"
    )
    assert len(drained.planted) >= 60
    assert files >= 300
    found = {kind: list(faults_of_class(drained, kind)) for kind in drained.planted}
    assert {kind: wrong for kind, wrong in found.items() if wrong} == {}
    nothing_is_left_behind(drained)
    nothing_was_written_outside(drained)
    a_second_drain_finds_nothing(drained)


def faults_of_class(drained: Drained, kind: str) -> Iterator[str]:
    """What is not as it should be about the files of a class, and about their good neighbour."""
    for one in drained.planted[kind]:
        yield from (f"{one.label}: {found}" for found in faults_of(drained, one))
    neighbour = drained.ledger[drained.neighbours[kind]]
    if (neighbour["status"], neighbour["rows_loaded"]) != ("loaded", 2):
        yield f"{neighbour['file']}, a good file, is {neighbour['status']}"


def faults_of(drained: Drained, one: Planted) -> Iterator[str]:
    """What is not as it should be about one file."""
    bad = one.bad
    if bad.status in ("stray", "waiting"):
        yield from faults_of_stray(drained, one)
        return
    row = drained.ledger.get(one.label)
    if row is None:
        yield f"has no ledger row: {drained.strays.get(one.label)}"
        return
    yield from faults_of_counts(row, bad)
    yield from faults_of_evidence(drained, row)
    items = drained.items.get(one.label, [])
    yield from faults_of_messages(row, bad, items)


def faults_of_stray(drained: Drained, one: Planted) -> Iterator[str]:
    left = drained.report.strays if one.bad.status == "stray" else drained.report.waiting
    found = [s for s in left if s.file == one.label or s.file.startswith(f"{one.label}/")]
    if one.label in drained.ledger:
        yield f"was taken in: {drained.ledger[one.label]}"
    if not any(one.bad.says in stray.reason and stray.advice for stray in found):
        yield f"nothing says {one.bad.says!r} and what to do: {found}"
    for stray in found:
        yield from unfit_for_people(f"{stray.file} {stray.reason} {stray.advice}")


def faults_of_counts(row: dict[str, Any], bad: Bad) -> Iterator[str]:
    names = ("rows_loaded", "rows_quarantined", "rows_duplicate", "rows_suppressed")
    if row["rows_in"] != sum(row[name] for name in names):
        yield f"is not balanced: {row}"
    if bad.status == "terminal":
        return
    if row["status"] != bad.status:
        yield f"is {row['status']} ({row['rule']}: {row['reason']}), not {bad.status}"
    if bad.rows >= 0 and row["rows_in"] != bad.rows:
        yield f"has {row['rows_in']} rows in, not {bad.rows}"
    if bad.rows >= 0 and row["rows_loaded"] != bad.loaded:
        yield f"loaded {row['rows_loaded']}, not {bad.loaded} rows ({row['rule']}: {row['reason']})"
    if bad.rows >= 0 and row["rows_duplicate"] != bad.duplicate:
        yield f"has {row['rows_duplicate']} duplicates, not {bad.duplicate}"


def faults_of_evidence(drained: Drained, row: dict[str, Any]) -> Iterator[str]:
    """What the ledger says must be what lies on the disk."""
    settings, sha256 = drained.settings, row["sha256"]
    kept = settings.path("quarantine", row["source"], row["entity"])
    if row["status"] == "loaded":
        part = pq.read_metadata(Path(settings.lake_url, row["part"])).num_rows
        if part != row["rows_loaded"] + row["rows_duplicate"]:
            yield f"has a part of {part} rows"
        if row["rows_quarantined"]:
            aside = pq.read_table(kept / f"{sha256}.parquet")
            if aside.num_rows != row["rows_quarantined"]:
                yield f"has {aside.num_rows} rows in the quarantine"
            for told in aside.select(["line", "reason"]).to_pylist():
                if not (told["line"] > 0 and told["reason"]):
                    yield f"has a quarantined row without line or reason: {told}"
    elif row["status"] == "quarantined" and not any((kept / sha256).iterdir()):
        yield "is not kept in the quarantine"


def faults_of_messages(row: dict[str, Any], bad: Bad, items: list[QuarantineItem]) -> Iterator[str]:
    aside = [item for item in items if item.rows or (item.level == "file" and row["rule"])]
    if bad.rule and not {item.rule for item in aside} & set(bad.rule.split()):
        yield f"is set aside by {[(i.rule, i.reason) for i in aside]}, not by {bad.rule}"
    if bad.says and not any(bad.says in item.reason for item in aside):
        yield f"nothing says {bad.says!r}: {[item.reason for item in aside]}"
    if row["status"] == "quarantined" and not aside:
        yield "is set aside without a word"
    for item in aside:
        if item.level != "value" and item.rule not in ADVICE:
            yield f"nobody knows what to do about {item.rule}"
        yield from unfit_for_people(f"{item.file} {item.reason} {item.column} {item.advice}")


def unfit_for_people(message: str) -> Iterator[str]:
    """Why a message would not do: it is long, garbles a terminal, or speaks of our insides."""
    for word in (
        "the reader failed with",
        "Error",
        "Exception",
        "Traceback",
        "<class",
        "object at",
    ):
        if word in message:
            yield f"the message speaks of our insides: {message[:300]}"
    if len(message) > 5000:
        yield f"the message has {len(message)} characters"
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in message):
        yield f"the message garbles a terminal: {message[:300]!r}"


def a_second_drain_finds_nothing(drained: Drained) -> None:
    with connect(drained.settings) as connection:
        run = start_run(connection, "test")
    again = drain(drained.settings, CONTRACTS, run)
    assert again.deliveries == 0
    assert Counter(s.reason for s in again.strays) == Counter(
        s.reason for s in drained.report.strays
    )


def nothing_is_left_behind(drained: Drained) -> None:
    left = [file.name for file in drained.settings.path("tmp").iterdir() if file.name != "duckdb"]
    assert left == ["ingest.lock"]


def nothing_was_written_outside(drained: Drained) -> None:
    home = drained.settings.path()
    for folder in ("quarantine", "lake"):
        for file in (home / folder).rglob("*"):
            assert file.resolve().is_relative_to(home.resolve())
            assert not file.is_symlink()
    assert not Path("pwned").exists()
