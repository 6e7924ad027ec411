"""Which records are others than last time, found without comparing each of them.

Everything that is read of a record is one number: the sum of the hashes of its rows, for rows come
in no order. The numbers of all records of a bucket add up to one sum. One pass over the sources
takes from the sums what the rows give now; only of buckets that something is left of the records
are looked at.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import duckdb

    from zhongtai.identity.evidence import Reading

# ruff: noqa: S608  # expressions of our own

# Of so few records is a bucket that a change of one record in a hundred leaves nearly all alone.
_PER_BUCKET = 4
# One at a time is at hand: what all rows give would not fit beside the tables.
_ROWS_AT_ONCE = 250_000
_BUCKET = "({hash} >> {shift})::integer"
# sums are taken modulo 2^64: half as much to keep and to read
_SUM = "(sum({number}) & 18446744073709551615)::ubigint"

# What is read of each source beside the key.
_COLUMNS = {
    "records": "first_seen_at, name, hint, birth_date",
    "evidence": (
        "identifier_type, identifier_scope, identifier_value, first_seen_at, last_seen_at,"
        " record_count, is_verified, needs_name"
    ),
    "attributes": "attribute, value",
}

# What a row adds to the number of its record.
_ROW_HASHES = {
    "records": f"hash(node_hash, {_COLUMNS['records']})",
    "evidence": f"hash(node_hash, {_COLUMNS['evidence']})",
    "attributes": f"hash('attribute', node_hash, {_COLUMNS['attributes']})",
}

_ROWS = "    union all\n".join(
    f"""
    select node_hash, {row_hash} as row_hash, {1 if kind == "records" else 0} as records
    from (select *, {{node_hash}} as node_hash from {{{kind}}})
"""
    for kind, row_hash in _ROW_HASHES.items()
)

# Evidence of records that are not there is kept in mind as well: their bucket holds it.
_FINGERPRINTS = f"""
create or replace {{kind}} as
select
    node_hash,
    {_SUM.format(number="row_hash")} as fingerprint,
    sum(records)::integer as records,
from ({_ROWS})
group by node_hash
"""

_COUNT = "select count(*) from identity_state.fingerprints"

_KNOWN = f"""
select {_BUCKET.format(hash="node_hash", shift="{shift}")} as bucket, fingerprint
from identity_state.fingerprints
"""

# Each source by itself: reading all rows of all sources at once takes half as long again.
_GIVEN = tuple(
    f"""
select {_BUCKET.format(hash="node_hash", shift="{shift}")} as bucket, {row_hash} as row_hash
from (select *, {{node_hash}} as node_hash from {{{kind}}})
"""
    for kind, row_hash in _ROW_HASHES.items()
)

_TAKE_ROWS = """
create or replace temp table identity_found_{kind} as
select r.*
from (
    select source, entity, record_key, {columns}, {node_hash} as node_hash from {relation}
) as r
semi join identity_unlike as u on {bucket} = u.bucket
"""

_FIND_DIFFERING = f"""
create or replace temp table identity_differing as
with known as (
    select *
    from identity_state.fingerprints
    semi join identity_unlike on {_BUCKET.format(hash="node_hash", shift="{shift}")} = bucket
)
select
    coalesce(f.node_hash, k.node_hash) as node_hash,
    coalesce(f.records, 0) as records,
    coalesce(k.records, 0) as former_records,
from identity_found as f
full join known as k using (node_hash)
where f.fingerprint is distinct from k.fingerprint
"""

_REPLACE = (
    """
delete from identity_state.fingerprints
where node_hash in (select node_hash from identity_differing)
""",
    """
insert into identity_state.fingerprints
select f.* from identity_found as f semi join identity_differing using (node_hash)
""",
)


def keep_fingerprints(connection: "duckdb.DuckDBPyConnection", reading: "Reading") -> None:
    """Keep the fingerprints of all records as they are."""
    reading.execute(connection, _FINGERPRINTS, kind="table identity_state.fingerprints")


def find_differing(connection: "duckdb.DuckDBPyConnection", reading: "Reading") -> None:
    """Compare the sources with what is kept.

    Writes identity_differing (node_hash, records, former_records: how many records of that hash
    there are and were), and identity_found_records and identity_found_evidence: all rows of these
    and of some other records, with their node_hash.
    """
    shift = _find_unlike(connection, reading)
    bucket = _BUCKET.format(hash="r.node_hash", shift=shift)
    found = {"node_hash": "node_hash"}
    for kind, columns in _COLUMNS.items():
        relation = reading.words[kind]
        reading.execute(
            connection, _TAKE_ROWS, kind=kind, columns=columns, relation=relation, bucket=bucket
        )
        found[kind] = f"identity_found_{kind}"
    connection.execute(_FINGERPRINTS.format(kind="temp table identity_found", **found))
    connection.execute(_FIND_DIFFERING.format(shift=shift))


def _find_unlike(connection: "duckdb.DuckDBPyConnection", reading: "Reading") -> int:
    """Write identity_unlike (bucket); returns by how many bits a hash is shifted to its bucket."""
    import pyarrow as pa

    row = connection.execute(_COUNT).fetchone()
    bits = max((int(row[0]) // _PER_BUCKET if row else 0).bit_length(), 1)
    shift = 64 - bits
    left = np.zeros(1 << bits, dtype=np.uint64)
    # arrays of numbers are added up twice as fast as the engine groups them
    _add_up(connection.execute(_KNOWN.format(shift=shift)), np.subtract, left)
    for given in _GIVEN:
        _add_up(reading.execute(connection, given, shift=str(shift)), np.add, left)
    unlike = pa.table({"bucket": np.flatnonzero(left).astype(np.int32)})
    connection.register("identity_found_unlike", unlike)
    connection.execute(
        "create or replace temp table identity_unlike as select * from identity_found_unlike"
    )
    connection.unregister("identity_found_unlike")
    return shift


def _add_up(
    rows: "duckdb.DuckDBPyConnection", operation: np.ufunc, sums: npt.NDArray[np.uint64]
) -> None:
    """Add to or subtract from each bucket's sum the numbers of its rows (bucket, number)."""
    for batch in rows.to_arrow_reader(_ROWS_AT_ONCE):
        operation.at(sums, batch.column(0).to_numpy(), batch.column(1).to_numpy())


def replace_fingerprints(connection: "duckdb.DuckDBPyConnection") -> None:
    """Keep the fingerprints of the records that `find_differing` found to differ."""
    for statement in _REPLACE:
        connection.execute(statement)
