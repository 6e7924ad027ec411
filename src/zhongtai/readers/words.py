"""Short runs of bytes, at many places of a buffer at once, as 64-bit words."""

from typing import Any

import numpy as np

# What a buffer must have behind its last byte of interest.
PADDING = 16
_WORD = 8
_MOST_DIGITS = 7  # of 8 bytes, at least one is not part of the number
_LOW = np.array([(1 << 8 * length) - 1 for length in range(_WORD + 1)], np.uint64)
_ZEROS = np.uint64(0x3030303030303030)


def words_at(buffer: Any, places: Any) -> Any:
    """The eight bytes from each place on, as little-endian words (uint64)."""
    overlapping = np.ndarray((len(buffer) - _WORD + 1,), "<u8", buffer, strides=(1,))
    return overlapping[places]


def parse_digits(buffer: Any, start: Any, end: Any) -> Any:
    """The numbers that stand in [start, end) as int64; None where one is no run of 1 to 7 digits.

    Four additions and multiplications for all digits of a number: neighbours are joined to pairs,
    pairs to fours, fours to eight (Lemire, "Quickly parsing eight digits", 2018).
    """
    length = (end - start).astype(np.int64)
    if len(length) and not 1 <= length.min() <= length.max() <= _MOST_DIGITS:
        return None
    shift = (8 * (_WORD - length)).astype(np.uint64)
    word = words_at(buffer, start) << shift
    word |= _ZEROS & _LOW[_WORD - length]
    high, six = np.uint64(0xF0F0F0F0F0F0F0F0), np.uint64(0x0606060606060606)
    if ((word & high) != _ZEROS).any() or (((word + six) & high) != _ZEROS).any():
        return None
    word = (word & np.uint64(0x0F0F0F0F0F0F0F0F)) * np.uint64(2561) >> np.uint64(8)
    word = (word & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601) >> np.uint64(16)
    word = (word & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001) >> np.uint64(32)
    return word.astype(np.int64)


def number_runs(buffer: Any, start: Any, end: Any) -> tuple[Any, Any] | None:
    """The distinct runs of bytes [start, end), by an example each, and the number of each's run.

    Returns (place of an example, code of every run), or None where there is no run at all or one
    of more than 16 bytes.
    """
    length = (end - start).astype(np.int64)
    if not len(length) or length.max() > 2 * _WORD:
        return None
    codes = _number(words_at(buffer, start) & _LOW[np.minimum(length, _WORD)])
    if length.max() > _WORD:
        second = words_at(buffer, start + _WORD) & _LOW[np.maximum(length - _WORD, 0)]
        codes = _number(_paired(codes, _number(second)))
    # a run that ends with bytes of zero is longer than the one without them, else the same
    codes = _number(_paired(codes, length))
    examples = np.empty(codes.max() + 1, np.int64)
    examples[codes] = np.arange(len(codes))
    return examples, codes


def _paired(one: Any, other: Any) -> Any:
    return (one * (other.max() + 1) + other).astype(np.uint64)


def _number(words: Any) -> Any:
    """A number for each word, equal for equal words."""
    import pyarrow as pa

    values = pa.Array.from_buffers(
        pa.uint64(), len(words), [None, pa.py_buffer(np.ascontiguousarray(words))]
    )
    indices = values.dictionary_encode().indices
    return np.frombuffer(indices.buffers()[1], np.int32, len(indices)).astype(np.int64)
