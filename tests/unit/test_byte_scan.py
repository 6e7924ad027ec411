"""The scan for personal values finds what a search one by one finds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byte_scan import occurring

TEXTS = st.text("ab李\0", min_size=4, max_size=12)


@settings(deadline=None)
@given(st.lists(TEXTS), st.lists(TEXTS), st.binary(max_size=3))
def test_it_finds_what_a_search_one_by_one_finds(
    values: list[str], texts: list[str], between: bytes
) -> None:
    content = between.join(text.encode() for text in texts)
    wanted = [value for value in dict.fromkeys(values) if value.encode() in content]
    assert occurring(values, content) == wanted


def test_values_that_begin_alike_overlap_and_end_the_content_are_all_found() -> None:
    values = ["13800138000", "13800138001", "38001380", "王小明", "8000"]
    found = occurring(values, "x13800138000王小明13800138001".encode())
    assert found == ["13800138000", "13800138001", "38001380", "王小明", "8000"]
    assert occurring(values, b"1380013800") == ["38001380"]
    assert occurring(values, b"") == []


def test_values_that_would_occur_by_chance_are_refused() -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        occurring(["abc"], b"abc")
