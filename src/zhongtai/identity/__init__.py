"""Identity resolution (OneID): which records are one person, under ids that stay."""

from zhongtai.identity.components import label_components
from zhongtai.identity.resolution import ResolutionReport, resolve, resolve_records
from zhongtai.identity.state import History, commit, read_history

__all__ = [
    "History",
    "ResolutionReport",
    "commit",
    "label_components",
    "read_history",
    "resolve",
    "resolve_records",
]
