"""Counting repeated keys of immutable entities, over the key hashes in the parts."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zhongtai.ingest.parts import Lake

if TYPE_CHECKING:
    import duckdb

_FIRST_SEEN = """
    create or replace temp table first_seen as
    select _key_hash as h, min(list_position($fresh, filename)) as part
    from read_parquet($fresh, filename = true)
    group by h
"""
# the few fresh hashes are what the joins keep in memory; the earlier ones stream past
_FORGET_EARLIER = """
    delete from first_seen where h in (
        select _key_hash from read_parquet($earlier)
        where _key_hash in (select h from first_seen)
    )
"""
_COUNT = "select part - 1, count(*) from first_seen group by part"


def count_new_keys(
    duck: "duckdb.DuckDBPyConnection", lake: Lake, fresh: Sequence[Path], loaded: Sequence[str]
) -> list[int]:
    """For each fresh part, in this order, how many keys occur there for the first time.

    `loaded` are the parts that count already, relative to the lake. One pass over the hashes of
    both. Raises ZhongtaiError where one of them is lost.
    """
    if not fresh:
        return []
    duck.execute(_FIRST_SEEN, {"fresh": [str(file) for file in fresh]})
    if loaded:
        lake.show_to(duck)
        try:
            duck.execute(_FORGET_EARLIER, {"earlier": [lake.location(part) for part in loaded]})
        except Exception:
            # DuckDB names a file of this machine; a person needs the part and what to do
            lake.refuse_lost(loaded)
            raise
    found = dict(duck.execute(_COUNT).fetchall())
    return [found.get(number, 0) for number in range(len(fresh))]
