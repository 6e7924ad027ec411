"""Compressed files that are damaged, or that unpack to more than they should; foreign formats."""

import bz2
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator

from corpus import EVENTS, LEADS, TEXTS, Bad, adf, fault, packed, prospect, table, whole
from corpus_events import lines

READABLE = (*TEXTS[:4], "app.events")


def plain(entity: str, rows: int = 50) -> bytes:
    """The bytes of a good file."""
    return lines(rows) if entity == "app.events" else table(entity, rows).bytes()


@fault
def a_truncated_gzip() -> Iterator[Bad]:
    for entity in READABLE:
        data = packed(plain(entity, 2000))
        for cut in (12, len(data) // 2, len(data) - 8, len(data) - 1):
            rule = "truncated"
            yield Bad(
                entity, data[:cut], -1, status="quarantined", rule=rule, says="end marker",
                name="data.csv.gz",
            )  # fmt: skip
    data = packed(adf(*(prospect() for _ in range(3))))
    yield Bad(LEADS, data[:-4], -1, status="quarantined", rule="truncated", says="end marker")


@fault
def gzip_with_something_after_it() -> Iterator[Bad]:
    for entity in READABLE:
        data = plain(entity, 5)
        yield Bad(entity, packed(data) + bytes(1000), 5)
        yield whole(entity, packed(data) + b"rubbish", "unreadable", "damaged gzip data", -1)


@fault
def gzip_of_several_members() -> Iterator[Bad]:
    for entity in READABLE:
        data = plain(entity, 5)
        cuts = [data[:10], data[10:50], b"", data[50:]]
        yield Bad(entity, b"".join(map(packed, cuts)), 5)


@fault
def gzip_with_flipped_bytes() -> Iterator[Bad]:
    for entity in READABLE:
        data = packed(plain(entity, 2000))
        for place in (len(data) // 2, len(data) - 6):
            damaged = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
            yield whole(entity, damaged, "unreadable", "damaged gzip data", -1)
        yield whole(entity, data[:10] + b"\xff" * 40, "unreadable", "damaged gzip data")


@fault
def gzip_within_gzip() -> Iterator[Bad]:
    for entity in READABLE:
        data = packed(packed(plain(entity)))
        yield whole(entity, data, "wrong_format", "compressed twice")


@fault
def a_gzip_bomb() -> Iterator[Bad]:
    # 1,000 times, the most that deflate can; larger ones are where the memory is measured
    zeros, blanks = packed(bytes(10 << 20)), packed(b" \n" * (5 << 20))
    for entity in ("app.events", "partner.members"):
        yield whole(entity, zeros * 2, "wrong_format", "zero bytes")
    yield whole("partner.members", blanks * 3, "unreadable", "megabytes of blanks")
    data = plain("partner.members")
    yield whole("partner.members", blanks + packed(data), "unreadable", "megabytes of blanks")
    yield whole(LEADS, packed(b"<adf>") + blanks * 3, "too_large", "larger than 16 MiB", -1)


@fault
def formats_of_no_contract() -> Iterator[Bad]:
    data = plain("partner.members")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("../../members.csv", data)
    kinds = {
        "bzip2": bz2.compress(data),
        "xz": lzma.compress(data),
        "zstd": b"\x28\xb5\x2f\xfd" + os.urandom(200),
        "7z": b"7z\xbc\xaf\x27\x1c" + os.urandom(200),
        "PDF": b"%PDF-1.7\n" + os.urandom(200),
        "Parquet": b"PAR1" + os.urandom(200) + b"PAR1",
        "SQLite": b"SQLite format 3\0" + bytes(500),
    }
    for entity in ("partner.members", "app.events", LEADS):
        for kind, content in kinds.items():
            yield whole(entity, content, "wrong_format", kind)
    for entity in ("app.events", LEADS):
        yield whole(entity, archive.getvalue(), "wrong_format", "a zip archive")
    yield whole("partner.members", archive.getvalue(), "unreadable", "no .xlsx in it")


@fault
def noise() -> Iterator[Bad]:
    # compressed noise: the same in every run, and no format at all
    data = zlib.compress(b"".join(n.to_bytes(3, "big") for n in range(20_000)))
    for entity in TEXTS:
        yield Bad(entity, data, -1, status="quarantined", rule="required_column_missing")
    for entity in EVENTS:
        yield Bad(entity, data, -1, -1, rule="broken_json not_an_object nested_too_deep")
    yield whole(LEADS, data, "unreadable", "no <adf> element", -1)
