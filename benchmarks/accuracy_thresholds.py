"""What each threshold would do, on persons that neither training nor the first table uses.

As many persons as can be afforded: chance agreements grow with their square, so that a threshold
that looks safe on few persons is not safe on many.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks import accuracy_persons
from benchmarks.accuracy_report import Breakdown
from zhongtai.identity.matching import (
    Declaration,
    link,
    load_declaration,
    load_model,
    measure_quality,
    score_pairs,
)

if TYPE_CHECKING:
    import duckdb

SEED, PERSONS = 2_003, 400_000
ACCEPT = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
BANDS = (0.2, 0.5, 0.7, 0.8, 0.9, 0.95)

_GROUPED = """
(
    select r.cluster_key as row_key, coalesce(g.group_key, r.cluster_key) as cluster
    from rows as r left join matching_groups as g on g.row_key = r.cluster_key
)
"""
_BAND = """
select count(*), count(*) filter (l.person = r.person)
from matching_pairs as p
inner join rows as l on p.left_key = l.cluster_key
inner join rows as r on p.right_key = r.cluster_key
where p.is_sufficient and p.probability >= ? and p.probability < ?
"""


def measure(seed: int = SEED, persons: int = PERSONS) -> Iterator[Breakdown]:
    """Groups at each accept threshold, and how many pairs of each band are one person."""
    import duckdb

    declaration = load_declaration(accuracy_persons.DECLARATION_FILE)
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.register("made", accuracy_persons.make_pieces(seed, persons))
        connection.execute("create temp table rows as from made")
        score_pairs(connection, "rows", declaration, load_model(accuracy_persons.MODEL_FILE))
        yield _try_accept(connection, declaration, f"{persons:,} made-up persons of seed {seed}")
        yield _look_at_bands(connection)


def _try_accept(
    connection: "duckdb.DuckDBPyConnection", declaration: Declaration, population: str
) -> Breakdown:
    truth = "(select cluster_key as row_key, person as cluster from rows)"
    rows = []
    for accept in ACCEPT:
        review = min(accept, declaration.thresholds.review)
        limits = replace(declaration.thresholds, accept=accept, review=review)
        link(connection, replace(declaration, thresholds=limits))
        found = measure_quality(connection, found=_GROUPED, truth=truth)
        shipped = " (shipped)" if accept == declaration.thresholds.accept else ""
        rows.append(
            (
                f"{accept}{shipped}",
                f"{found.precision:.4f}",
                f"{found.recall:.4f}",
                f"{found.f1:.4f}",
                f"{found.b3_f1:.4f}",
                f"{found.largest:,}",
            )
        )
    return Breakdown(
        "Accept thresholds",
        f"Pieces of {population}; the model was trained on another seed, and the first table shows"
        " a third one. docs/decisions/0009 says how to read it.",
        ("accept", "precision", "recall", "F1", "B³ F1", "largest"),
        tuple(rows),
    )


def _look_at_bands(connection: "duckdb.DuckDBPyConnection") -> Breakdown:
    rows = []
    for low, high in zip(BANDS, (*BANDS[1:], 1.1), strict=True):
        pairs, right = connection.execute(_BAND, [low, high]).fetchone() or (0, 0)
        share = f"{right / pairs:.3f}" if pairs else "—"
        rows.append((f"{low} to {min(high, 1)}", f"{pairs:,}", f"{right:,}", share))
    return Breakdown(
        "Bands of probability",
        "Pairs of the same pieces that may be joined, by probability, and how many are one person.",
        ("probability", "pairs", "one person", "share"),
        tuple(rows),
    )
