"""How well a partition meets the truth: over pairs, and over rows (B³)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zhongtai.errors import ZhongtaiError

if TYPE_CHECKING:
    import duckdb

# ruff: noqa: S608  # relations of the caller

# A cell is what one found group and one true group have in common; nothing else is needed. A row
# counts with the pairs that it stands in, so that a pair of two classes counts half in each.
_MEASURE = """
with cells as (
    select f.cluster as found, t.cluster as truth, {kind} as kind, count(*)::double as members
    from {found} as f
    inner join {truth} as t using (row_key){classes}
    group by all
),
sized as (
    select
        kind,
        members,
        sum(members) over (partition by found, truth) as size,
        sum(members) over (partition by found) as found_size,
        sum(members) over (partition by truth) as true_size,
    from cells
)
select
    kind,
    sum(members) as members,
    sum(members * (size - 1)) as right_pairs,
    sum(members * (found_size - 1)) as found_pairs,
    sum(members * (true_size - 1)) as true_pairs,
    sum(members * size / found_size) / sum(members) as b3_precision,
    sum(members * size / true_size) / sum(members) as b3_recall,
    max(found_size) as largest,
from sized
group by kind
order by kind
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
    _require_same_rows(connection, found, truth)
    query = _MEASURE.format(found=found, truth=truth, kind="0", classes="")
    row = connection.execute(query).fetchone()
    return _read(row) if row else Quality(0, 1.0, 1.0, 1.0, 1.0, 0)


def measure_classes(
    connection: "duckdb.DuckDBPyConnection", *, found: str, truth: str, classes: str
) -> dict[str, Quality]:
    """The same for each class of rows: a relation (row_key, class) over the same rows.

    A class is judged by all pairs that its rows stand in, whatever the other row is; `rows` are
    those of the class, `largest` is the largest group that holds one of them.
    """
    for partition in (truth, classes):
        _require_same_rows(connection, found, partition)
    query = _MEASURE.format(
        found=found,
        truth=truth,
        kind="c.class",
        classes=f" inner join {classes} as c using (row_key)",
    )
    return {str(row[0]): _read(row) for row in connection.execute(query).fetchall()}


def measure_sizes(connection: "duckdb.DuckDBPyConnection", partition: str) -> dict[int, int]:
    """How many groups of each size a relation (row_key, cluster) has, by size."""
    rows = connection.execute(
        "select members, count(*) from"
        f" (select count(*) as members from {partition} group by cluster) group by all order by 1"
    ).fetchall()
    return {int(size): int(groups) for size, groups in rows}


def _require_same_rows(connection: "duckdb.DuckDBPyConnection", found: str, truth: str) -> None:
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


def _read(row: tuple[Any, ...]) -> Quality:
    members, right, found_pairs, true_pairs, b3_precision, b3_recall, largest = row[1:]
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
