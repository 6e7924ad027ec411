"""The event times of a batch as naive UTC: common spellings by arithmetic, all others in SQL.

Reading text as a time in SQL costs more than the other rules together; nearly all values are
written in one of a few spellings of fixed width, whose digits are read here column by column.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from zhongtai.ingest.times import time_expression

if TYPE_CHECKING:
    import duckdb

_SHANGHAI_MINUTES = 480
_EPOCH_DIGITS = 13
# What stands at each place of the spellings by length; 0 is a digit, / a slash or dash, t a blank
# or T, + a sign.
_SPELLINGS = {
    10: "0000/00/00",
    16: "0000/00/00t00:00",
    19: "0000/00/00t00:00:00",
    20: "0000/00/00t00:00:00Z",
    24: "0000/00/00t00:00:00+00:0",
    25: "0000/00/00t00:00:00+00:00",
}
_ALLOWED = {"0": b"0123456789", "/": b"-/", "t": b" T", "+": b"+-", ":": b":", "Z": b"Z"}
_IS_ALLOWED = {sign: np.isin(np.arange(256), list(allowed)) for sign, allowed in _ALLOWED.items()}


def read_times(duck: "duckdb.DuckDBPyConnection", column: Any, kind: str) -> Any:
    """A string array as timestamps in microseconds, NULL where a text is no time.

    `kind` is ms (epochs), ts or date; the same as `time_expression` says of each value.
    """
    micros, is_read = _read_common(column, kind)
    array = _timestamps(micros, is_read)
    if is_read.all() or column.null_count == len(column):
        return array
    others = np.flatnonzero(~is_read & (np.diff(_offsets(column)) > 0))
    if not len(others):
        return array
    index = _integers(others)
    duck.register("texts", pa.table({"text": column.take(index)}))
    try:
        sql = f"select {time_expression('text', kind)} as moment from texts"  # noqa: S608 - ours
        found = duck.execute(sql).to_arrow_table()["moment"].combine_chunks()
    finally:
        duck.unregister("texts")
    place = np.arange(len(column))
    place[others] = len(column) + np.arange(len(others))
    return pa.concat_arrays([array, found.cast(array.type)]).take(_integers(place))


def _read_common(column: Any, kind: str) -> tuple[Any, Any]:
    """Microseconds since 1970, and for which values they are known."""
    micros = np.zeros(len(column), np.int64)
    is_read = np.zeros(len(column), bool)
    if column.null_count == len(column):
        return micros, is_read
    length = np.diff(_offsets(column))
    spellings = (_EPOCH_DIGITS,) if kind == "ms" else _SPELLINGS
    for width in spellings:
        rows = np.flatnonzero(length == width)
        if not len(rows):
            continue
        some = column if len(rows) == len(column) else column.take(_integers(rows))
        offsets = _offsets(some)
        data = np.frombuffer(some.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
        text = data.reshape(len(rows), width)
        read = _read_epochs(text) if kind == "ms" else _read_written(text, _SPELLINGS[width])
        micros[rows], is_read[rows] = read
    return micros, is_read


def _read_epochs(text: Any) -> tuple[Any, Any]:
    digits = text - np.uint8(ord("0"))
    value = np.zeros(len(text), np.int64)
    for place in range(text.shape[1]):
        value = value * 10 + digits[:, place]
    return value * 1000, (digits <= 9).all(axis=1) & (value > 0)


def _read_written(text: Any, spelling: str) -> tuple[Any, Any]:
    """Times written as `spelling` says; those that no calendar or clock has are not read."""
    is_sound = np.ones(len(text), bool)
    for place, sign in enumerate(spelling):
        is_sound &= _IS_ALLOWED[sign][text[:, place]]

    def number(start: int, stop: int) -> Any:
        value = np.zeros(len(text), np.int64)
        for place in range(start, min(stop, len(spelling))):
            value = value * 10 + text[:, place] - ord("0")
        return value

    year, month, day = number(0, 4), number(5, 7), number(8, 10)
    hour, minute, second = number(11, 13), number(14, 16), number(17, 19)
    # beyond these the engine has its own ideas
    is_sound &= (year >= 1900) & (year < 2200) & (month >= 1) & (month <= 12) & (day >= 1)
    is_sound &= (hour <= 23) & (minute <= 59) & (second <= 59)
    months = np.where(is_sound, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]")
    is_sound &= day <= ((months + 1).astype("datetime64[D]") - days).astype(np.int64)
    offset = _offset_minutes(text, spelling, number)
    minutes = (days.astype(np.int64) + day - 1) * 1440 + hour * 60 + minute - offset
    return (minutes * 60 + second) * 1_000_000, is_sound


def _offset_minutes(text: Any, spelling: str, number: Any) -> Any:
    """How far ahead of UTC the times are; `-08:0` occurs, for ten minutes times nothing."""
    if "Z" in spelling:
        return 0
    if "+" not in spelling:
        return _SHANGHAI_MINUTES
    minutes = number(23, 25) * (10 if len(spelling) == 24 else 1)
    return np.where(text[:, 19] == ord("-"), -1, 1) * (number(20, 22) * 60 + minutes)


def _timestamps(micros: Any, is_valid: Any) -> Any:
    validity = pa.py_buffer(np.packbits(is_valid, bitorder="little"))
    return pa.Array.from_buffers(
        pa.timestamp("us"), len(micros), [validity, pa.py_buffer(np.ascontiguousarray(micros))]
    )


def _offsets(column: Any) -> Any:
    return np.frombuffer(column.buffers()[1], np.int32)[column.offset :][: len(column) + 1]


def _integers(values: Any) -> Any:
    return pa.Array.from_buffers(
        pa.int64(), len(values), [None, pa.py_buffer(np.ascontiguousarray(values, np.int64))]
    )
