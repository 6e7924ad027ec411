"""Which pairs are compared at all: rows that share a block, within a bound on pairs."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zhongtai.identity.matching.declaration import Declaration
from zhongtai.identity.matching.features import block_features

if TYPE_CHECKING:
    import duckdb

# ruff: noqa: S608  # names of features, quoted

# A block that is larger says nothing: it would only pair everybody with everybody.
_COUNT = """
create or replace temp table matching__block_sizes as
select rule, block, count(*) as size from matching__blocks group by rule, block having count(*) > 1
"""

# The largest size up to which all blocks of a rule together stay within the bound on pairs.
_BOUND = """
with sizes as (
    select
        rule,
        size,
        count(*) as blocks,
        (sum(size * (size - 1)) // 2)::bigint as pairs,
    from matching__block_sizes
    group by rule, size
),
running as (
    select *, sum(pairs) over (partition by rule order by size) as up_to from sizes
)
select
    rule,
    sum(blocks)::bigint as blocks,
    sum(pairs)::bigint as pairs,
    coalesce(max(size) filter (up_to <= $max_pairs and size <= $max_block), 1) as largest,
    coalesce(sum(blocks) filter (up_to <= $max_pairs and size <= $max_block), 0)::bigint
        as kept_blocks,
    coalesce(sum(pairs) filter (up_to <= $max_pairs and size <= $max_block), 0)::bigint
        as kept_pairs,
    coalesce(sum(pairs) filter (size <= $max_block), 0)::bigint > $max_pairs as is_tightened,
from running
group by rule
order by rule
"""

_PAIR = """
create or replace temp table matching__blocked as
with kept as (
    select b.rule, b.block, b.row_no
    from matching__blocks as b
    inner join matching__block_sizes as s using (rule, block)
    inner join matching__block_limits as l using (rule)
    where s.size <= l.largest
)
select l.row_no as join_key_l, r.row_no as join_key_r, min(l.rule)::varchar as match_key
from kept as l
inner join kept as r on l.block = r.block and l.rule = r.rule and l.row_no < r.row_no
group by l.row_no, r.row_no
"""


@dataclass(frozen=True)
class BlockReport:
    """What became of one blocking rule. `largest` is the largest block that was compared."""

    rule: tuple[str, ...]
    action: str  # kept, tightened (larger blocks left out to stay within max_pairs), refused
    blocks: int
    pairs: int
    kept_blocks: int
    kept_pairs: int
    largest: int


# Pairs that are given by the numbers of their rows.
_PAIR_AMONG = """
create or replace temp table matching__blocked as
select
    least(l.row_no, r.row_no) as join_key_l,
    greatest(l.row_no, r.row_no) as join_key_r,
    '0' as match_key,
from {among} as a
inner join matching__features as l on a.left_no = l.given_no
inner join matching__features as r on a.right_no = r.given_no
"""

_KEEP = """
create or replace temp table matching_blocks as
select b.rule, b.block, f.given_no
from matching__blocks as b
inner join matching__features as f using (row_no)
"""


def keep_blocks(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write the temp table `matching_blocks` (rule, block, given_no) of the rows in hand."""
    connection.execute(_KEEP)


def pair_among(connection: "duckdb.DuckDBPyConnection", among: str) -> None:
    """Write the temp table `matching__blocked` of given pairs (left_no, right_no), each once."""
    connection.execute(_PAIR_AMONG.format(among=among))


def list_blocks(
    connection: "duckdb.DuckDBPyConnection",
    declaration: Declaration,
    list_columns: Collection[str],
) -> None:
    """Write the temp table `matching__blocks` (rule, block, row_no) of `matching__features`."""
    connection.execute(_blocks_of(declaration, list_columns))


def block_pairs(
    connection: "duckdb.DuckDBPyConnection",
    declaration: Declaration,
    list_columns: Collection[str],
) -> tuple[BlockReport, ...]:
    """Write the temp table `matching__blocked` from `matching__features`, each pair once.

    Blocks of more than `max_block` rows are left out. Where the rest of a rule would still give
    more than `max_pairs` pairs, its largest blocks are left out as well, all blocks of one size
    alike, so that the order of the rows decides nothing.
    """
    list_blocks(connection, declaration, list_columns)
    connection.execute(_COUNT)
    limits = {"max_pairs": declaration.max_pairs, "max_block": declaration.max_block}
    rows = connection.execute(_BOUND, limits).fetchall()
    connection.execute(
        "create or replace temp table matching__block_limits (rule utinyint, largest bigint)"
    )
    if rows:
        connection.executemany(
            "insert into matching__block_limits values (?, ?)", [(row[0], row[3]) for row in rows]
        )
    connection.execute(_PAIR)
    return tuple(
        BlockReport(
            rule=declaration.blocking[rule],
            action="refused" if kept == 0 else "tightened" if is_tightened else "kept",
            blocks=blocks,
            pairs=pairs,
            kept_blocks=kept,
            kept_pairs=kept_pairs,
            largest=largest,
        )
        for rule, blocks, pairs, largest, kept, kept_pairs, is_tightened in rows
    )


def _blocks_of(declaration: Declaration, list_columns: Collection[str]) -> str:
    """One row per rule, block and row; a block is the hash of what its rows have in common."""
    known = block_features(declaration, list_columns)
    selects = []
    for number, rule in enumerate(declaration.blocking):
        features = [known[reference] for reference in rule]
        values = [
            f'unnest("{feature.name}")' if feature.is_list else f'"{feature.name}"'
            for feature in features
        ]
        columns = ", ".join(f"{value} as v{place}" for place, value in enumerate(values))
        names = ", ".join(f"v{place}" for place in range(len(values)))
        present = " and ".join(f"v{place} is not null" for place in range(len(values)))
        selects.append(
            f"select {number}::utinyint as rule, hash({names}) as block, row_no"
            f" from (select row_no, {columns} from matching__features) where {present}"
        )
    return "create or replace temp table matching__blocks as " + " union all ".join(selects)
