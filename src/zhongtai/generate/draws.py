"""Reproducible random draws, and strings built by columns instead of by rows."""

import zlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Array: TypeAlias = npt.NDArray[Any]
Generator: TypeAlias = np.random.Generator

MISSING = -(1 << 62)  # a time that did not happen, in integer arrays

LOWER_HEX = "0123456789abcdef"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def draw_from(seed: int, subject: str) -> Generator:
    """Return the random generator of one subject: adding a subject changes no other's draws."""
    return np.random.default_rng([seed, zlib.crc32(subject.encode())])


def strings(values: Sequence[str | None] | Array) -> pa.Array:
    """Return a string array of `values`."""
    return pa.array(values, type=pa.string())


def pick(values: Sequence[str], index: Array) -> pa.Array:
    """Return `values[index]` as strings; a negative index gives null."""
    index = np.asarray(index)
    places = pa.array(np.where(index < 0, 0, index), mask=index < 0, type=pa.int64())
    return strings(list(values)).take(places)


def pick_any(rng: Generator, values: Sequence[str], count: int) -> pa.Array:
    """Return `count` strings drawn evenly from `values`."""
    return pick(values, rng.integers(0, len(values), count))


def weighted(rng: Generator, weights: Sequence[float], count: int) -> Array:
    """Return `count` indexes drawn with these weights (they need not sum to 1)."""
    share = np.cumsum(np.asarray(weights, dtype=float))
    return np.searchsorted(share / share[-1], rng.random(count), side="right").astype(np.int64)


def codes(rng: Generator, count: int, width: int, alphabet: str = BASE62) -> pa.Array:
    """Return `count` random codes of `width` characters."""
    letters = np.frombuffer(alphabet.encode(), dtype=np.uint8)
    drawn = letters[rng.integers(0, len(letters), (count, width))]
    return pa.array(np.ascontiguousarray(drawn).view(f"S{width}").ravel()).cast(pa.string())


def padded(numbers: Array, width: int) -> pa.Array:
    """Return the numbers as digits, filled with zeros to `width`."""
    return pc.utf8_lpad(pa.array(np.asarray(numbers, dtype=np.int64)).cast(pa.string()), width, "0")


def digits(numbers: Array) -> pa.Array:
    """Return the numbers as digits; `MISSING` gives null."""
    numbers = np.asarray(numbers, dtype=np.int64)
    return pa.array(numbers, mask=numbers == MISSING).cast(pa.string())


def joined(*parts: Any, separator: str = "") -> pa.Array:
    """Return the concatenation of columns and constants, row by row; null where a part is null."""
    return pc.binary_join_element_wise(*parts, separator)


def only(mask: Array, values: pa.Array) -> pa.Array:
    """Return `values` where `mask` holds, null elsewhere."""
    return pc.if_else(pa.array(np.asarray(mask, dtype=bool)), values, pa.scalar(None, values.type))


def chosen(mask: Array, yes: Any, no: Any) -> pa.Array:
    """Return `yes` where `mask` holds, `no` elsewhere."""
    return pc.if_else(pa.array(np.asarray(mask, dtype=bool)), yes, no)


def rows_of(values: pa.Array, index: Array) -> pa.Array:
    """Return `values[index]`; a negative index gives null."""
    index = np.asarray(index, dtype=np.int64)
    return values.take(pa.array(np.where(index < 0, 0, index), mask=index < 0, type=pa.int64()))


def filled(values: pa.Array, default: str = "") -> pa.Array:
    """Return `values` with nulls replaced."""
    return pc.fill_null(values, default)


def later(times: Array, delay: Array | int, happens: Array | bool = True) -> Array:
    """Return `times + delay` where the time is known and it happens, else `MISSING`."""
    known = (times != MISSING) & happens
    return np.where(known, times + np.asarray(delay, dtype=np.int64), MISSING)


def until(times: Array, end: int | Array) -> Array:
    """Return the times up to and including `end`; later ones have not happened."""
    return np.where(times <= end, times, MISSING)
