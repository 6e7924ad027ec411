"""Files that only exist to fill the memory, each judged in a process of its own."""

import gzip
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from corpus import BOOKS, LEADS, book, prospect, table
from corpus_books import SHARED, SHEET
from fault_parts import IS_FULL

MIB = 1 << 20
SIZE = (200 if IS_FULL else 24) * MIB
INFLATED = (1536 if IS_FULL else 300) * MIB
LIMIT = 1024 * MIB
Write = Callable[[Path], None]


def stream(*parts: tuple[bytes, int]) -> Write:
    """Writes each part again and again until it fills its bytes."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            for text, size in parts:
                pour(file.write, text, size)

    return write


def pour(write: Callable[[bytes], object], text: bytes, size: int) -> None:
    if not text:
        return
    block = text * max(1, MIB // len(text))
    while size > len(block):
        write(block)
        size -= len(block)
    write(text * max(1, size // len(text)))


def bomb(text: bytes, size: int) -> Write:
    """Writes gzip that inflates to so many bytes."""

    def write(path: Path) -> None:
        with gzip.open(path, "wb", compresslevel=6) as file:
            pour(file.write, text, size)

    return write


def workbook(member: str, before: bytes, text: bytes, after: bytes, size: int) -> Write:
    """Writes a workbook of which one member goes on for so many bytes."""

    def write(path: Path) -> None:
        source = path.with_suffix(".source")
        source.write_bytes(book(BOOKS[0]))
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", 8) as new:
            for item in old.infolist():
                if item.filename != member:
                    new.writestr(item.filename, old.read(item))
            with new.open(member, "w", force_zip64=True) as file:
                pour(file.write, before, len(before))
                pour(file.write, text, size)
                pour(file.write, after, len(after))
            # so that it inflates less than a bomb does
            new.writestr("xl/media/noise", os.urandom(size // 150))

    return write


TEXT = table("partner.members", 1).bytes()
HEADER = TEXT.split(b"\n", 1)[0] + b"\n"
CELL = b"<si><t>x</t></si>"
ROWS = b"<worksheet><sheetData>"
CASES: dict[str, tuple[str, Write, str]] = {
    "a line of text": ("partner.members", stream((TEXT, 1), (b"x", SIZE)), "record_too_long"),
    "a line within quotes": (
        "partner.members",
        stream((TEXT, 1), (b'"x', SIZE)),
        "record_too_long",
    ),
    "a quote never closed": (
        "partner.members",
        stream((TEXT, 1), (b'"', 1), (b"x,\n", SIZE)),
        "broken_quote too_many_rejects",
    ),
    "nothing but line ends": ("partner.members", stream((TEXT, 1), (b"\n", SIZE)), ""),
    "nothing but commas": ("partner.members", stream((TEXT, 1), (b",", SIZE)), "record_too_long"),
    "short lines that fit no header": (
        "partner.members",
        stream((TEXT, 1), (b"x\n", SIZE)),
        "field_count too_many_rejects",
    ),
    "a first line without an end": ("partner.members", stream((b"a,", SIZE)), "header_too_long"),
    "an event without an end": (
        "app.events",
        stream((b'{"a": "', 1), (b"x", SIZE)),
        "record_too_long",
    ),
    "events that are none": (
        "app.events",
        stream((b"1\n", SIZE // 4)),
        "not_an_object too_many_rejects",
    ),
    "brackets": ("app.events", stream((b"[", SIZE)), "record_too_long"),
    "a gzip bomb": ("app.events", bomb(b"x", INFLATED), "too_large"),
    "a gzip bomb of lines": ("partner.members", bomb(b"\n", INFLATED), ""),
    "a gzip bomb of XML": (LEADS, bomb(b"<adf>", INFLATED), "too_large"),
    "a prospect without an end": (
        LEADS,
        stream((b"<adf><prospect>", 1), (b"<a>", SIZE)),
        "too_large",
    ),
    "tags without an end": (LEADS, stream((b"<adf>", 1), (b"<a ", SIZE)), "too_large"),
    "prospects that are none": (
        LEADS,
        stream((b"<adf>", 1), (b"<prospect><b></prospect>", SIZE // 8)),
        "broken_xml truncated",
    ),
    "leads by the thousand": (
        LEADS,
        stream((b"<adf>", 1), (prospect().encode(), SIZE // 2), (b"</adf>", 1)),
        "",
    ),
    "a row of a sheet without an end": (
        BOOKS[0],
        workbook(SHEET, ROWS, b'<row r="1"><c r="A1"><v>', b"", SIZE),
        "too_large",
    ),
    "rows of a sheet without cells": (
        BOOKS[0],
        workbook(SHEET, ROWS, b"<row></row>", b"</sheetData></worksheet>", SIZE),
        "",
    ),
    "shared texts by the million": (
        BOOKS[0],
        workbook(SHARED, b"<sst>", CELL, b"</sst>", SIZE),
        "required_column_missing",
    ),
    "a workbook described without an end": (
        BOOKS[0],
        workbook("xl/workbook.xml", b"<workbook>", b"<a/>", b"</workbook>", SIZE),
        "too_large",
    ),
}
QUICK = ("a line of text", "a gzip bomb of XML", "a row of a sheet without an end")


@pytest.mark.parametrize("case", CASES if IS_FULL else QUICK)
def test_memory_stays_bounded(tmp_path: Path, case: str, figure: Callable[[str], None]) -> None:
    entity, write, rules = CASES[case]
    path = tmp_path / "large"
    write(path)
    verdict = judged_apart(entity, path)
    path.unlink()
    figure(f"memory, {case}: {verdict['grown'] / MIB:.0f} MiB more, {verdict['rows_in']} rows in")
    assert verdict["grown"] < LIMIT
    assert verdict["rows_in"] == verdict["rows_out"]
    assert not rules or set(verdict["rules"]) & set(rules.split())


def test_growth_does_not_begin_with_what_the_parent_holds() -> None:
    held = b"x" * LIMIT
    folder = str(Path(__file__).parent)
    code = (
        "import sys; sys.path.append(sys.argv[1]); import corpus_judge; print(corpus_judge.peak())"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, check=True)
    assert 10 * MIB < int(done.stdout) < len(held) // 2


def judged_apart(entity: str, path: Path) -> dict[str, int]:
    """The verdict on a file by a process of its own, and by how many bytes that has grown."""
    script = Path(__file__).with_name("corpus_judge.py")
    done = subprocess.run(
        [sys.executable, str(script), entity, str(path), f"{LIMIT // 2 // MIB}MB"],
        capture_output=True, text=True, check=False, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    verdict: dict[str, int] = json.loads(done.stdout)
    return verdict
