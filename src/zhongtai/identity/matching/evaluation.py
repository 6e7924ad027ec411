"""How well a partition meets the truth: over pairs, and over rows (B³)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zhongtai.errors import ZhongtaiError

if TYPE_CHECKING:
    import duckdb

# ruff: noqa: S608  # relations of the caller

# A cell is what one found group and one true group have in common; nothing else is needed.
_MEASURE = """
with cells as (
    select f.cluster as found, t.cluster as truth, count(*)::double as size
    from {found} as f
    inner join {truth} as t using (row_key)
    group by f.cluster, t.cluster
),
sized as (
    select
        size,
        sum(size) over (partition by found) as found_size,
        sum(size) over (partition by truth) as true_size,
    from cells
),
found_pairs as (
    select coalesce(sum(n * (n - 1) / 2), 0) as pairs
    from (select sum(size) as n from cells group by found)
),
true_pairs as (
    select coalesce(sum(n * (n - 1) / 2), 0) as pairs
    from (select sum(size) as n from cells group by truth)
)
select
    coalesce(sum(size), 0) as members,
    coalesce(sum(size * (size - 1) / 2), 0) as right_pairs,
    (select pairs from found_pairs) as found_pairs,
    (select pairs from true_pairs) as true_pairs,
    coalesce(sum(size * size / found_size) / sum(size), 1) as b3_precision,
    coalesce(sum(size * size / true_size) / sum(size), 1) as b3_recall,
    coalesce(max(found_size), 0) as largest,
from sized
"""


@dataclass(frozen=True)
class Quality:
    """A partition against the truth; shares from 0 to 1, `largest` in rows."""

    rows: int
    precision: float
    recall: float
    b3_precision: float
    b3_recall: float
    largest: int

    @property
    def f1(self) -> float:
        """The harmonic mean of pairwise precision and recall."""
        return _harmonic(self.precision, self.recall)

    @property
    def b3_f1(self) -> float:
        """The harmonic mean of B³ precision and recall."""
        return _harmonic(self.b3_precision, self.b3_recall)


def measure_quality(connection: "duckdb.DuckDBPyConnection", *, found: str, truth: str) -> Quality:
    """Compare two partitions: relations (row_key, cluster) over the same rows.

    Without any found pair precision is 1, without any true pair recall is 1.
    Raises ZhongtaiError where the two do not hold the same rows, each once.
    """
    row = connection.execute(
        f"select count(*), count(f.row_key), count(t.row_key), count(distinct f.row_key)"
        f" from {found} as f full join {truth} as t using (row_key)"
    ).fetchone()
    if row and len(set(row)) > 1:
        raise ZhongtaiError(
            f"{found} and {truth} do not hold the same rows, each once: together {row[0]:,},"
            f" found {row[1]:,}, true {row[2]:,}, different {row[3]:,}",
            hint="compare partitions of one table",
        )
    measured = connection.execute(_MEASURE.format(found=found, truth=truth)).fetchone()
    assert measured  # noqa: S101  # an aggregate has a row
    members, right, found_pairs, true_pairs, b3_precision, b3_recall, largest = measured
    return Quality(
        rows=int(members),
        precision=right / found_pairs if found_pairs else 1.0,
        recall=right / true_pairs if true_pairs else 1.0,
        b3_precision=b3_precision,
        b3_recall=b3_recall,
        largest=int(largest),
    )


def _harmonic(one: float, other: float) -> float:
    return 2 * one * other / (one + other) if one + other else 0.0
