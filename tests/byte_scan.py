"""Which of very many values occur anywhere in very many bytes."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

_BLOCK = 1 << 22
_PREFIX = 8
_SHORTEST = 4
_HASH_BITS = 24
_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 by the golden ratio: Knuth, volume 3, 6.4


def occurring(values: Iterable[str], content: bytes) -> list[str]:
    """Those of the values whose UTF-8 bytes occur anywhere in the content, in their order.

    Time grows with values plus content, not with their product: a place is compared in full only
    where a value's first bytes stand. Values of fewer than four bytes are a ValueError.
    """
    needles = {value: value.encode() for value in values}
    if any(len(needle) < _SHORTEST for needle in needles.values()):
        raise ValueError(f"values of fewer than {_SHORTEST} bytes occur everywhere by chance")
    by_length: dict[int, dict[int, list[bytes]]] = defaultdict(lambda: defaultdict(list))
    for needle in set(needles.values()):
        length = min(len(needle), _PREFIX)
        by_length[length][int.from_bytes(needle[:length], "little")].append(needle)
    found: set[bytes] = set()
    buffer = np.frombuffer(content + bytes(_PREFIX), np.uint8)
    words = np.ndarray((len(content),), "<u8", buffer.data, strides=(1,))
    for length, prefixes in by_length.items():
        mask = np.uint64((1 << 8 * length) - 1)
        wanted = np.array(list(prefixes), np.uint64)
        hashes = np.zeros(1 << _HASH_BITS, np.bool_)
        hashes[_hash(wanted)] = True
        for start in range(0, len(words), _BLOCK):
            block = words[start : start + _BLOCK] & mask
            likely = np.flatnonzero(hashes[_hash(block)])
            for place in likely[np.isin(block[likely], wanted)].tolist():
                found.update(
                    needle
                    for needle in prefixes[int(block[place])]
                    if content.startswith(needle, start + place)
                )
    return [value for value, needle in needles.items() if needle in found]


def _hash(words: Any) -> Any:
    return words * _HASH_FACTOR >> np.uint64(64 - _HASH_BITS)
