"""Identity resolution (OneID): which records are one person, under ids that stay."""

from zhongtai.identity.components import label_components
from zhongtai.identity.declaration import Declaration, declare, load_declaration
from zhongtai.identity.evidence import Sources
from zhongtai.identity.resolution import ResolutionReport, resolve, resolve_records
from zhongtai.identity.state import History, commit, read_history

__all__ = [
    "Declaration",
    "History",
    "ResolutionReport",
    "Sources",
    "commit",
    "declare",
    "label_components",
    "load_declaration",
    "read_history",
    "resolve",
    "resolve_records",
]
