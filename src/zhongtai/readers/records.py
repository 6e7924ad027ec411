"""What every reader hands over: batches of good rows, rejected records, notes on the file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from zhongtai.advice import advise
from zhongtai.contracts import Contract
from zhongtai.errors import ZhongtaiError

# A file with more rejected text than this is rejected whole: rejects are held in memory.
MAX_REJECTED_BYTES = 256 << 20

# How a reader's DuckDB is opened: blocks fit into memory, and persons never go to another folder.
IN_MEMORY: dict[str, str | bool | int | float | list[str]] = {"temp_directory": ""}

REJECTS_SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("rule", pa.string()),
        ("reason", pa.string()),
        ("original", pa.string()),
    ]
)


class FileRejected(ZhongtaiError):  # noqa: N818 - an outcome of reading, not a fault of ours
    """The whole file cannot be read. `rows_in` is what could be counted of it."""

    def __init__(self, rule: str, reason: str, rows_in: int = 0) -> None:
        super().__init__(f"{rule}: {reason}", hint=advise(rule))
        self.rule = rule
        self.reason = reason
        self.rows_in = rows_in


@dataclass(frozen=True)
class Note:
    """A warning about a file that loads: never holds a value of a row."""

    rule: str
    reason: str
    column: str = ""
    rows: int = 0


class Reader(Protocol):
    """A file of one entity. `rejects` and `notes` are complete once `batches` is exhausted."""

    contract: Contract
    notes: list[Note]

    @property
    def rejects(self) -> pa.Table:
        """Records that cannot be loaded: line, rule, reason, original."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Good rows in file order; raises FileRejected where the file turns out unreadable."""


class Rejects:
    """Collects rejected records, within a bound of memory."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self._bytes = 0

    def add(self, lines: Sequence[int], rule: str, reason: str, originals: Sequence[str]) -> None:
        """Keep records (1-based `lines`, one text each) that broke `rule`.

        Raises FileRejected when more is rejected than may be held.
        """
        if not len(lines):
            return
        batch = pa.RecordBatch.from_arrays(
            [
                pa.array([int(line) for line in lines], pa.int64()),
                pa.array([rule] * len(lines), pa.string()),
                pa.array([reason] * len(lines), pa.string()),
                pa.array(originals, pa.string()),
            ],
            schema=REJECTS_SCHEMA,
        )
        self._batches.append(batch)
        self._bytes += batch.nbytes
        if self._bytes > MAX_REJECTED_BYTES:
            raise FileRejected(
                "too_many_rejects",
                f"more than {MAX_REJECTED_BYTES >> 20} MiB of records cannot be read; "
                f"the last rule broken was {rule}",
            )

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self._batches)

    def table(self) -> pa.Table:
        """All rejects, ordered by line."""
        return pa.Table.from_batches(self._batches, REJECTS_SCHEMA).sort_by("line")


def row_schema(contract: Contract) -> pa.Schema:
    """The schema of a batch: delivered columns, `_extra`, `_row_number`, `_raw`."""
    return pa.schema(
        [
            *((column.delivered, pa.string()) for column in contract.columns),
            ("_extra", pa.string()),
            ("_row_number", pa.int64()),
            ("_raw", pa.string()),
        ]
    )


def row_batch(
    contract: Contract,
    columns: dict[str, Any],
    row_numbers: Any,
    *,
    extra: Any = None,
    raw: dict[int, str] | None = None,
) -> pa.RecordBatch:
    """A batch of rows; `columns` by delivered name, absent ones become NULL.

    `row_numbers` is an int64 ndarray; `raw` maps positions in the batch to the original text.
    """
    count = len(row_numbers)
    missing = pa.nulls(count, pa.string())
    return pa.RecordBatch.from_arrays(
        [
            *(columns.get(column.delivered, missing) for column in contract.columns),
            missing if extra is None else extra,
            int64_array(row_numbers),
            sparse_strings(count, raw or {}),
        ],
        schema=row_schema(contract),
    )


def int64_array(values: Any) -> Any:
    """An Arrow array over an ndarray. `pa.array` of an ndarray would import pandas (1.2 s)."""
    values = np.ascontiguousarray(values, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values)])


def sparse_strings(count: int, values: dict[int, str]) -> Any:
    """A string array of `count` elements, NULL except at the positions given."""
    if not values:
        return pa.nulls(count, pa.string())
    texts = pa.array([*values.values(), None], pa.string())
    index = np.full(count, len(values), dtype=np.int64)
    index[np.fromiter(values.keys(), np.int64, len(values))] = np.arange(len(values))
    return texts.take(int64_array(index))


def truth(mask: Any) -> Any:
    """A boolean Arrow array without NULL as a writable ndarray."""
    bytes_ = mask.cast(pa.uint8())
    return np.frombuffer(bytes_.buffers()[1], np.uint8, len(mask), bytes_.offset).astype(bool)


def objects_of(columns: dict[str, Any]) -> Any:
    """One JSON object of text per row from string columns of equal length."""
    import duckdb

    table = pa.table(list(columns.values()), names=[f"c{i}" for i in range(len(columns))])
    names = list(columns)
    pairs = ", ".join(f"${i + 1}::varchar, c{i}" for i in range(len(names)))
    with duckdb.connect(config=IN_MEMORY) as connection:
        connection.register("extra", table)
        sql = f"select json_object({pairs})::varchar as extra from extra"  # noqa: S608 - our names
        return connection.execute(sql, names).to_arrow_table()["extra"].combine_chunks()
