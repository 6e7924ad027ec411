"""Which of very many values occur anywhere in very many bytes."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

_BLOCK = 1 << 22
_WORD = 8
_SHORTEST = 4
_HASH_BITS = 24
_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # 2^64 by the golden ratio: Knuth, volume 3, 6.4


def occurring(values: Iterable[str], content: bytes) -> list[str]:
    """Those of the values whose UTF-8 bytes occur anywhere in the content, in their order.

    Time grows with values plus content, not with their product: a place is compared in full only
    where eight bytes of a value stand. Values of fewer than four bytes are a ValueError.
    """
    needles = {value: value.encode() for value in values}
    if any(len(needle) < _SHORTEST for needle in needles.values()):
        raise ValueError(f"values of fewer than {_SHORTEST} bytes occur everywhere by chance")
    found: set[bytes] = set()
    buffer = np.frombuffer(content + bytes(_WORD), np.uint8)
    words = np.ndarray((len(content),), "<u8", buffer.data, strides=(1,))
    for length, by_word in _sort_by_words(set(needles.values())).items():
        mask = np.uint64((1 << 8 * length) - 1)
        wanted = np.array(list(by_word), np.uint64)
        hashes = np.zeros(1 << _HASH_BITS, np.bool_)
        hashes[_hash(wanted)] = True
        for start in range(0, len(words), _BLOCK):
            block = words[start : start + _BLOCK] & mask
            likely = np.flatnonzero(hashes[_hash(block)])
            for place in likely[np.isin(block[likely], wanted)].tolist():
                at = start + place
                found.update(
                    needle
                    for offset, needle in by_word[int(block[place])]
                    if at >= offset and content.startswith(needle, at - offset)
                )
    return [value for value, needle in needles.items() if needle in found]


def _sort_by_words(needles: set[bytes]) -> dict[int, dict[int, list[tuple[int, bytes]]]]:
    """Each needle by eight of its bytes (all, if there are fewer) as a word, and where those stand.

    Of its beginning, middle and end those that the fewest others have: ids begin alike, mail
    addresses end alike.
    """
    offered = {
        needle: {
            offset: int.from_bytes(needle[offset : offset + _WORD], "little")
            for offset in {0, max(0, len(needle) - _WORD) // 2, max(0, len(needle) - _WORD)}
        }
        for needle in needles
    }
    others = Counter(word for words in offered.values() for word in set(words.values()))
    found: dict[int, dict[int, list[tuple[int, bytes]]]] = defaultdict(lambda: defaultdict(list))
    for needle, words in offered.items():
        offset = min(words, key=lambda at: (others[words[at]], at))
        found[min(len(needle), _WORD)][words[offset]].append((offset, needle))
    return found


def _hash(words: Any) -> Any:
    return words * _HASH_FACTOR >> np.uint64(64 - _HASH_BITS)
