"""Names as they are heard and typed: by ear, in traditional characters, cut, with a title."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.draws import Array, chosen
from zhongtai.generate.households import surname_lengths
from zhongtai.generate.names import HOMOPHONES, TRADITIONAL

KINDS = ("plain", "titled", "surname", "cut", "heard", "traditional", "spaced", "wide")


def respell(names: pa.Array, gender: pa.Array, draws: Array) -> pa.Array:
    """Return the names, odd where a draw in [0, 1) chooses a way; a negative draw changes nothing.

    `gender` is 男 or 女 and picks the title.
    """
    ways = np.where(draws < 0, 0, (draws * len(KINDS)).astype(np.int64))
    long = pc.equal(surname_lengths(names), 2).to_numpy(zero_copy_only=False)
    surname = chosen(
        long, pc.utf8_slice_codeunits(names, 0, 2), pc.utf8_slice_codeunits(names, 0, 1)
    )
    given = chosen(long, pc.utf8_slice_codeunits(names, 2), pc.utf8_slice_codeunits(names, 1))
    title = pc.if_else(pc.equal(gender, "男"), "先生", "女士")
    first = pc.utf8_slice_codeunits(given, 0, 1)
    heard = pc.binary_join_element_wise(surname, _exchange(given, HOMOPHONES), "")
    spellings = (
        names,
        pc.binary_join_element_wise(names, title, ""),
        pc.binary_join_element_wise(surname, title, ""),
        pc.binary_join_element_wise(surname, first, ""),
        heard,
        _exchange(names, TRADITIONAL),
        pc.binary_join_element_wise(surname, given, " "),
        pc.binary_join_element_wise(surname, given, "\u3000"),
    )
    result = names
    for way, spelling in enumerate(spellings):
        result = chosen(ways == way, spelling, result)
    return result


def _exchange(texts: pa.Array, letters: Mapping[str, str]) -> pa.Array:
    """Return the texts with every letter replaced that has another."""
    table = str.maketrans(dict(letters))
    encoded = texts.dictionary_encode()
    words = [word.translate(table) for word in encoded.dictionary.to_pylist()]
    return pa.array(words, pa.string()).take(encoded.indices)
