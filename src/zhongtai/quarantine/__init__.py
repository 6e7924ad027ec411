"""What was set aside: looking at it, and judging it again after a fix."""

from zhongtai.quarantine.browse import (
    QuarantinedRow,
    QuarantineItem,
    Selection,
    expect_rule,
    list_,
    show,
)
from zhongtai.quarantine.replays import ReplayReport, replay

__all__ = [
    "QuarantineItem",
    "QuarantinedRow",
    "ReplayReport",
    "Selection",
    "expect_rule",
    "list_",
    "replay",
    "show",
]
