"""What an erasure took out of a table of a snapshot."""

from dataclasses import dataclass

from zhongtai.publish.content import TableHash


@dataclass(frozen=True)
class Taken:
    """Rows that were taken out of a table: which (SQL), and their hash."""

    condition: str
    hash: TableHash
