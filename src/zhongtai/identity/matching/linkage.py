"""From scored pairs to groups: average linkage that joins nothing which conflicts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.errors import ZhongtaiError
from zhongtai.identity.matching.agglomeration import (
    SCALE,
    Conflicts,
    Graph,
    Numbers,
    agglomerate,
    cut_components,
    explain_conflicts,
)
from zhongtai.identity.matching.declaration import Declaration, Thresholds
from zhongtai.identity.matching.engine import drop_temporary

if TYPE_CHECKING:
    import duckdb

_NODES = """
create or replace temp table matching__nodes as
select (row_number() over (order by row_key) - 1)::bigint as node, row_key
from (
    select left_key as row_key from {pairs} where probability >= $floor
    union
    select right_key from {pairs} where probability >= $floor
)
"""

_EDGES = """
select
    least(l.node, r.node) as left_node,
    greatest(l.node, r.node) as right_node,
    max(round(p.probability * $scale)::bigint) as millionths,
    bool_and(p.is_sufficient)::bigint as is_sufficient,
from {pairs} as p
inner join matching__nodes as l on l.row_key = p.left_key
inner join matching__nodes as r on r.row_key = p.right_key
where p.probability >= $floor and p.left_key <> p.right_key
group by 1, 2
order by 1, 2
"""

# a row with several values of one attribute agrees only with rows that have the very same ones
_VALUES = """
select
    node,
    attribute,
    dense_rank() over (partition by attribute order by known)::bigint as value_no,
from (
    select n.node, a.attribute, list_sort(list(distinct a.value::varchar)) as known
    from {attributes} as a
    inner join matching__nodes as n on n.row_key = a.key
    where a.value is not null
    group by n.node, a.attribute
)
"""

_APART = """
select l.node as left_node, r.node as right_node
from {apart} as a
inner join matching__nodes as l on l.row_key = a.left_key
inner join matching__nodes as r on r.row_key = a.right_key
"""

_GROUPS = """
create or replace temp table matching_groups as
select m.row_key, f.row_key as group_key
from matching__members as g
inner join matching__nodes as m on m.node = g.node
inner join matching__nodes as f on f.node = g.first_node
"""

_UNDECIDED = """
create or replace temp table matching_undecided as
select l.row_key as left_key, r.row_key as right_key, u.probability, u.reason, u.attribute
from matching__left_open as u
inner join matching__nodes as l on l.node = u.left_node
inner join matching__nodes as r on r.node = u.right_node
"""


@dataclass(frozen=True)
class LinkReport:
    """What was joined. `undecided` counts pairs from the review threshold up left apart."""

    pairs: int
    groups: int
    joined: int
    cut_components: int
    undecided: dict[str, int]


@dataclass(frozen=True)
class Separations:
    """What keeps rows apart, as relations of the connection.

    `attributes` (key, attribute, value): what a person has one of; rows with different values
    never meet in one group. `apart` (left_key, right_key): rows that were told to stay apart.
    """

    attributes: str | None = None
    apart: str | None = None


def link(
    connection: "duckdb.DuckDBPyConnection",
    declaration: Declaration,
    *,
    pairs: str = "matching_pairs",
    separations: Separations | None = None,
) -> LinkReport:
    """Group the rows of scored pairs; writes two temp tables.

    `pairs` is a relation (left_key, right_key, probability, is_sufficient), as of `score_pairs`.
    A pair that is not sufficient counts for the grouping as if it had not been compared.

    `matching_groups` (row_key, group_key) holds the rows of groups of two or more; group_key is
    the smallest key of the group. `matching_undecided` (left_key, right_key, probability, reason,
    attribute) holds the pairs from the review threshold up that stayed in two groups. Reasons:
    conflict (`attribute` says in what, `decision` for a pair told apart), below_accept,
    weak_average (the pair alone would do, its groups do not), insufficient, cut_component.
    """
    try:
        graph, is_sufficient = _read_graph(connection, declaration, pairs)
        conflicts, names = _read_conflicts(connection, graph.size, separations or Separations())
        remaining, cut = cut_components(graph.select(is_sufficient), declaration.max_component)
        group = agglomerate(remaining, conflicts, declaration.thresholds.accept)
        _write_groups(connection, group)
        # -2 and -1 count from the end
        labels = np.array([*names, "decision", None], dtype=object)
        against = labels[explain_conflicts(graph, conflicts, group)]
        reasons = _find_reasons(graph, remaining, is_sufficient, against, declaration.thresholds)
        is_worth = graph.millionths >= declaration.thresholds.review * SCALE
        is_worth &= group[graph.left] != group[graph.right]
        undecided = _list_pairs(graph, reasons, against).filter(pa.array(is_worth))
        connection.register("matching__left_open", undecided)
        connection.execute(_UNDECIDED)
        connection.unregister("matching__left_open")
        counted = undecided["reason"].value_counts().to_pylist()
    finally:
        drop_temporary(connection, "matching__")
    sizes = np.bincount(group, minlength=1)
    return LinkReport(
        pairs=len(graph.left),
        groups=int((sizes > 1).sum()),
        joined=int(sizes[sizes > 1].sum()),
        cut_components=cut,
        undecided={str(c["values"]): int(c["counts"]) for c in counted},
    )


def _read_graph(
    connection: "duckdb.DuckDBPyConnection", declaration: Declaration, pairs: str
) -> tuple[Graph, npt.NDArray[np.bool_]]:
    floor = {"floor": declaration.thresholds.floor}
    connection.execute(_NODES.format(pairs=pairs), floor)
    row = connection.execute("select count(*) from matching__nodes").fetchone()
    found = connection.execute(_EDGES.format(pairs=pairs), {**floor, "scale": SCALE}).fetchnumpy()
    graph = Graph(
        size=int(row[0]) if row else 0,
        left=_numbers(found["left_node"]),
        right=_numbers(found["right_node"]),
        millionths=_numbers(found["millionths"]),
    )
    return graph, _numbers(found["is_sufficient"]) > 0


def _read_conflicts(
    connection: "duckdb.DuckDBPyConnection",
    size: int,
    separations: Separations,
) -> tuple[Conflicts, list[str]]:
    names: list[str] = []
    values = np.zeros((size, 0), dtype=np.int64)
    if separations.attributes:
        query = _VALUES.format(attributes=separations.attributes)
        found = connection.execute(query).to_arrow_table()
        names = sorted(found["attribute"].unique().to_pylist())
        if None in names:
            raise ZhongtaiError(
                f"{separations.attributes} has rows without attribute",
                hint="each row names what its value is of",
            )
        values = np.zeros((size, len(names)), dtype=np.int64)
        column = _numbers(pc.index_in(found["attribute"], value_set=pa.array(names, pa.string())))
        values[_numbers(found["node"]), column] = _numbers(found["value_no"])
    left = right = np.zeros(0, dtype=np.int64)
    if separations.apart:
        told = connection.execute(_APART.format(apart=separations.apart)).fetchnumpy()
        left, right = _numbers(told["left_node"]), _numbers(told["right_node"])
    return Conflicts(values, left, right), names


def _write_groups(connection: "duckdb.DuckDBPyConnection", group: Numbers) -> None:
    sizes = np.bincount(group, minlength=1)
    node = np.flatnonzero(sizes[group] > 1) if len(group) else np.zeros(0, dtype=np.int64)
    members = pa.table({"node": node, "first_node": group[node]})
    connection.register("matching__members", members)
    connection.execute(_GROUPS)
    connection.unregister("matching__members")


def _find_reasons(
    graph: Graph,
    remaining: Graph,
    is_sufficient: npt.NDArray[np.bool_],
    against: npt.NDArray[np.object_],
    limits: Thresholds,
) -> npt.NDArray[np.object_]:
    """Why each pair, if it was left apart, was left apart: the strongest reason."""
    size = max(graph.size, 1)
    is_cut = ~np.isin(graph.left * size + graph.right, remaining.left * size + remaining.right)
    is_weak = graph.millionths < limits.accept * SCALE
    reasons = np.where(is_weak, "below_accept", "weak_average").astype(object)
    reasons[is_cut] = "cut_component"
    reasons[~is_sufficient] = "insufficient"
    reasons[against != None] = "conflict"  # noqa: E711  # elementwise
    return reasons


def _list_pairs(
    graph: Graph, reasons: npt.NDArray[np.object_], against: npt.NDArray[np.object_]
) -> pa.Table:
    return pa.table(
        {
            "left_node": graph.left,
            "right_node": graph.right,
            "probability": graph.millionths / SCALE,
            "reason": pa.array(reasons, pa.string()),
            "attribute": pa.array(against, pa.string()),
        }
    )


def _numbers(column: object) -> Numbers:
    return np.asarray(column, dtype=np.int64)
