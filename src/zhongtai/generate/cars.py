"""Vehicle identification numbers, plates, series and prices."""

import numpy as np
import pyarrow as pa

from zhongtai.generate.draws import Array, joined, padded, pick
from zhongtai.generate.names import PRICES, SERIES, TRIMS
from zhongtai.generate.places import CITIES

# Values and weights of the check digit, ISO 3779 (GB 16735).
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
_VALUES = (1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9)
_WEIGHTS = np.array([8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2])


def vehicle_numbers(index: Array, series: Array) -> pa.Array:
    """Return the 17-character VIN of each vehicle index, with its check digit."""
    body = joined("LZT", pick(list("ABCDEF"), series), "C10", "2", "0", "S", "1", padded(index, 6))
    text = np.frombuffer("".join(body.to_pylist()).encode(), np.uint8).reshape(len(index), 17)
    value = np.zeros(128, dtype=np.int64)
    value[48:58] = np.arange(10)
    value[[ord(letter) for letter in _LETTERS]] = _VALUES
    remainder = (value[text] @ _WEIGHTS) % 11
    sign = np.frombuffer(b"0123456789X", np.uint8)[remainder]
    numbers = text.copy()
    numbers[:, 8] = sign
    return pa.array(numbers.view("S17").ravel()).cast(pa.string())


def plates(index: Array, place: Array) -> pa.Array:
    """Return the eight-character plate of each electric vehicle; no two alike within 10 ** 5."""
    letter = pick(list("ABCDEFGH"), (index // 100_000) % 8)
    return joined(
        pick([city[4] for city in CITIES], place), letter, "D", padded(index % 100_000, 5)
    )


def model_codes(series: Array, trim: Array) -> pa.Array:
    """Return `<series>-<trim>`."""
    return joined(pick(SERIES, series), "-", pick(TRIMS, trim))


def list_prices(series: Array, trim: Array) -> Array:
    """Return list prices in yuan."""
    return np.asarray(np.asarray(PRICES)[series] + trim * 18_000)
