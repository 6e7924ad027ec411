"""What each source promises to deliver: the files of expectations/raw as frozen objects."""

from zhongtai.contracts.catalogue import Contracts, list_sources, load_contracts
from zhongtai.contracts.model import Column, Contract, Dialect, FallbackKey, Rule

__all__ = [
    "Column",
    "Contract",
    "Contracts",
    "Dialect",
    "FallbackKey",
    "Rule",
    "list_sources",
    "load_contracts",
]
