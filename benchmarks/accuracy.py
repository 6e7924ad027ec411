"""Who is found to be one person, against the truth: ours and two rivals in one run.

    python -m benchmarks.accuracy [--only febrl3 febrl4 persons world thresholds]

Prints one table; a whole run writes docs/accuracy.md. Seconds are for comparison within the run.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from rich.console import Console

from benchmarks import (
    accuracy_febrl,
    accuracy_persons,
    accuracy_rivals,
    accuracy_thresholds,
    accuracy_world,
)
from benchmarks.accuracy_report import (
    PAGE,
    Breakdown,
    Result,
    break_down_sizes,
    print_tables,
    render_page,
)
from zhongtai.identity.matching import (
    Declaration,
    Model,
    load_declaration,
    load_model,
    measure_quality,
    measure_sizes,
    resolve_table,
)

HELD_OUT = {"seed": 1_009, "persons": 50_000}
# From rows to a partition of them: (row_key, cluster).
Method = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class DataSet:
    """Rows with their truth (a column `person`), and what to resolve them with."""

    name: str
    read: Callable[[], pa.Table]
    key: str
    methods: dict[str, Method]


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
            lambda name=name: accuracy_febrl.read_febrl(name),  # type: ignore[misc]  # a default
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


def measure(data_set: DataSet) -> Iterator[Result | Breakdown]:
    """Every method on one data set, then how many groups of each size they find."""
    import duckdb

    rows = data_set.read()
    given = rows.drop_columns(["person"])
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        truth = f'(select "{data_set.key}" as row_key, person as cluster from rows)'  # noqa: S608  # our own key
        sizes = {"truth": measure_sizes(connection, truth)}
        for name, resolve in data_set.methods.items():
            started = time.perf_counter()
            found = resolve(given)
            seconds = time.perf_counter() - started
            connection.register("found", found)
            quality = measure_quality(connection, found="found", truth=truth)
            sizes[name] = measure_sizes(connection, "found")
            yield Result(data_set.name, name, quality, seconds)
    yield break_down_sizes(data_set.name, sizes)


PARTS: dict[str, Callable[[], Iterator[Result | Breakdown]]] = {
    **{
        data_set.name: (lambda data_set=data_set: measure(data_set))  # type: ignore[misc]  # a default
        for data_set in list_data_sets()
    },
    "world": accuracy_world.measure,
    "thresholds": accuracy_thresholds.measure,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen parts; a partial run is printed and leaves the page alone."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    options: Any = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 200)
    found: list[Result | Breakdown] = []
    for name in options.only:
        console.print(f"measuring {name} …")
        found += PARTS[name]()
    results = [one for one in found if isinstance(one, Result)]
    parts = [one for one in found if isinstance(one, Breakdown)]
    print_tables(results, parts, console)
    if set(options.only) == set(PARTS):
        PAGE.write_text(render_page(results, parts, "make accuracy"), "utf-8")
        console.print(f"written: {PAGE.relative_to(PAGE.parents[1])}")


if __name__ == "__main__":
    main()
