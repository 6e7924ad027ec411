"""The identifiers that drive a change of identity, masked: where to look first."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zhongtai.masks import mask_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SHOWN = 3
# Fewer than this are ordinary life: a family, a second phone.
_LEAST = 5

# Of each value what it brought (records that nobody knew), joined (of the persons of before that
# one person of now holds it for, all but one) and parted (the other way round). What links nobody
# any more can have parted persons, so all evidence is looked at.
_FIND = """
create or replace temp table drift_driving as
with named as (
    select
        e.value_hash,
        any_value(e.identifier_type) as identifier_type,
        bool_or(e.is_edge and s.value_hash is null) as is_linking,
        r.person,
        r.person_before,
        count(*) as records,
    from (
        select
            hash(source, entity, record_key) as record_hash,
            hash(identifier_type, identifier_scope, identifier_value) as value_hash,
            identifier_type,
            is_edge,
        from intermediate.int_identity_evidence
    ) as e
    inner join drift_records as r using (record_hash)
    left join (select value_hash from drift_shared where sharing = 'blocked') as s
        using (value_hash)
    group by e.value_hash, r.person, r.person_before
),
effects as (
    select value_hash, 'brought' as effect, sum(records) as size
    from named
    where person_before is null and is_linking
    group by value_hash
    union all
    select value_hash, 'joined', max(persons) - 1
    from (
        select value_hash, count(distinct person_before) as persons
        from named
        where is_linking
        group by value_hash, person
    )
    group by value_hash
    union all
    select value_hash, 'parted', max(persons) - 1
    from (
        select value_hash, count(distinct person) as persons
        from named
        where person_before is not null
        group by value_hash, person_before
    )
    group by value_hash
)
select
    effect,
    identifier_type,
    count(*) as values_count,
    sum(size) as size,
    max(size) as largest_size,
    arg_max(value_hash, (size, value_hash)) as largest_hash,
from effects
inner join (select distinct value_hash, identifier_type from named) using (value_hash)
where size > 0
group by effect, identifier_type
having case when effect = 'brought' then max(size) else sum(size) end >= $least
qualify
    row_number() over (
        partition by effect
        order by
            case when effect = 'brought' then max(size) else sum(size) end desc,
            identifier_type
    ) <= $shown
"""

# The ends of a value stay readable, of a phone its last four digits: enough to find it in the
# source, too little to know it.
_NAME = f"""
select distinct
    d.effect,
    d.identifier_type,
    d.values_count,
    d.size,
    d.largest_size,
    {mask_sql("e.identifier_value")} as masked,
from drift_driving as d
inner join intermediate.int_identity_evidence as e
    on d.largest_hash = hash(e.identifier_type, e.identifier_scope, e.identifier_value)
order by d.effect, d.size desc, d.identifier_type
"""  # noqa: S608  # no value of anybody's
_EFFECTS = {
    "brought": "is on new records: {}",
    "joined": "joins more persons: {}",
    "parted": "joins persons no longer: {}",
}


@dataclass(frozen=True)
class Driver:
    """The values of one type that move identity alike: brought, joined or parted.

    `masked` is the one that does most, `largest` how much; `values` are how many, `size` what they
    do together.
    """

    effect: str
    identifier_type: str
    values: int
    size: int
    largest: int
    masked: str

    def __str__(self) -> str:
        """The driver in words."""
        told = f"{self.identifier_type} {self.masked} {_EFFECTS[self.effect].format(self.largest)}"
        return told if self.values == 1 else f"{told} ({self.size} over {self.values} such values)"


def find_drivers(connection: "DuckDBPyConnection") -> list[Driver]:
    """The identifiers that brought, joined and parted most, from the tables that `scan` left."""
    connection.execute(_FIND, {"least": _LEAST, "shown": _SHOWN})
    return [Driver(*row) for row in connection.execute(_NAME).fetchall()]
