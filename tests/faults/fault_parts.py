"""Which set of trials runs: the smaller, the longer, or a part of that for several nights."""

import os
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import pytest

Item = TypeVar("Item")
IS_FULL = os.environ.get("ZHONGTAI_FAULTS") == "full"
PART = os.environ.get("ZHONGTAI_FAULTS_PART", "")


def split_part(items: Sequence[Item], part: str) -> tuple[list[Item], list[Item]]:
    """What of ``items`` belongs to ``part`` (``2/4``: every fourth from the second), and the rest.

    Neighbours go to different parts, because trials of one kind stand together and take long.

    Raises:
        pytest.UsageError: ``part`` is not a number of so many parts.
    """
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", part, re.ASCII)
    number, of = (int(one) for one in found.groups()) if found else (0, 0)
    if not 0 < number <= of:
        raise pytest.UsageError(f"PART is {part!r}: expected like 2/4, the second of four parts")
    chosen = [item for place, item in enumerate(items) if place % of == number - 1]
    rest = [item for place, item in enumerate(items) if place % of != number - 1]
    return chosen, rest


def keep_part(config: pytest.Config, items: list[Any]) -> None:
    """Leave only the part asked for of the tests collected, and count the others as deselected."""
    if PART:
        items[:], rest = split_part(items, PART)
        config.hook.pytest_deselected(items=rest)
