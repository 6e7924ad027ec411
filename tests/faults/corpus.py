"""The corpus of bad input: what is planted in a landing zone, and what must become of each file.

Every class of fault is one generator function, registered under a name that says what is wrong.
The numbers of rows are those of the generator, which knows what it wrote: they are independent of
every reader and counter of the product.
"""

import gzip
import io
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xlsxwriter
from fault_parts import IS_FULL

from zhongtai.contracts import Column, Contract, load_contracts

PROJECT = Path(__file__).resolve().parents[2]
CONTRACTS = load_contracts(PROJECT)

# Texts of every encoding, dialect and way of completion; events; workbooks; XML.
TEXTS = (
    "partner.members", "dms.dealers", "crm.follow_ups", "website.visits", "dms.store_visits",
)  # fmt: skip
EVENTS = ("app.events", "miniprogram.events") if IS_FULL else ("app.events",)
BOOKS = ("dms.orders", "dms.deliveries", "dms.test_drives")[: 3 if IS_FULL else 2]
LEADS = "crm.adf_leads"
T0 = 1_770_000_000_000
NOW = datetime(2026, 3, 5, tzinfo=UTC)

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Bad:
    """One bad file, what its rows are, and what must become of it.

    `plant` puts something else than a file there, and returns it. `status` is that of the ledger,
    or `waiting`, or `stray`; `rule` the one that sets the file or its `refused` rows aside; `says`
    what the message must contain.
    """

    entity: str
    content: bytes = b""
    rows: int = 0
    refused: int = 0
    duplicate: int = 0
    status: str = "loaded"
    rule: str = ""
    says: str = ""
    name: str = ""
    plant: Callable[[Path], Path] | None = None
    manifest: Mapping[str, Any] | None = None
    is_complete: bool = True
    prepare: Callable[[Path], None] | None = None

    @property
    def loaded(self) -> int:
        """How many rows must load."""
        return self.rows - self.refused - self.duplicate if self.status == "loaded" else 0


Generator = Callable[[], Iterator[Bad]]


@dataclass
class Corpus:
    """The classes by name, in the order of their registration."""

    classes: dict[str, Generator] = field(default_factory=dict)

    def add(self, generator: Generator) -> Generator:
        """Register a class under the name of its function."""
        name = generator.__name__
        assert name not in self.classes
        self.classes[name] = generator
        return generator


CORPUS = Corpus()
fault = CORPUS.add


def whole(entity: str, content: bytes, rule: str, says: str, rows: int = 0, **other: Any) -> Bad:
    """A file that must be set aside whole."""
    return Bad(entity, content, rows, status="quarantined", rule=rule, says=says, **other)


def value_of(column: Column, number: int) -> object:
    """A good value for a column."""
    if column.type in ("ts", "date") or (column.type == "key" and column.time_role):
        return "2026-03-01 10:00:00"
    if column.type == "ms":
        return T0 + number
    return f"K{number}" if column.type in ("key", "text") else ""


def good_row(contract: Contract) -> dict[str, object]:
    """A row of its own key, with all that must be filled."""
    number = next(_numbers)
    needed = {*contract.key, contract.event_time, contract.version}
    if contract.format == "jsonl":
        return {
            "type": "track", "event": "ViewSeries", "distinct_id": f"d{number}",
            "time": T0 + number, "_track_id": number, "properties": {"series_code": "S1"},
        }  # fmt: skip
    return {
        c.delivered: value_of(c, number) if c.delivered in needed or c.required else ""
        for c in contract.columns
    }


@dataclass
class Table:
    """A small text file in the making: header and rows as lists of cells."""

    entity: str
    header: list[str]
    rows: list[list[str]]

    @property
    def contract(self) -> Contract:
        return CONTRACTS[self.entity]

    @property
    def free(self) -> int:
        """The position of a column whose values nobody looks at."""
        c = self.contract
        taken = {*c.key, c.event_time, c.version}
        known = ("enum", "ts", "date", "ms")
        return next(
            i
            for i, x in enumerate(c.columns)
            if x.delivered not in taken and x.type not in known and not x.values
        )

    def lines(self) -> list[str]:
        """The lines, with the header first."""
        return [self.contract.dialect.delimiter.join(row) for row in (self.header, *self.rows)]

    def bytes(self, codec: str = "", end: str = "\n") -> bytes:
        """The file in the first encoding of its contract, or another."""
        text = "".join(line + end for line in self.lines())
        return text.encode(codec or self.contract.encodings[0])


def table(entity: str, rows: int = 3) -> Table:
    """A good text file of so many rows."""
    contract = CONTRACTS[entity]
    made = [[str(v) for v in good_row(contract).values()] for _ in range(rows)]
    return Table(entity, [c.delivered for c in contract.columns], made)


def tables(rows: int = 3) -> Iterator[Table]:
    """A good file for each of the text entities."""
    return (table(entity, rows) for entity in TEXTS)


def book(
    entity: str, rows: int = 3, fill: Callable[[Any, Any], None] | None = None, **options: Any
) -> bytes:
    """A good workbook, to which `fill` may add, given book and sheet."""
    contract = CONTRACTS[entity]
    file = io.BytesIO()
    made = xlsxwriter.Workbook(file, {"in_memory": True, **options})
    page = made.add_worksheet("数据")
    page.write_row(0, 0, [c.delivered for c in contract.columns])
    for number in range(1, rows + 1):
        page.write_row(number, 0, list(good_row(contract).values()))
    if fill:
        fill(made, page)
    made.close()
    return file.getvalue()


def prospect(inner: str = "") -> str:
    """A good ADF prospect of its own id."""
    number = next(_numbers)
    return (
        f'<prospect><id source="车网">P{number}</id><requestdate>2026-03-01T10:00:00+08:00'
        "</requestdate><vehicle><make>M</make></vehicle><customer><contact><name>王</name>"
        f"<phone>13812345678</phone></contact>{inner}</customer><vendor><id>D1</id></vendor>"
        "</prospect>"
    )


def adf(*prospects: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>') -> bytes:
    """An ADF file."""
    return f"{head}<adf>{''.join(prospects)}</adf>".encode()


def packed(data: bytes) -> bytes:
    """The bytes as gzip."""
    return gzip.compress(data, 6, mtime=0)
