"""What was set aside: looking at it, and judging it again after a fix."""

from zhongtai.quarantine.browse import QuarantinedRow, QuarantineItem, Selection, list_, show
from zhongtai.quarantine.replays import ReplayReport, replay

__all__ = [
    "QuarantineItem",
    "QuarantinedRow",
    "ReplayReport",
    "Selection",
    "list_",
    "replay",
    "show",
]
