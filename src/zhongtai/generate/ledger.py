"""What the ledger must say of each file: rows in, loaded, quarantined, duplicate."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby

import numpy as np
import pyarrow as pa

from zhongtai.generate.draws import Array
from zhongtai.generate.frames import loads
from zhongtai.generate.post import FILE_VERDICTS, UNCOUNTABLE, Delivered

SCHEMA = pa.schema(
    [
        ("wave", pa.int64()),
        ("source", pa.string()),
        ("entity", pa.string()),
        ("file", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("exported_at", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("rows_in", pa.int64()),
        ("rows_loaded", pa.int64()),
        ("rows_quarantined", pa.int64()),
        ("rows_duplicate", pa.int64()),
        ("row_reasons", pa.string()),
    ]
)


def ledger_of(delivered: Iterable[Delivered], *, by_wave: bool) -> pa.Table:
    """Return one row per complete delivery, in the order in which files are to be taken.

    Within a wave (or the whole landing folder) files of an entity are taken by the manifest's
    export time, then by path. `rows_in` and its parts are null where a spoilt file's rows cannot
    be counted; a file that is not complete has status `not_complete` and is not in the ledger.
    Without `by_wave` a file that was written again under its name counts in its last form only.
    """
    files = list(delivered)
    if not by_wave:
        files = list({file.parcel.path: file for file in files}.values())

    def order(file: Delivered) -> tuple[str, int, int, str]:
        manifest = file.parcel.entity.completion == "manifest"
        wave = file.wave if by_wave else 0
        return (
            file.parcel.entity.full_name,
            wave,
            file.exported_at if manifest else 0,
            file.parcel.path,
        )

    rows: list[dict[str, object]] = []
    ordered = sorted(files, key=order)
    for _, group in groupby(ordered, key=lambda file: file.parcel.entity.full_name):
        rows += _judge(list(group))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _judge(files: list[Delivered]) -> list[dict[str, object]]:
    """Return the verdicts on the files of one entity, taken in this order."""
    known_bytes: set[str] = set()
    known_rows = np.zeros(len(files[0].parcel.spelled.frame), dtype=bool)
    rows = []
    for file in files:
        verdict, counts = _verdict(file, known_bytes), (0, 0, 0)
        total = len(file.identity)
        if verdict == "loaded":
            counts = _count(file, known_rows)
            known_bytes.add(file.sha256)
        elif verdict == "duplicate":
            counts = (0, 0, total)
        elif verdict == "quarantined":
            counts = (0, total, 0)
        rows.append(_row(file, verdict, counts))
    return rows


def _verdict(file: Delivered, known_bytes: set[str]) -> str:
    if file.parcel.damage == "no_marker":
        return "not_complete"
    if file.parcel.damage in FILE_VERDICTS:
        return "quarantined"
    return "duplicate" if file.sha256 in known_bytes else "loaded"


def _count(file: Delivered, known: Array) -> tuple[int, int, int]:
    """Return rows loaded, quarantined and duplicate; mark in `known` the rows that are loaded."""
    good = file.identity[loads(file.fates)]
    quarantined = len(file.identity) - len(good)
    if not file.parcel.entity.is_immutable:
        return len(good), quarantined, 0
    before = int(known.sum())
    known[good] = True
    fresh = int(known.sum()) - before
    return fresh, quarantined, len(good) - fresh


def _row(file: Delivered, verdict: str, counts: tuple[int, int, int]) -> dict[str, object]:
    parcel = file.parcel
    uncountable = parcel.damage in UNCOUNTABLE
    loaded, quarantined, duplicate = counts
    reasons = {str(reason): int(count) for reason, count in zip(*_reasons(file), strict=True)}
    is_manifest = parcel.entity.completion == "manifest"
    exported = datetime.fromtimestamp(file.exported_at, tz=UTC).isoformat()
    return {
        "wave": file.wave,
        "source": parcel.entity.source,
        "entity": parcel.entity.name,
        "file": parcel.path,
        "sha256": file.sha256,
        "bytes": file.size,
        "exported_at": exported if is_manifest else None,
        "status": verdict,
        "reason": parcel.damage if verdict != "loaded" else "",
        "rows_in": None if uncountable else sum(counts),
        "rows_loaded": None if uncountable else loaded,
        "rows_quarantined": None if uncountable else quarantined,
        "rows_duplicate": None if uncountable else duplicate,
        "row_reasons": str(reasons) if verdict == "loaded" and reasons else "",
    }


def _reasons(file: Delivered) -> tuple[list[str], list[int]]:
    bad = [str(fate) for fate in file.fates[~loads(file.fates)]]
    names = sorted(set(bad))
    return names, [bad.count(name) for name in names]
