"""The records of a block of delimited text, as Arrow arrays over its bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.readers.encoding import TextLines
from zhongtai.readers.records import int64_array
from zhongtai.readers.structure import Records


@dataclass
class Block:
    """Records with the text they were found in; `line` is the number of its first line.

    `escaped` are the characters that the records' escape may stand before.
    """

    records: Records
    text: TextLines
    line: int
    escaped: str = ""

    @cached_property
    def numbers(self) -> Any:
        """The physical line on which each record begins, as an int64 ndarray."""
        return self.records.line.astype(np.int64) + self.line

    @cached_property
    def _fields(self) -> Any:
        records = self.records
        return text_ranges(records.content, records.field_start, records.field_end)

    def column(self, records: Any, position: int) -> Any:
        """The field at `position` of the given records (an ndarray of indices)."""
        texts = self._fields.take(int64_array(2 * (self.records.first[records] + position)))
        return self._unescape(texts)

    def _unescape(self, texts: Any) -> Any:
        escape = self.records.escape
        if escape is None or not len(texts):
            return texts
        held = texts.buffers()[2]
        if not held or not np.count_nonzero(np.frombuffer(held, np.uint8) == escape):
            return texts
        for character in self.escaped:
            texts = pc.replace_substring(texts, f"{chr(escape)}{character}", character)
        return texts

    def texts(self, records: Any) -> Any:
        """The text of the given records, decoded."""
        whole = text_ranges(self.records.data, self.records.start, self.records.end)
        return whole.take(int64_array(2 * records))

    def values(self, record: int) -> Sequence[str]:
        """The fields of one record."""
        first, width = int(self.records.first[record]), int(self.records.width[record])
        texts = self._fields.take(int64_array(2 * np.arange(first, first + width)))
        values: list[str] = self._unescape(texts).to_pylist()
        return values

    def original(self, record: int) -> str:
        """The text of one record as delivered."""
        start, end = int(self.records.start[record]), int(self.records.end[record])
        repaired = self.text.repaired
        lines, offset = [], start
        for line in self.records.data[start:end].splitlines(keepends=True) or [b""]:
            content = line.rstrip(b"\r\n")
            lines.append(repaired.get(offset, content.decode()))
            lines.append(line[len(content) :].decode())
            offset += len(line)
        return "".join(lines)

    def repaired_records(self) -> Any:
        """Records of which at least one line was repaired, in order."""
        offsets = np.array(sorted(self.text.repaired), np.int64)
        offsets = offsets[offsets < self.records.consumed]
        return np.unique(np.searchsorted(self.records.start, offsets, side="right") - 1)


def text_ranges(content: Any, start: Any, end: Any) -> Any:
    """Ascending ranges of UTF-8 bytes as a string array: each even element is one of them."""
    offsets = np.empty(2 * len(start) + 1, np.int32)
    offsets[0:-1:2] = start
    offsets[1::2] = end
    offsets[-1] = len(content)
    return pa.StringArray.from_buffers(2 * len(start), pa.py_buffer(offsets), pa.py_buffer(content))
