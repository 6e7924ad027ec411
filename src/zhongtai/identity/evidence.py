"""What identity resolution reads, and the tables in which it keeps that as numbers.

The tables of schema `identity_state` hold every record (`nodes`) and what each names (`facts`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zhongtai.errors import ZhongtaiError
from zhongtai.identity.declaration import Declaration
from zhongtai.identity.guards import blocked_condition, blocked_name_condition, load_types
from zhongtai.identity.names import full_name_sql, name_key_sql

if TYPE_CHECKING:
    import duckdb

_NO_OWNERS = (
    "(select ''::varchar as identifier_type, ''::varchar as identifier_scope,"
    " ''::varchar as identifier_value, ''::varchar as name where false)"
)
_NO_PAIRS = (
    "(select ''::varchar as source, ''::varchar as entity, ''::varchar as record_key,"
    " ''::varchar as other_source, ''::varchar as other_entity, ''::varchar as other_record_key"
    " where false)"
)
_NO_ATTRIBUTES = (
    "(select ''::varchar as source, ''::varchar as entity, ''::varchar as record_key,"
    " ''::varchar as attribute, ''::varchar as value where false)"
)
SALTS = ("", "#", "##", "###")


@dataclass(frozen=True)
class Sources:
    """What is resolved: relations of one connection (tables, views or bracketed queries).

    `records`: source, entity, record_key, first_seen_at, name, hint, birth_date; one row each.
    A `hint` is the name of somebody whom a record without name may be about: it can contradict a
    link and never makes one.
    `evidence`: source, entity, record_key, identifier_type, identifier_scope, identifier_value,
    first_seen_at, last_seen_at, record_count, is_verified, needs_name; one row per record and
    value, of records among `records`. What needs_name links only records of one full name.
    `owners`: who is known to own a value (identifier_type, identifier_scope, identifier_value,
    name).
    `attributes`: what is known of the person beside (source, entity, record_key, attribute, value).
    `must_links`, `cannot_links`: what people decided (source, entity, record_key, other_source,
    other_entity, other_record_key).
    """

    records: str
    evidence: str
    owners: str = _NO_OWNERS
    attributes: str | None = None
    must_links: str = _NO_PAIRS
    cannot_links: str = _NO_PAIRS


# Records and values are joined by 64-bit hashes of their keys: texts cost three times as much. Two
# keys with one hash would make two persons one, so both tables are checked for it, and hashed
# anew with a salt inside the text should it ever happen.
_NODE_HASH = "hash(source, entity, {record_key})"
_VALUE_HASH = "hash(identifier_type, identifier_scope, {identifier_value})"
_CHECK_HASH = "(hash(concat('~', identifier_value, chr(31), identifier_scope)) >> 32)::uinteger"

_NODE = """
    source,
    entity,
    record_key,
    first_seen_at,
    told as name,
    birth_date,
    {is_full_name} and not {is_blocked_name} as is_full_name,
    name is not null as is_own_name,
"""

# Nodes are numbered densely, so that arrays can be indexed by them. Of a sequence all threads take
# numbers at once; numbering rows by a window is done by one.
_NUMBER_RECORDS = (
    "create or replace temp sequence identity_numbers minvalue 0 start 0",
    """
create or replace table identity_state.nodes as
select nextval('identity_numbers')::integer as record_no, {node_hash} as node_hash, {node}
from (select *, {told_name} as told from {records})
""",
    "drop sequence identity_numbers",
)

_FACT = """
        {node_hash} as node_hash,
        {value_hash} as value_hash,
        {check_hash} as check_hash,
        hash(identifier_scope) as scope_hash,
        type_no,
        first_seen_at,
        last_seen_at,
        record_count,
        is_verified,
        needs_name,
"""

_LIST_FACTS = """
create or replace table identity_state.facts as
select n.record_no, e.* exclude (node_hash)
from (
    select {fact}
    from {evidence}
    inner join identity_types using (identifier_type)
    where not {blocked}
) as e
inner join identity_state.nodes as n using (node_hash)
"""

_LIST_BLOCKED = """
create or replace table identity_state.blocked as
select n.record_no, e.* exclude (node_hash)
from (
    select {node_hash} as node_hash, identifier_type, identifier_scope, identifier_value
    from {evidence}
    where {blocked}
) as e
inner join identity_state.nodes as n using (node_hash)
"""

_COUNT_COLLISIONS = """
select
    (select count(*) - count(distinct node_hash) from identity_state.nodes)
    + (
        select count(*)
        from (
            select value_hash
            from identity_state.facts
            group by value_hash
            having min(check_hash) <> max(check_hash)
        )
    )
"""

_LIST_OWNERS = """
create or replace {kind} as
select distinct {value_hash} as value_hash, {name_key} as name
from {owners}
"""

_NUMBER_PAIRS = """
create or replace {kind} as
select distinct l.record_no as left_no, r.record_no as right_no
from {pairs} as p
inner join identity_state.nodes as l
    on l.node_hash = {node_hash}
inner join identity_state.nodes as r
    on r.node_hash = {other_hash}
"""


@dataclass(frozen=True)
class Reading:
    """How the sources are read: their relations and expressions, by the words of statements."""

    salt: str
    words: dict[str, str]

    def execute(
        self, connection: "duckdb.DuckDBPyConnection", statement: str, **more: str
    ) -> "duckdb.DuckDBPyConnection":
        """Execute a statement over the sources."""
        return connection.execute(statement.format(**self.words, **more))


def plan_reading(sources: Sources, declaration: Declaration, salt: str = "") -> Reading:
    """How these sources are read, with this salt in the hashes of keys and values."""
    node_hash = _NODE_HASH.format(record_key=_salted("record_key", salt))
    return Reading(
        salt,
        {
            "records": sources.records,
            "evidence": sources.evidence,
            "owners": sources.owners,
            "attributes": sources.attributes or _NO_ATTRIBUTES,
            "must_links": sources.must_links,
            "cannot_links": sources.cannot_links,
            "name_key": name_key_sql("name"),
            "told_name": name_key_sql("coalesce(name, hint)"),
            "is_full_name": full_name_sql("told"),
            "is_blocked_name": blocked_name_condition(declaration, "told"),
            "node_hash": node_hash,
            "value_hash": _VALUE_HASH.format(identifier_value=_salted("identifier_value", salt)),
            "check_hash": _CHECK_HASH,
            "blocked": blocked_condition(declaration),
        },
    )


def read_everything(
    connection: "duckdb.DuckDBPyConnection", sources: Sources, declaration: Declaration
) -> Reading:
    """Write nodes, facts and blocked values of all records, free of hash collisions.

    Raises ZhongtaiError where records share a key.
    """
    load_types(connection, declaration)
    connection.execute("create schema if not exists identity_state")
    for salt in SALTS:
        reading = plan_reading(sources, declaration, salt)
        for statement in _NUMBER_RECORDS:
            reading.execute(connection, statement, node=node_columns(reading))
        reading.execute(connection, _LIST_FACTS, fact=fact_columns(reading))
        row = connection.execute(_COUNT_COLLISIONS).fetchone()
        if row and row[0] == 0:
            break
    else:
        raise ZhongtaiError(
            f"{row[0] if row else 0} records of identity resolution share a key with another one",
            hint="each (source, entity, record_key) may occur once in int_identity_records",
        )
    reading.execute(connection, _LIST_BLOCKED)
    list_owners(connection, reading, "table identity_state.owners")
    for kind in ("must", "cannot"):
        number_pairs(connection, reading, kind, f"table identity_state.{kind}_links")
    return reading


def _salted(column: str, salt: str) -> str:
    # joining texts takes time, and nearly always there is no salt
    return f"concat('{salt}', {column})" if salt else column


def node_columns(reading: Reading) -> str:
    """The columns of a node beside its numbers, over records with the name that is `told`."""
    return _NODE.format(**reading.words)


def fact_columns(reading: Reading) -> str:
    """The columns of a fact, its record as node_hash, over the evidence joined with its type."""
    return _FACT.format(**reading.words)


def list_owners(connection: "duckdb.DuckDBPyConnection", reading: Reading, kind: str) -> None:
    """Write the table `kind` (value_hash, name) of who is known to own a value."""
    reading.execute(connection, _LIST_OWNERS, kind=kind)


def number_pairs(
    connection: "duckdb.DuckDBPyConnection", reading: Reading, decided: str, kind: str
) -> None:
    """Write the table `kind` (left_no, right_no) of the `must` or `cannot` links."""
    node_hash = reading.words["node_hash"]
    other_hash = node_hash
    for column in ("source", "entity", "record_key"):
        node_hash = node_hash.replace(column, f"p.{column}")
        other_hash = other_hash.replace(column, f"p.other_{column}")
    connection.execute(
        _NUMBER_PAIRS.format(
            kind=kind,
            pairs=reading.words[f"{decided}_links"],
            node_hash=node_hash,
            other_hash=other_hash,
        )
    )
