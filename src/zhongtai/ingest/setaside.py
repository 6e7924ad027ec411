"""The files of the quarantine: rows and whole files, readable by their owner only."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from zhongtai.contracts import Contract
from zhongtai.ingest.parts import place_file
from zhongtai.ingest.rules import literal, quoted
from zhongtai.settings import Settings

if TYPE_CHECKING:
    import duckdb

# `record` holds the delivered values as a JSON object, where the record could be read at all;
# `original` the text as delivered, where the reader kept it, else the same object.
ROWS_SCHEMA = pa.schema(
    [
        ("delivery_id", pa.string()),
        ("line", pa.int64()),
        ("rule", pa.string()),
        ("level", pa.string()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("original", pa.string()),
        ("record", pa.string()),
    ]
)

# Of 255 bytes that a name may have; a copy in the making has a few more.
_LONGEST_NAME, _KEPT_OF_NAME = 240, 200

# What a reader hands over for a record that it cannot read.
REJECTS_SCHEMA = pa.schema(
    [("line", pa.int64())] + [(name, pa.string()) for name in ("rule", "reason", "original")]
)


def rows_file(settings: Settings, source: str, entity: str, sha256: str) -> Path:
    """Where the quarantined rows of these bytes are kept."""
    return settings.path("quarantine", source, entity, f"{sha256}.parquet")


def whole_file(settings: Settings, source: str, entity: str, sha256: str, name: str) -> Path:
    """Where a file that was quarantined whole is kept."""
    return settings.path("quarantine", source, entity, sha256, stored_name(name))


def stored_name(name: str) -> str:
    """A name for a copy of a file, which file systems take even if escapes made it long."""
    data = name.encode()
    if len(data) <= _LONGEST_NAME:
        return name
    end = data[-_KEPT_OF_NAME:].decode("utf-8", "ignore")
    return f"{hashlib.sha256(data).hexdigest()[:16]}-{end}"


def place_private(settings: Settings, file: Path, target: Path) -> None:
    """Move a file into the quarantine: folders 0700, the file 0600."""
    folder = settings.path("quarantine")
    for part in ("", *target.parent.relative_to(folder).parts):
        folder = folder / part
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.chmod(0o600)
    place_file(file, target)


@dataclass(frozen=True)
class Reason:
    """Why rows are set aside, in words without values."""

    rule: str
    column: str
    reason: str


class RowsWriter:
    """Collects quarantined rows of one delivery in a file that exists only if there are any."""

    def __init__(self, delivery_id: str, file: Path) -> None:
        self.file = file
        self.rows = 0
        self._delivery_id = delivery_id
        self._writer: pq.ParquetWriter | None = None

    def add_rows(
        self, duck: "duckdb.DuckDBPyConnection", batch: pa.RecordBatch, broken: Any,
        explained: Sequence[Reason],
    ) -> None:  # fmt: skip
        """Rows that a rule refused, with the rule that each broke (a text array)."""
        columns = [n for n in batch.schema.names if n not in ("_row_number", "_raw")]
        reasons = pa.Table.from_pylist(
            [asdict(reason) for reason in explained],
            pa.schema([(name, pa.string()) for name in ("rule", "column", "reason")]),
        )
        table = pa.Table.from_batches([batch]).append_column("_broken", broken)
        duck.register("refused", table)
        duck.register("reasons", reasons)
        try:
            fields = ", ".join(f"{literal(name)}, {quoted(name)}" for name in columns)
            self._write(
                duck.execute(
                    f"select '{self._delivery_id}' as delivery_id, _row_number as line,"  # noqa: S608 - contracts
                    " _broken as rule, 'row' as level, reasons.\"column\", reasons.reason,"
                    f" coalesce(_raw, json_object({fields})::varchar) as original,"
                    f" json_object({fields})::varchar as record"
                    " from refused join reasons on _broken = reasons.rule order by line"
                ).to_arrow_table()
            )
        finally:
            duck.unregister("refused")
            duck.unregister("reasons")

    def add_rejects(self, rejects: pa.Table) -> None:
        """Records that a reader could not read: line, rule, reason, original."""
        count = rejects.num_rows
        self._write(
            pa.table(
                {
                    "delivery_id": pa.repeat(pa.scalar(self._delivery_id), count),
                    "line": rejects["line"],
                    "rule": rejects["rule"],
                    "level": pa.repeat(pa.scalar("row"), count),
                    "column": pa.repeat(pa.scalar(""), count),
                    "reason": rejects["reason"],
                    "original": rejects["original"],
                    "record": pa.nulls(count, pa.string()),
                }
            )
        )

    def _write(self, table: pa.Table) -> None:
        if not table.num_rows:
            return
        if self._writer is None:
            self.file.touch(mode=0o600)
            self._writer = pq.ParquetWriter(self.file, ROWS_SCHEMA, compression="zstd")
        self._writer.write_table(table.cast(ROWS_SCHEMA))
        self.rows += table.num_rows

    def close(self) -> Path | None:
        """Finish the file; None where no row was set aside."""
        if self._writer is None:
            return None
        self._writer.close()
        return self.file


def read_rows(file: Path) -> pa.Table:
    """Quarantined rows; an empty table where there are none."""
    if not file.exists():
        return ROWS_SCHEMA.empty_table()
    return pq.read_table(file, schema=ROWS_SCHEMA)


def records_of(
    duck: "duckdb.DuckDBPyConnection", contract: Contract, rows: pa.Table
) -> Iterator[pa.RecordBatch]:
    """Quarantined rows whose values were read, as a reader would hand them over."""
    duck.register("kept", rows)
    try:
        paths = ", ".join(
            f"json_extract_string(record, {literal(json_path(name))}) as {quoted(name)}"
            for name in (*(c.delivered for c in contract.columns), "_extra")
        )
        found = duck.execute(
            f"select {paths}, line as _row_number,"  # noqa: S608 - contracts
            " case when original <> record then original end as _raw from kept order by line"
        ).to_arrow_table()
    finally:
        duck.unregister("kept")
    yield from found.combine_chunks().to_batches()


def json_path(name: str) -> str:
    """The JSON path of a top-level field, whatever characters its name has."""
    return '$."' + name.replace('"', '\\"') + '"'
