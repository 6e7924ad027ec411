"""Guard rails before linking: blocked values, hubs, and records that name too many values."""

from typing import TYPE_CHECKING

import pyarrow as pa

from zhongtai.identity.declaration import ANY_TYPE, NAME, BlockedValue, Declaration

if TYPE_CHECKING:
    import duckdb

# How the traits of a value's holders are counted: by what tells persons apart, where a record
# names it. A value's holders are as many as its records have of the trait that differs most.
_TRAITS = ("id_card", "unionid", "login_id")

_LIST_TRAITS = """
create or replace temp table identity_traits as
select f.record_no, f.value_hash, t.identifier_type
from identity_facts as f
inner join identity_types as t using (type_no)
where t.identifier_type in ({traits})
"""

# Only values of more records than may hold them can be hubs.
_COUNT_HOLDERS = """
create or replace temp table identity_hubs as
with crowded as (
    select v.value_hash, v.type_no, v.record_count
    from identity_value_counts as v
    inner join identity_types as t using (type_no)
    where v.record_count > t.max_holders
),
crowds as (
    select c.value_hash, c.type_no, f.record_no
    from crowded as c
    inner join identity_facts as f using (value_hash)
),
counted as (
    select c.value_hash, c.type_no, 'name' as trait, count(distinct n.name) as holders
    from crowds as c
    inner join identity_nodes as n using (record_no)
    where n.is_full_name
    group by c.value_hash, c.type_no
    union all
    select c.value_hash, c.type_no, 'birth_date', count(distinct n.birth_date)
    from crowds as c
    inner join identity_nodes as n using (record_no)
    group by c.value_hash, c.type_no
    union all
    select c.value_hash, c.type_no, r.identifier_type, count(distinct r.value_hash)
    from crowds as c
    inner join identity_traits as r using (record_no)
    where r.value_hash <> c.value_hash
    group by c.value_hash, c.type_no, r.identifier_type
)
select
    c.value_hash,
    c.type_no,
    max(c.holders) as holders,
    arg_max(c.trait, (c.holders, c.trait)) as trait,
    any_value(t.over_limit) as over_limit,
from counted as c
inner join identity_types as t using (type_no)
group by c.value_hash, c.type_no
having max(c.holders) > any_value(t.max_holders)
"""

# keep_newest: of the holders, as the trait that differs most tells them, the last seen stays.
_KEEP_NEWEST = """
create or replace temp table identity_kept as
with held as (
    select
        h.value_hash,
        f.record_no,
        f.last_seen_at,
        case h.trait
            when 'name' then n.name
            when 'birth_date' then n.birth_date::varchar
            else (
                select min(r.value_hash)::varchar
                from identity_traits as r
                where r.record_no = f.record_no and r.identifier_type = h.trait
            )
        end as holder,
    from identity_hubs as h
    inner join identity_facts as f using (value_hash)
    inner join identity_nodes as n using (record_no)
    where h.over_limit = 'keep_newest'
),
newest as (
    select value_hash, holder
    from held
    where holder is not null
    qualify row_number() over (
        partition by value_hash order by last_seen_at desc nulls last, holder
    ) = 1
)
select value_hash, record_no
from held
inner join newest using (value_hash, holder)
union
-- whoever proved to hold the value keeps it, however many others were written down with it
select h.value_hash, f.record_no
from identity_hubs as h
inner join identity_facts as f using (value_hash)
inner join identity_nodes as n using (record_no)
left join identity_state.owners as o on h.value_hash = o.value_hash and n.name = o.name
where f.is_verified or o.name is not null
"""

# A record that names more values of a type than a person may hold speaks for others: a shared
# account, a form filled in for customers. With keep_newest its newest values stay.
_LIMIT_RECORDS = """
create or replace temp table identity_overfull as
with crowded as (
    select f.record_no, f.type_no, any_value(t.max_values) as max_values
    from identity_facts as f
    inner join identity_types as t using (type_no)
    where t.max_values is not null and t.max_values > 1
    group by f.record_no, f.type_no
    having count(*) > any_value(t.max_values)
)
select f.record_no, f.value_hash
from identity_facts as f
inner join crowded as c using (record_no, type_no)
inner join identity_types as t using (type_no)
qualify t.over_limit <> 'keep_newest' or row_number() over (
    partition by f.record_no, f.type_no order by f.last_seen_at desc nulls last, f.value_hash
) > c.max_values
"""


def load_types(connection: "duckdb.DuckDBPyConnection", declaration: Declaration) -> None:
    """Write the temp table identity_types: one row per declared type, numbered by strength."""
    contradicting = {name for one in declaration.types.values() for name in one.contradicted_by}
    rows = [
        {
            "type_no": number,
            "identifier_type": one.name,
            "is_edge": one.is_edge,
            "contradicts": one.name in contradicting,
            "priority": one.priority,
            "max_values": one.max_values,
            "max_holders": one.max_holders,
            "window_days": one.window_days,
            "over_limit": one.over_limit,
        }
        for number, one in declaration.numbered()
    ]
    schema = pa.schema(
        [
            ("type_no", pa.uint8()),
            ("identifier_type", pa.string()),
            ("is_edge", pa.bool_()),
            ("contradicts", pa.bool_()),
            ("priority", pa.int32()),
            ("max_values", pa.int32()),
            ("max_holders", pa.int32()),
            ("window_days", pa.int32()),
            ("over_limit", pa.string()),
        ]
    )
    connection.register("identity_declared", pa.Table.from_pylist(rows, schema))
    connection.execute(
        "create or replace temp table identity_types as select * from identity_declared"
    )
    connection.unregister("identity_declared")


def blocked_condition(declaration: Declaration) -> str:
    """SQL over identifier_type and identifier_value: whether the value identifies nobody."""
    tests = []
    for one in declaration.blocked:
        test = _blocked_test(one, "identifier_value")
        if one.identifier_type != ANY_TYPE:
            test = f"identifier_type = {_quote(one.identifier_type)} and {test}"
        tests.append(f"({test})")
    return f"({' or '.join(tests)})" if tests else "false"


def blocked_name_condition(declaration: Declaration, name: str) -> str:
    """SQL over the expression `name`, a name key: whether nobody is called so."""
    tests = [
        _blocked_test(one, name)
        for one in declaration.blocked
        if one.identifier_type in (ANY_TYPE, NAME)
    ]
    return f"coalesce({' or '.join(tests)}, false)" if tests else "false"


def _blocked_test(blocked: BlockedValue, value: str) -> str:
    if blocked.kind == "value":
        return f"{value} = {_quote(blocked.blocked)}"
    return f"regexp_matches({value}, {_quote(blocked.blocked)}, 'i')"


def find_hubs(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write identity_hubs (value_hash, type_no, holders, …) and identity_kept.

    Reads identity_nodes, identity_facts, identity_value_counts and identity_types.
    """
    traits = ", ".join(_quote(trait) for trait in _TRAITS)
    connection.execute(_LIST_TRAITS.format(traits=traits))
    connection.execute(_COUNT_HOLDERS)
    connection.execute(_KEEP_NEWEST)
    connection.execute("drop table identity_traits")


def limit_records(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write identity_overfull (record_no, value_hash), from identity_facts and identity_types."""
    connection.execute(_LIMIT_RECORDS)


def _quote(text: str) -> str:
    """A text of the project's own seeds as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
