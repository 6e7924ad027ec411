"""The parts of `make faults` are together all of it."""

import pytest
from fault_parts import split_part
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.integers(), unique=True), st.integers(1, 9))
def test_every_test_is_in_one_part(items: list[int], parts: int) -> None:
    split = [split_part(items, f"{number}/{parts}") for number in range(1, parts + 1)]
    assert sorted(one for chosen, _ in split for one in chosen) == sorted(items)
    assert all(sorted(chosen + rest) == sorted(items) for chosen, rest in split)
    sizes = [len(chosen) for chosen, _ in split]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("part", ["0/4", "5/4", "1", "a/b", "1/0", "-1/2", "1/2/3", " 1/2"])
def test_a_part_that_is_none_is_refused(part: str) -> None:
    with pytest.raises(pytest.UsageError, match="second of four"):
        split_part([1, 2], part)
