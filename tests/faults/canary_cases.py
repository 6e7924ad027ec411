"""Values that must not get out, in every form in which they could, and where they may be."""

import base64
import codecs
import contextlib
import gzip
import hashlib
import html
import io
import json
import re
import sys
import urllib.parse
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import duckdb
import psycopg
import pytest

from zhongtai import cli

# Below the home: where persons belong. Everything else is searched.
OF_PERSONS = (
    "landing", "lake", "quarantine", "archive", "warehouse", "identity", "exports", "postgres",
    "published/profiles", "published/bitmaps", "erasure",
)  # fmt: skip
# Tables of PostgreSQL where persons belong.
TABLES_OF_PERSONS = ("identity.decisions", "tags.statements", "erasure.tombstones")
_HIDDEN = re.compile(r"published/parquet/[^/]+/profiles/")


def forms(value: str) -> dict[str, bytes]:
    """The value as bytes, in each encoding and digest that a program could write it in."""
    raw = value.encode()
    found = {
        "utf-8": raw,
        "gb18030": value.encode("gb18030"),
        "utf-16-le": value.encode("utf-16-le"),
        "utf-16-be": value.encode("utf-16-be"),
        "json": json.dumps(value)[1:-1].encode(),
        "url": urllib.parse.quote(value).encode(),
        "html": html.escape(value).encode(),
        "html numbers": "".join(f"&#{ord(c)};" for c in value).encode(),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "python bytes": repr(raw)[2:-1].encode(),
    }
    for name in ("md5", "sha1", "sha256"):
        found[name] = hashlib.new(name, raw).hexdigest().encode()
        found[f"{name} base64"] = base64.b64encode(hashlib.new(name, raw).digest()).rstrip(b"=")
    found |= {f"base64 {shift}": text for shift, text in enumerate(_base64(raw))}
    return found


def _base64(raw: bytes) -> Iterator[bytes]:
    """What base64 makes of the bytes wherever they stand in a text: three shifts."""
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw).rstrip(b"=")
        # the first and last letters depend on what stands beside
        yield coded[(0, 2, 3)[shift] : len(coded) - 1]


def mobile_forms(mobile: str) -> dict[str, bytes]:
    """The same of a phone in the spellings that people and programs use; eleven digits."""
    spellings = {mobile, f"+86{mobile}", f"{mobile[:3]}-{mobile[3:7]}-{mobile[7:]}"}
    spellings.add(f"{mobile[:3]} {mobile[3:7]} {mobile[7:]}")
    spellings.add("".join(chr(ord(digit) + 0xFEE0) for digit in mobile))
    return {f"{name} of {one}": form for one in spellings for name, form in forms(one).items()}


def all_forms(values: Iterable[str]) -> dict[bytes, str]:
    """By form what it is of; forms shorter than six bytes would be found by chance."""
    found: dict[bytes, str] = {}
    for value in values:
        of_one = mobile_forms(value) if re.fullmatch(r"1\d{10}", value) else forms(value)
        found |= {form: f"{value} ({name})" for name, form in of_one.items() if len(form) >= 6}
    return found


def search(content: bytes, sought: Mapping[bytes, str]) -> set[str]:
    """What is found in these bytes."""
    return {told for form, told in sought.items() if form in content}


def search_home(home: Path, sought: Mapping[bytes, str]) -> tuple[int, dict[str, set[str]]]:
    """Files below the home outside of where persons belong, with what they should not hold.

    Also the number of files that were searched.
    """
    found: dict[str, set[str]] = {}
    searched = 0
    for file in sorted(home.rglob("*")):
        path = file.relative_to(home).as_posix()
        belongs = path.startswith(tuple(f"{folder}/" for folder in OF_PERSONS))
        if belongs or _HIDDEN.match(path) or file.is_symlink() or not file.is_file():
            continue
        searched += 1
        told = search(path.encode(), sought)
        for content in read_contents(file):
            told |= search(content, sought)
        if told:
            found[path] = told
    return searched, found


def read_contents(file: Path) -> Iterator[bytes]:
    """The bytes of a file, and what it holds unpacked or as rows."""
    raw = file.read_bytes()
    yield raw
    if raw[:2] == b"\x1f\x8b":
        yield gzip.decompress(raw)
    elif raw[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(file) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    elif raw[:4] == b"PAR1":
        yield repr(duckdb.execute("from read_parquet(?)", [str(file)]).fetchall()).encode()
    elif raw[8:12] == b"DUCK":
        with duckdb.connect(file, read_only=True) as opened:
            for schema, table in opened.execute(
                "select schema_name, table_name from duckdb_tables()"
            ).fetchall():
                yield repr(opened.execute(f'from "{schema}"."{table}"').fetchall()).encode()


def search_database(
    connection: psycopg.Connection, sought: Mapping[bytes, str]
) -> tuple[int, dict[str, set[str]]]:
    """The same of every table and view of PostgreSQL that is not of persons."""
    found: dict[str, set[str]] = {}
    tables = connection.execute(
        "select format('%I.%I', n.nspname, c.relname) from pg_class c"
        " join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'v', 'm') and n.nspname in ('ledger', 'publication', 'public',"
        " 'metrics', 'metrics_data', 'erasure', 'tags', 'identity') order by 1"
    ).fetchall()
    searched = 0
    for (table,) in tables:
        if table in TABLES_OF_PERSONS:
            continue
        searched += 1
        rows = connection.execute(f"select t::text from {table} t".encode()).fetchall()
        if told := search("\n".join(row[0] for row in rows).encode(), sought):
            found[table] = told
    return searched, found


def as_utf8(text: str) -> bytes:
    """Text that somebody saw, as bytes to be searched."""
    return codecs.encode(text, "utf-8", "backslashreplace")


def call(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command writes to either stream, its errors as a person sees them included."""
    monkeypatch.setattr(sys, "argv", ["zhongtai", *arguments])
    told = io.StringIO()
    with (
        contextlib.redirect_stdout(told),
        contextlib.redirect_stderr(told),
        contextlib.suppress(SystemExit),
    ):
        cli.main()
    return told.getvalue()
