"""JSON Lines: DuckDB parses whole blocks of lines; only lines with something wrong are touched."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.contracts import Contract
from zhongtai.readers.ahead import produce_ahead
from zhongtai.readers.bytestream import StreamError
from zhongtai.readers.encoding import TextLines, decide_encoding, read_text
from zhongtai.readers.records import (
    IN_MEMORY,
    FileRejected,
    Note,
    Rejects,
    int64_array,
    row_batch,
    sparse_strings,
    truth,
)

# DuckDB gives each batch to one thread.
_LINES_PER_TASK = 4096
# A block of events has some ten thousand lines; every field of all of them is held at once.
_MOST_LINES = 200_000
_KEY_COUNT = "_key_count"
_WHOLE_LINE = "_line"
# One escape at a time, so that a pair of surrogates is passed whole.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
# DuckDB follows objects recursively when it merges them: 100,000 levels overflow its stack.
MAX_DEPTH = 512
_TEXT = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)', re.DOTALL)
_NO_BRACKET = re.compile(r"[^\[\]{}]+")
_IS_BLANK = np.zeros(256, bool)
_IS_BLANK[list(b" \t\r\n\v\f")] = True
_CONTROL = re.compile("[\x00-\x1f]")


class JsonLinesReader:
    """Reads one file of JSON objects, one per line."""

    def __init__(self, contract: Contract, path: Path) -> None:
        self.contract = contract
        self.notes: list[Note] = []
        self._path = path
        self._rejects = Rejects()
        self._names = [column.delivered for column in contract.columns]
        self._added: set[str] = set()

    @property
    def rejects(self) -> pa.Table:
        """Records that cannot be loaded: line, rule, reason, original."""
        return self._rejects.table()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Good rows in file order; raises FileRejected where the stream breaks off."""
        return produce_ahead(self._produce())

    def _produce(self) -> Iterator[pa.RecordBatch]:
        import duckdb

        encoding = decide_encoding(self._path, self.contract.encodings)
        line, is_empty = 1, True
        with duckdb.connect(config=IN_MEMORY) as connection:
            try:
                for block in read_text(self._path, encoding):
                    is_empty = False
                    yield from self._read(connection, block, line)
                    line += 1 if block.is_overlong else block.data.count(b"\n")
            except (StreamError, FileRejected) as error:
                raise FileRejected(error.rule, error.reason, self._count()) from error
        if is_empty:
            self.notes.append(Note("empty_file", "the file holds no record"))
        else:
            self.notes.insert(0, Note("encoding", f"read as {encoding.codec}"))
        self.notes += [
            Note("column_added", "the contract does not know the field; kept in _extra", name)
            for name in sorted(self._added)
        ]

    def _count(self) -> int:
        from zhongtai.readers.counting import count_rows

        return count_rows(self.contract, self._path)

    def _read(self, connection: Any, block: TextLines, line: int) -> Iterator[pa.RecordBatch]:
        if block.is_overlong:
            self._rejects.add(
                [line], "record_too_long", "the line is too long; only its start is kept",
                [block.data.decode()],
            )  # fmt: skip
            return
        if not block.data:
            return
        for rows in _split_lines(block, line).parts():
            yield from self._read_rows(connection, self._without_deep(rows))

    def _read_rows(self, connection: Any, rows: "_Rows") -> Iterator[pa.RecordBatch]:
        if not len(rows.lines):
            return
        try:
            table = self._parse(connection, rows.lines)
        except _malformed():
            rows = self._keep_valid(connection, rows)
            table = self._parse(connection, rows.lines)
        key_count = _integers(table[_KEY_COUNT])
        if not key_count.all():
            rows, table = self._keep_objects(rows, table, key_count)
            key_count = _integers(table[_KEY_COUNT])
        columns = {name: table[name].combine_chunks() for name in self._names}
        extra = self._find_extras(connection, rows.lines, columns, key_count)
        if len(rows.lines):
            yield row_batch(self.contract, columns, rows.numbers, extra=extra, raw=rows.raw)

    def _parse(self, connection: Any, lines: Any) -> pa.Table:
        """The declared top-level fields as text, and how many fields each line has."""
        shape = json.dumps(dict.fromkeys(self._names, "VARCHAR"), ensure_ascii=False)
        sql = f"""
            select unnest(fields), {_KEY_COUNT}
            from (
                select
                    from_json(line, $1) as fields,
                    len(json_keys(line))::integer as {_KEY_COUNT},
                from lines
            )
        """  # noqa: S608 - a constant
        return _query(connection, lines, sql, [shape])

    def _without_deep(self, rows: "_Rows") -> "_Rows":
        """Reject lines nested so deeply that DuckDB would end the process over them."""
        long = np.flatnonzero(_lengths(rows.lines) > 2 * MAX_DEPTH)
        some = rows.lines.take(int64_array(long))
        opened = pc.add(pc.count_substring(some, "["), pc.count_substring(some, "{"))
        long = long[truth(pc.greater(opened, MAX_DEPTH))]
        texts = dict(
            zip(long.tolist(), rows.lines.take(int64_array(long)).to_pylist(), strict=True)
        )
        deep = [place for place, text in texts.items() if _depth(text) > MAX_DEPTH]
        self._rejects.add(
            rows.numbers[deep].tolist(), "nested_too_deep",
            f"the line nests objects or arrays more than {MAX_DEPTH} deep",
            [rows.raw.get(place, texts[place].rstrip("\r\n")) for place in deep],
        )  # fmt: skip
        kept = np.ones(len(rows.lines), bool)
        kept[deep] = False
        return rows.where(kept) if deep else rows

    def _keep_valid(self, connection: Any, rows: "_Rows") -> "_Rows":
        """Mend what can be mended, reject the other lines that are no JSON."""
        is_valid = _valid(connection, rows.lines)
        broken = np.flatnonzero(~is_valid)
        texts = rows.lines.take(int64_array(broken)).to_pylist()
        mended = [_mend(text) for text in texts]
        is_mended = _valid(connection, pa.array(mended, pa.string()))
        lost = np.flatnonzero(~is_mended).tolist()
        self._rejects.add(
            rows.numbers[broken[lost]].tolist(), "broken_json", "the line is not valid JSON",
            [rows.raw.get(int(broken[i]), texts[i].rstrip("\r\n")) for i in lost],
        )  # fmt: skip
        replacements = {}
        for i in np.flatnonzero(is_mended).tolist():
            replacements[int(broken[i])] = mended[i]
            rows.raw.setdefault(int(broken[i]), texts[i].rstrip("\r\n"))
        is_valid[broken[is_mended]] = True
        lines = pc.coalesce(sparse_strings(len(is_valid), replacements), rows.lines)
        return _Rows(lines, rows.numbers, rows.raw).where(is_valid)

    def _keep_objects(
        self, rows: "_Rows", table: pa.Table, key_count: Any
    ) -> tuple["_Rows", pa.Table]:
        """Reject lines that are JSON but no object; an empty object stays."""
        suspects = np.flatnonzero(key_count == 0)
        texts = rows.lines.take(int64_array(suspects)).to_pylist()
        wrong = [i for i, text in enumerate(texts) if not text.lstrip().startswith("{")]
        self._rejects.add(
            rows.numbers[suspects[wrong]].tolist(), "not_an_object", "the line is no JSON object",
            [texts[i].rstrip("\r\n") for i in wrong],
        )  # fmt: skip
        kept = np.ones(len(key_count), bool)
        kept[suspects[wrong]] = False
        return rows.where(kept), table.take(int64_array(np.flatnonzero(kept)))

    def _find_extras(
        self, connection: Any, lines: Any, columns: dict[str, Any], key_count: Any
    ) -> Any:
        """Undeclared fields as a JSON object per line, NULL where there are none.

        Only lines with more fields than declared ones have a value are looked at again.
        """
        filled = np.zeros(len(lines), np.int64)
        for column in columns.values():
            filled += 1 if column.null_count == 0 else truth(column.is_valid())
        suspects = np.flatnonzero(key_count > filled)
        if not len(suspects):
            return None
        patch = json.dumps(dict.fromkeys(self._names), ensure_ascii=False)
        sql = """
            select
                nullif(json_merge_patch(line, $1)::varchar, '{}') as extra,
                len(json_keys(line)) > len(list_distinct(json_keys(line))) as is_repeated,
                list_filter(json_keys(line), key -> not list_contains($2, key)) as added,
            from lines
        """
        table = _query(connection, lines.take(int64_array(suspects)), sql, [patch, self._names])
        self._added |= set(pc.unique(pc.list_flatten(table["added"])).to_pylist())
        extras = table["extra"].combine_chunks()
        repeated = np.flatnonzero(truth(table["is_repeated"].combine_chunks()))
        if len(repeated):
            texts = lines.take(int64_array(suspects[repeated])).to_pylist()
            objects = {i: self._repeated(t) for i, t in zip(repeated.tolist(), texts, strict=True)}
            extras = pc.coalesce(sparse_strings(len(extras), objects), extras)
        index = np.full(len(lines), len(suspects), np.int64)
        index[suspects] = np.arange(len(suspects))
        return pa.concat_arrays([extras, pa.nulls(1, pa.string())]).take(int64_array(index))

    def _repeated(self, line: str) -> str:
        """The undeclared fields of an object that repeats names: the first of a name holds."""
        extras: dict[str, Any] = {}
        seen: dict[str, int] = {}
        try:
            fields = json.loads(line, object_pairs_hook=_Object).fields
        except (RecursionError, ValueError):
            # deeper, or with longer numbers, than Python reads: nothing of it gets lost
            return json.dumps({_WHOLE_LINE: line.rstrip("\r\n")}, ensure_ascii=False)
        for name, value in fields:
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1 or name not in self._names:
                extras[name if seen[name] == 1 else f"{name}#{seen[name]}"] = value
        return json.dumps(extras, ensure_ascii=False, default=lambda value: dict(value.fields))


@dataclass
class _Object:
    """A JSON object with all its fields, repeated ones too."""

    fields: list[tuple[str, Any]]


@dataclass
class _Rows:
    """Lines of a block with their 1-based numbers; `raw` maps positions to original texts."""

    lines: Any
    numbers: Any
    raw: dict[int, str]

    def parts(self) -> Iterator["_Rows"]:
        """The lines, not too many at once."""
        if len(self.lines) <= _MOST_LINES:
            yield self
            return
        for start in range(0, len(self.lines), _MOST_LINES):
            end = start + _MOST_LINES
            raw = {at - start: text for at, text in self.raw.items() if start <= at < end}
            yield _Rows(self.lines[start:end], self.numbers[start:end], raw)

    def where(self, kept: Any) -> "_Rows":
        """The lines for which the boolean ndarray `kept` holds."""
        index = np.flatnonzero(kept)
        place = np.cumsum(kept) - 1
        raw = {int(place[at]): text for at, text in self.raw.items() if kept[at]}
        return _Rows(self.lines.take(int64_array(index)), self.numbers[index], raw)


def _split_lines(block: TextLines, line: int) -> _Rows:
    """The lines of a block that are not blank, over its bytes without a copy."""
    buffer = np.frombuffer(block.data, np.uint8)
    ends = np.flatnonzero(buffer == 10) + 1
    if not len(ends) or ends[-1] != len(buffer):
        ends = np.append(ends, len(buffer))
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends
    lines = pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(block.data))
    raw = {
        int(np.searchsorted(offsets, offset, side="right")) - 1: original
        for offset, original in block.repaired.items()
        if offset < len(buffer)
    }
    rows = _Rows(lines, np.arange(line, line + len(ends), dtype=np.int64), raw)
    suspects = np.flatnonzero(_IS_BLANK[buffer[offsets[:-1]]])
    if not len(suspects):
        return rows
    filled = truth(pc.match_substring_regex(lines.take(int64_array(suspects)), r"[^\s\x0b]"))
    kept = np.ones(len(ends), bool)
    kept[suspects[~filled]] = False
    return rows.where(kept)


def _lengths(lines: Any) -> Any:
    """The bytes of each line."""
    offsets = np.frombuffer(lines.buffers()[1], np.int32)
    return np.diff(offsets[lines.offset : lines.offset + len(lines) + 1])


def _depth(line: str) -> int:
    """How deeply brackets are nested, outside of texts."""
    brackets = np.frombuffer(_NO_BRACKET.sub("", _TEXT.sub("", line)).encode(), np.uint8)
    steps = np.where((brackets == ord("[")) | (brackets == ord("{")), 1, -1)
    return int(np.cumsum(steps).max(initial=0))


def _query(connection: Any, lines: Any, sql: str, parameters: list[Any]) -> pa.Table:
    """Run SQL over the string array `lines` as table `lines`, in its order."""
    table = pa.table({"line": lines})
    tasks = pa.Table.from_batches(table.to_batches(max_chunksize=_LINES_PER_TASK), table.schema)
    connection.register("lines", tasks)
    try:
        return connection.execute(sql, parameters).to_arrow_table()
    finally:
        connection.unregister("lines")


def _valid(connection: Any, lines: Any) -> Any:
    """Which lines are JSON, as a boolean ndarray."""
    table = _query(connection, lines, "select json_valid(line) as is_valid from lines", [])
    return truth(table["is_valid"].combine_chunks())


def _integers(column: Any) -> Any:
    return np.frombuffer(column.combine_chunks().buffers()[1], np.int32, len(column))


def _mend(line: str) -> str:
    """What DuckDB refuses but a sender may mean: raw control characters, half of a surrogate."""
    line = line.strip(" \t\r\n\ufeff")
    line = _ESCAPE.sub(lambda match: "\\ufffd" if match[1] else match[0], line)
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", line)


def _malformed() -> tuple[type[Exception], ...]:
    import duckdb

    # DuckDB quotes the beginning of a line in its message, and may cut it within a character
    return (duckdb.InvalidInputException, duckdb.ConversionException, UnicodeDecodeError)
