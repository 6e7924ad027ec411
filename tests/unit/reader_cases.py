"""What the tests of the readers share: small contracts, files, and what a reader made of them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zhongtai.contracts import Column, Contract, Dialect, load_contracts
from zhongtai.readers import Note, count_rows, open_reader

PROJECT = Path(__file__).resolve().parents[2]
CONTRACTS = load_contracts(PROJECT)


@dataclass(frozen=True)
class Outcome:
    """Everything that came out of a file."""

    rows: list[dict[str, Any]]
    rejects: list[dict[str, Any]]
    notes: list[Note]
    counted: int

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]

    @property
    def rules(self) -> list[str]:
        return [reject["rule"] for reject in self.rejects]

    def note(self, rule: str) -> list[Note]:
        return [note for note in self.notes if note.rule == rule]


def read_file(contract: Contract, path: Path) -> Outcome:
    """Read a file to its end, and check that reader and counter agree."""
    reader = open_reader(contract, path)
    rows = [row for batch in reader.batches() for row in batch.to_pylist()]
    outcome = Outcome(rows, reader.rejects.to_pylist(), reader.notes, count_rows(contract, path))
    assert outcome.counted == len(outcome.rows) + len(outcome.rejects)
    numbers = [row["_row_number"] for row in rows] + [r["line"] for r in outcome.rejects]
    assert len(numbers) == len(set(numbers))
    assert outcome.column("_row_number") == sorted(outcome.column("_row_number"))
    return outcome


def read_bytes(contract: Contract, folder: Path, data: bytes, name: str = "file") -> Outcome:
    """Read a file that holds `data`."""
    path = folder / name
    path.write_bytes(data)
    return read_file(contract, path)


def make_contract(
    columns: str, *, required: str = "", format_: str = "csv", dialect: Dialect | None = None,
    encodings: tuple[str, ...] = ("utf-8", "gb18030"), types: dict[str, str] | None = None,
) -> Contract:  # fmt: skip
    """A contract with the named text columns; the first is the key and required."""
    names = columns.split()
    needed = {names[0], *required.split()}
    return replace(
        CONTRACTS["crm.leads"],
        format=format_,
        encodings=encodings,
        dialect=dialect or Dialect(),
        key=(names[0],),
        version=None,
        event_time=None,
        columns=tuple(
            Column(n, n, (types or {}).get(n, "text"), n in needed, None, "none", (), "", ())
            for n in names
        ),
    )
