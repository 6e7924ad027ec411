"""Small tables of persons, and a model written by hand, for tests of fuzzy matching."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa

from zhongtai.identity.matching import Declaration, Model
from zhongtai.identity.matching.declaration import Comparison, Thresholds
from zhongtai.identity.matching.levels import levels_of
from zhongtai.identity.matching.model import Frequencies, Weighed

DECLARATION = Declaration(
    name="persons",
    key="id",
    comparisons=(
        Comparison("name", "chinese_name", ("name",), term_frequencies=True),
        Comparison("mobile", "mobile", ("mobile",)),
        Comparison("birth", "date", ("birth",)),
        Comparison("place", "place", ("dealers", "city", "province")),
    ),
    blocking=(("name.surname", "birth.value"), ("mobile.tail",), ("name.pinyin",)),
    thresholds=Thresholds(accept=0.95, review=0.5, floor=0.05),
)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("name", pa.string()),
        ("mobile", pa.string()),
        ("birth", pa.date32()),
        ("dealers", pa.list_(pa.string())),
        ("city", pa.string()),
        ("province", pa.string()),
    ]
)


def model_for(declaration: Declaration, prior: float = 1e-5) -> Model:
    """A model in which better levels weigh more: m halves and u multiplies from level to level."""
    comparisons = {}
    for comparison in declaration.comparisons:
        labels = [*(level.label for level in levels_of(comparison)), "different"]
        comparisons[comparison.name] = tuple(
            Weighed(label, 0.6 / 2**place, 0.9 if label == "different" else 1e-4 * 5**place)
            for place, label in enumerate(labels)
        )
    frequencies = {
        "name__surname": Frequencies({"王": 0.07, "欧阳": 0.001}, 0.002),
        "name__given_sound": Frequencies({"wei": 0.02}, 0.001),
        "name__given": Frequencies({"伟": 0.01}, 0.0005),
    }
    return Model(
        declaration=declaration.name,
        declaration_hash=declaration.content_hash,
        splink="5",
        trained_at="2026-01-01T00:00:00+00:00",
        trained_on="a test",
        rows=0,
        labels=0,
        prior=prior,
        comparisons=comparisons,
        frequencies=frequencies if declaration.comparisons[0].term_frequencies else {},
    )


def put_people(
    connection: duckdb.DuckDBPyConnection, people: Sequence[dict[str, Any]], table: str = "people"
) -> None:
    """Write a table of persons; columns that a person lacks are null."""
    connection.register("people_arrow", pa.Table.from_pylist(list(people), SCHEMA))
    connection.execute(f"create or replace table {table} as select * from people_arrow")
    connection.unregister("people_arrow")


def looser(declaration: Declaration = DECLARATION, **changes: Any) -> Declaration:
    """The declaration with every pair kept, however improbable."""
    limits = replace(declaration.thresholds, floor=0.0)
    return replace(declaration, thresholds=limits, **changes)
