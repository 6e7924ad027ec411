"""Which records are others than last time, found without comparing each of them.

Everything that is read of a record is one number: the sum of the hashes of its rows, for rows come
in no order. The numbers of all records of a bucket add up to one sum. Sources are summed up by
buckets in one pass; only of buckets that add up to something else the records are looked at.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from zhongtai.identity.evidence import Reading

# ruff: noqa: S608  # expressions of our own

# Of so few records is a bucket that a change of one record in a hundred leaves nine of ten alone.
_PER_BUCKET = 8
_BUCKET = "({hash} >> {{shift}})::integer"
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

_KEEP_SHIFT = f"""
create or replace table identity_state.shift as
select (64 - greatest(floor(log2(greatest(count(*), 1) / {_PER_BUCKET})), 1))::ubigint as shift
from identity_state.fingerprints
"""

_KEEP_SUMS = f"""
create or replace table identity_state.sums as
select {_BUCKET.format(hash="node_hash")} as bucket, {_SUM.format(number="fingerprint")} as total
from identity_state.fingerprints
group by bucket
"""

# Each source by itself: summing up all rows of all sources at once takes half as long again.
_SUMMED_UP = "    union all\n".join(
    f"""
    select {_BUCKET.format(hash="node_hash")} as bucket, sum({row_hash}) as total
    from (select *, {{node_hash}} as node_hash from {{{kind}}})
    group by bucket
"""
    for kind, row_hash in _ROW_HASHES.items()
)

_SUM_UP = f"""
create or replace temp table identity_sums as
select bucket, {_SUM.format(number="total")} as total
from ({_SUMMED_UP})
group by bucket
"""

_FIND_UNLIKE = """
create or replace temp table identity_unlike as
select bucket
from identity_sums as n
full join identity_state.sums as o using (bucket)
where n.total is distinct from o.total
"""

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
    select k.*
    from identity_state.fingerprints as k
    semi join identity_unlike as u on {_BUCKET.format(hash="k.node_hash")} = u.bucket
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
    "create or replace table identity_state.sums as select * from identity_sums",
)


def _read_shift(connection: "duckdb.DuckDBPyConnection") -> int:
    row = connection.execute("select shift from identity_state.shift").fetchone()
    return int(row[0]) if row else 0


def keep_fingerprints(connection: "duckdb.DuckDBPyConnection", reading: "Reading") -> None:
    """Keep the fingerprints of all records as they are, and their sums."""
    reading.execute(connection, _FINGERPRINTS, kind="table identity_state.fingerprints")
    connection.execute(_KEEP_SHIFT)
    connection.execute(_KEEP_SUMS.format(shift=_read_shift(connection)))


def find_differing(connection: "duckdb.DuckDBPyConnection", reading: "Reading") -> None:
    """Compare the sources with what is kept.

    Writes identity_differing (node_hash, records, former_records: how many records of that hash
    there are and were), and identity_found_records and identity_found_evidence: all rows of these
    and of some other records, with their node_hash.
    """
    shift = _read_shift(connection)
    reading.execute(connection, _SUM_UP, shift=str(shift))
    connection.execute(_FIND_UNLIKE)
    bucket = _BUCKET.format(hash="r.node_hash").format(shift=shift)
    found = {"node_hash": "node_hash"}
    for kind, columns in _COLUMNS.items():
        relation = reading.words[kind]
        reading.execute(
            connection, _TAKE_ROWS, kind=kind, columns=columns, relation=relation, bucket=bucket
        )
        found[kind] = f"identity_found_{kind}"
    connection.execute(_FINGERPRINTS.format(kind="temp table identity_found", **found))
    connection.execute(_FIND_DIFFERING.format(shift=shift))


def replace_fingerprints(connection: "duckdb.DuckDBPyConnection") -> None:
    """Keep the fingerprints of the records that `find_differing` found to differ."""
    for statement in _REPLACE:
        connection.execute(statement)
