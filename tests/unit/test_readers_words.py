"""Runs of bytes read as words agree with plain Python."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from zhongtai.readers.words import PADDING, number_runs, parse_digits

DIGITS = st.text("0123456789", min_size=1, max_size=7)
ANYTHING = st.binary(max_size=20)


def laid_out(runs: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The runs with something between them, and where each begins and ends."""
    data, start, end = b"", [], []
    for run in runs:
        data += b">"
        start.append(len(data))
        data += run
        end.append(len(data))
    buffer = np.frombuffer(data + bytes(PADDING), np.uint8)
    return buffer, np.array(start, np.int32), np.array(end, np.int32)


@given(st.lists(DIGITS, min_size=1))
def test_numbers_are_those_that_stand_there(texts: list[str]) -> None:
    found = parse_digits(*laid_out([text.encode() for text in texts]))
    assert found.tolist() == [int(text) for text in texts]


@given(st.lists(DIGITS), ANYTHING, st.lists(DIGITS))
@example([], b"", [])
@example(["1"], b"12345678", [])
@example(["1"], b"1:", ["2"])
@example(["1"], b"/1", ["2"])
@example(["1"], b"\xb1", ["2"])
def test_what_is_no_number_is_none(before: list[str], odd: bytes, after: list[str]) -> None:
    runs = [*(t.encode() for t in before), odd, *(t.encode() for t in after)]
    found = parse_digits(*laid_out(runs))
    if 1 <= len(odd) <= 7 and all(48 <= byte <= 57 for byte in odd):
        assert found.tolist() == [int(run) for run in runs]
    else:
        assert found is None


@given(st.lists(st.binary(max_size=17) | st.sampled_from([b"", b"a", b"a\0", b"12345678"])))
def test_equal_runs_have_equal_numbers_and_others_have_not(runs: list[bytes]) -> None:
    found = number_runs(*laid_out(runs))
    if not runs or max(map(len, runs)) > 16:
        assert found is None
        return
    assert found is not None
    examples, codes = found
    assert [runs[examples[code]] for code in codes] == runs
    assert len(examples) == len(set(runs))
