"""Matching, and what of it a change concerns: the same pairs, groups and doubts as of all clusters.

The score of a pair depends on its two clusters alone, for frequencies are part of the model. So
only pairs with a new or changed cluster are scored, and those of blocks that are compared now and
were not before; a block may have become too large, or small enough. What hangs together with any of
them by scored pairs, before or now, is linked anew, and nothing else can be linked otherwise.
"""

from typing import TYPE_CHECKING

import numpy as np

from zhongtai.identity import matching
from zhongtai.identity.components import label_components

if TYPE_CHECKING:
    import duckdb

    from zhongtai.identity.matching import Declaration, Model

Matched = tuple[int, dict[str, int]]

_HISTOGRAM = """
create or replace table identity_state.block_histogram as
select rule, size, count(*) as blocks
from (select rule, block, count(*) as size from identity_state.blocks group by rule, block)
where size > 1
group by rule, size
"""

# Blocks of fewer rows than this are compared: larger ones say nothing or give too many pairs.
_BOUNDS = """
create or replace {kind} as
select
    rule,
    least({max_block} + 1, coalesce(min(size) filter (up_to > {max_pairs}), {max_block} + 1))
        as bound,
from (
    select
        rule,
        size,
        sum(blocks * ((size * (size - 1)) // 2)) over (partition by rule order by size) as up_to,
    from identity_state.block_histogram
)
group by rule
"""

_KEEP_ALL = (
    """
create or replace table identity_state.blocks as
select rule, block, given_no as component from matching_blocks
""",
    _HISTOGRAM,
    "create or replace table identity_state.pairs as select * from matching_pairs",
)

_SEPARATIONS = """(
    select d.cluster_key as key, s.attribute, s.value
    from identity_state.separations as s
    inner join identity_state.described as d using (component)
    {scope}
)"""

_REPLACE_BLOCKS = (
    """
create or replace temp table identity_restated as
select component, true as is_new from identity_new_described
union all
select r.component, false
from identity_renamed as r
anti join identity_new_described using (component)
""",
    """
create or replace temp table identity_left_blocks as
select b.*
from identity_state.blocks as b
semi join identity_dissolved using (component)
""",
    """
delete from identity_state.blocks
where component in (select component from identity_dissolved)
""",
    """
create or replace temp table identity_entered_blocks as
select rule, block, given_no as component from matching_blocks
""",
    "insert into identity_state.blocks by name select * from identity_entered_blocks",
)

# Every block that somebody left, entered or is in who is told otherwise, with its sizes.
_MEASURE_BLOCKS = """
create or replace temp table identity_block_sizes as
with concerned as (
    select rule, block, 0 as entered, 1 as gone from identity_left_blocks
    union all
    select rule, block, 1, 0 from identity_entered_blocks
    union all
    select b.rule, b.block, 0, 0
    from identity_state.blocks as b
    semi join (from identity_restated where not is_new) using (component)
),
changed as (
    select rule, block, sum(entered) as entered, sum(gone) as gone
    from concerned
    group by rule, block
),
present as (
    select b.rule, b.block, count(*) as size
    from identity_state.blocks as b
    semi join changed using (rule, block)
    group by b.rule, b.block
)
select
    c.rule,
    c.block,
    coalesce(p.size, 0)::bigint as size,
    (coalesce(p.size, 0) - c.entered + c.gone)::bigint as former_size,
from changed as c
left join present as p using (rule, block)
"""

_CORRECT_HISTOGRAM = """
create or replace table identity_state.block_histogram as
select rule, size, sum(blocks)::bigint as blocks
from (
    select rule, size, blocks from identity_state.block_histogram
    union all
    select rule, size, 1 from identity_block_sizes where size > 1
    union all
    select rule, former_size, -1 from identity_block_sizes where former_size > 1
)
group by rule, size
having sum(blocks) <> 0
"""

_FIND_BOUNDS_MOVED = """
create or replace temp table identity_moved_bounds as
select
    rule,
    least(n.bound, o.bound) as smallest,
    greatest(n.bound, o.bound) as largest,
from identity_bounds as n
inner join identity_state.block_bounds as o using (rule)
where n.bound <> o.bound
"""

# Rarely: all pairs of a rule together came to be too many, or no longer are.
_MEASURE_OTHERS = """
insert into identity_block_sizes
select b.rule, b.block, count(*), count(*)
from identity_state.blocks as b
inner join identity_moved_bounds as m using (rule)
anti join identity_block_sizes as s on b.rule = s.rule and b.block = s.block
group by b.rule, b.block
having count(*) >= any_value(m.smallest) and count(*) < any_value(m.largest)
"""

_OPEN_BLOCKS = """
create or replace temp table identity_openness as
select
    s.rule,
    s.block,
    s.size > 1 and s.size < coalesce(n.bound, {max_block} + 1) as is_open,
    s.former_size > 1 and s.former_size < coalesce(o.bound, {max_block} + 1) as was_open,
from identity_block_sizes as s
left join identity_bounds as n using (rule)
left join identity_state.block_bounds as o using (rule)
"""

_LIST_CANDIDATES = (
    """
create or replace temp table identity_open_members as
select b.*, o.was_open
from identity_state.blocks as b
inner join (from identity_openness where is_open) as o using (rule, block)
""",
    """
create or replace temp table identity_candidates as
select distinct
    least(l.component, r.component) as left_no, greatest(l.component, r.component) as right_no
from identity_open_members as l
inner join identity_open_members as r using (rule, block)
where
    l.component <> r.component
    and (
        l.component in (select component from identity_restated)
        or (not l.was_open and l.component < r.component)
    )
""",
)

# Pairs whose block was closed, unless another open one holds both.
_LIST_LOST = (
    """
create or replace temp table identity_closed_members as
select b.rule, b.block, b.component
from identity_state.blocks as b
semi join (from identity_openness where was_open and not is_open) using (rule, block)
""",
    """
create or replace temp table identity_doubtful_pairs as
select distinct p.left_no, p.right_no
from identity_state.pairs as p
inner join identity_closed_members as l on p.left_no = l.component
inner join identity_closed_members as r
    on p.right_no = r.component and l.rule = r.rule and l.block = r.block
""",
    """
create or replace temp table identity_shared_blocks as
with ends as (
    select left_no as component from identity_doubtful_pairs
    union
    select right_no from identity_doubtful_pairs
),
held as (
    select b.* from identity_state.blocks as b semi join ends using (component)
)
select p.left_no, p.right_no, l.rule, l.block
from identity_doubtful_pairs as p
inner join held as l on p.left_no = l.component
inner join held as r on p.right_no = r.component and l.rule = r.rule and l.block = r.block
""",
    """
create or replace temp table identity_lost as
with sizes as (
    select b.rule, b.block, count(*) as size
    from identity_state.blocks as b
    semi join identity_shared_blocks using (rule, block)
    group by b.rule, b.block
)
select left_no, right_no
from identity_doubtful_pairs
anti join (
    select h.left_no, h.right_no
    from identity_shared_blocks as h
    inner join sizes as s using (rule, block)
    left join identity_bounds as n using (rule)
    where s.size < coalesce(n.bound, {max_block} + 1)
) using (left_no, right_no)
""",
)

_COMPARED = """(
    select d.*
    from identity_state.described as d
    semi join (
        select left_no as component from identity_candidates
        union
        select right_no from identity_candidates
    ) using (component)
)"""

_NO_PAIRS = """
create or replace temp table matching_pairs as
select * from identity_state.pairs limit 0
"""

_LIST_EDGES = """
select left_no, right_no from identity_state.pairs
union all
select left_no, right_no from matching_pairs
"""

# Pairs given may be listed either way round.
_LIST_STARTS = """
select component from identity_dissolved
union
select component from identity_restated
union
select unnest([left_no, right_no]) from identity_lost
union
select unnest([left_no, right_no]) from identity_candidates
"""

_REPLACE_PAIRS = (
    """
create or replace temp table identity_settled_pairs as
select p.*
from identity_state.pairs as p
semi join identity_stirred on p.left_no = identity_stirred.component
anti join identity_dissolved on p.left_no = identity_dissolved.component
anti join identity_dissolved as d on p.right_no = d.component
anti join identity_candidates as c
    on least(p.left_no, p.right_no) = c.left_no and greatest(p.left_no, p.right_no) = c.right_no
anti join identity_lost as o on p.left_no = o.left_no and p.right_no = o.right_no
anti join identity_restated as n on p.left_no = n.component
anti join identity_restated as m on p.right_no = m.component
union all by name
select * from matching_pairs
""",
    """
delete from identity_state.pairs
where left_no in (select component from identity_stirred)
""",
    "insert into identity_state.pairs by name select * from identity_settled_pairs",
    "create or replace temp table matching_pairs as from identity_settled_pairs",
    "create or replace table identity_state.block_bounds as select * from identity_bounds",
)


def keep_matching(
    connection: "duckdb.DuckDBPyConnection", declared: "tuple[Declaration, Model]"
) -> Matched:
    """Match all of identity_state.described, and keep what the next change starts from.

    Writes what `matching.link` writes. Returns how many pairs were compared, and the pairs left to
    people by reason.
    """
    task, model = declared
    scored = matching.score_pairs(
        connection, "identity_state.described", task, model, number="component"
    )
    for statement in _KEEP_ALL:
        connection.execute(statement)
    _set_bounds(connection, task, "table identity_state.block_bounds")
    linked = _link(connection, task, "")
    return scored.compared, linked


def rematch(
    connection: "duckdb.DuckDBPyConnection", declared: "tuple[Declaration, Model]"
) -> Matched:
    """Match those whom a change concerns, with the result that matching all would have for them.

    Reads identity_dissolved, identity_new_described and identity_renamed. Writes what
    `matching.link` writes, and identity_stirred (component): of whom it is all there is.
    """
    task, model = declared
    matching.block_rows(connection, "identity_new_described", task, "component")
    for statement in (*_REPLACE_BLOCKS, _MEASURE_BLOCKS, _CORRECT_HISTOGRAM):
        connection.execute(statement)
    _set_bounds(connection, task, "temp table identity_bounds")
    connection.execute(_FIND_BOUNDS_MOVED)
    if connection.execute("select 1 from identity_moved_bounds limit 1").fetchone():
        connection.execute(_MEASURE_OTHERS)
    for statement in (_OPEN_BLOCKS, *_LIST_CANDIDATES, *_LIST_LOST):
        connection.execute(statement.format(max_block=task.max_block))
    compared = _score(connection, task, model)
    _list_stirred(connection)
    for statement in _REPLACE_PAIRS:
        connection.execute(statement)
    undecided = _link(connection, task, "semi join identity_stirred using (component)")
    return compared, undecided


def _set_bounds(connection: "duckdb.DuckDBPyConnection", task: "Declaration", kind: str) -> None:
    connection.execute(
        _BOUNDS.format(kind=kind, max_block=task.max_block, max_pairs=task.max_pairs)
    )


def _score(connection: "duckdb.DuckDBPyConnection", task: "Declaration", model: "Model") -> int:
    row = connection.execute("select count(*) from identity_candidates").fetchone()
    if not row or not row[0]:
        connection.execute(_NO_PAIRS)
        return 0
    return matching.score_pairs(
        connection, _COMPARED, task, model, number="component", among="identity_candidates"
    ).compared


def _list_stirred(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write identity_stirred: everybody who hangs together with a start by pairs, old or new."""
    import pyarrow as pa

    edges = connection.execute(_LIST_EDGES).fetchnumpy()
    starts = connection.execute(_LIST_STARTS).fetchnumpy()["component"]
    nodes, places = np.unique(
        np.concatenate([edges["left_no"], edges["right_no"], starts]), return_inverse=True
    )
    left, right, start = np.split(places, [len(edges["left_no"]), 2 * len(edges["left_no"])])
    labels = label_components(left, right, len(nodes))
    stirred = nodes[np.isin(labels, labels[start])]
    connection.register("identity_found_stirred", pa.table({"component": stirred.astype(np.int32)}))
    connection.execute(
        "create or replace temp table identity_stirred as select * from identity_found_stirred"
    )
    connection.unregister("identity_found_stirred")


def _link(
    connection: "duckdb.DuckDBPyConnection", task: "Declaration", scope: str
) -> dict[str, int]:
    separations = matching.Separations(_SEPARATIONS.format(scope=scope), "identity_told_apart")
    return matching.link(connection, task, separations=separations).undecided
