"""What a careful human with all exports could say about whose a record is.

Certain are identifiers that only one person leaves; a phone, a mail or a device of several persons
where the name (or the car) fits one of them only; the same name with the same address or birth
date. Left over are records with a name alone: they are told if half a phone fits, or if nobody
else in the country has that name, and one person of that name is known at the same dealer or town.
Numbers of shops tell nothing, and a VIN alone tells no person.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from zhongtai.generate.draws import Array
from zhongtai.generate.partition import Records, label_components

if TYPE_CHECKING:
    import duckdb

# A name fits a person when it is the whole of its name or the beginning.
_TABLES = """
create temp table r as select row_number() over () - 1 as no, * from records;
create temp table clue as
select r.no, r.person_id as person, c.* exclude (source, entity, record_key)
from clues c join r using (source, entity, record_key) where r.person_id is not null;
create temp table claim as
select e.record as no, e.identifier as value, r.person_id as person, false as spare
from evidence e join r on r.no = e.record
where r.organisation_id is null and e.identifier not in (select identifier from hubs)
union all
select no, 'mobile||' || spare, person, true from clue where spare is not null;
create temp table holder as
select distinct value, person from claim where person is not null and not spare;
create temp table shared as
select value, count(*) as persons, count(*) filter (person is null) as nobodies
from (select distinct value, person from claim where not spare) group by value;
"""

_TOKENS = """
create temp table token as
with told as (
    select c.no, c.value, c.person, s.persons = 1 as sole, clue.name, clue.vin
    from claim c join shared s using (value) left join clue on clue.no = c.no
    where c.person is not null
        and exists (from holder h where h.value = c.value and h.person = c.person)
), fitting as (
    select t.no, t.value, t.person, count(*) as fits,
        bool_or(h.person = t.person) as is_own
    from told t join holder h using (value) join person p on p.person = h.person
    where not t.sole and t.name is not null and starts_with(p.name, t.name) group by all
), driving as (
    select t.no, t.value, t.person, count(distinct h.person) as fits,
        bool_or(h.person = t.person) as is_own
    from told t join holder h using (value)
    join owners o on o.person = h.person and o.vin = t.vin
    where not t.sole and t.name is null group by all
)
select no, value || '|' || person as token from told where sole
union select no, value || '|' || person from fitting where fits = 1 and is_own
union select no, value || '|' || person from driving where fits = 1 and is_own
union select no, 'address|' || person || '|' || address from clue
where (name, address) in (
    select (name, address) from clue where name is not null and address is not null
    group by name, address having count(distinct person) = 1)
union select no, 'birth|' || person || '|' || birth from clue
where (name, birth) in (
    select (name, birth) from clue where name is not null and birth is not null
    group by name, birth having count(distinct person) = 1)
"""

_GROUPS = """
create temp table grouped as
select r.no, r.person_id as person, g.component, count(*) over (partition by g.component) as size
from r join groups g on g.no = r.no;
create temp table main as
select person, arg_min(component, (-size, component)) as component
from grouped where person is not null group by person;
create temp table place as
select distinct c.person as person, unnest([c.dealer, c.city]) as place
from clue c join grouped g using (no) join main m on m.component = g.component
where m.person = c.person and c.name is not null;
create temp table phone as
select distinct person, split_part(value, '|', 3) as mobile
from claim where starts_with(value, 'mobile|') and person is not null;
create temp table attached as
with loose as (
    select c.*, m.component as component from clue c join grouped g using (no)
    join main m on m.person = c.person
    where g.component <> m.component and c.name is not null
), candidate as (
    select distinct l.no, l.person, l.component, l.name, l.hint, p.person as other,
        p.name as full_name
    from loose l join person p on starts_with(p.name, l.name)
    join place on place.person = p.person and place.place in (l.dealer, l.city)
    where l.hint is null or exists (
        from phone where phone.person = p.person
        and phone.mobile[:3] = l.hint[:3] and phone.mobile[-4:] = l.hint[-4:])
), told as (
    select no, component from candidate group by no, component, name, hint, person
    having count(*) = 1 and min(other) = person and (hint is not null or (
        length(name) >= 3 and min(full_name) = name
        and (select count(*) from person p where p.name = candidate.name) = 1))
)
from told
"""

_VERDICTS = """
create temp table verdict as
select r.no, coalesce(a.component, g.component) as evidence_group,
    r.organisation_id is not null or coalesce(
        (a.component is not null or g.component = m.component)
        and (g.size > 1 or a.no is not null or exists (from token t where t.no = r.no)), false
    ) as evidence_suffices
from r join grouped g using (no) left join main m on m.person = r.person_id
left join attached a on a.no = r.no order by r.no
"""


@dataclass(frozen=True)
class Verdicts:
    """Per record: the smallest row of the records that belong together, and whether to whom."""

    group: Array
    suffices: Array


def judge(
    connection: "duckdb.DuckDBPyConnection", merged: Records, given: dict[str, pa.Table]
) -> Verdicts:
    """Return what can be said of each record; leaves tables r, clue, claim, holder and verdict.

    `given` has clues (see `clues_of`), hubs (identifier), person (person, name as `plain_names`
    spells it) and owners (person, vin).
    """
    for name, table in given.items():
        connection.register(name, table)
    connection.register("records", merged.table)
    connection.register("evidence", merged.evidence)
    connection.execute(_TABLES)
    connection.execute(_TOKENS)
    tokens = connection.execute("select no, token from token order by all").to_arrow_table()
    tokens = pa.table({"record": tokens.column("no"), "identifier": tokens.column("token")})
    component = label_components(Records(merged.table, tokens), pa.array([], pa.string()))
    numbers = pa.array(range(len(component)), pa.int64())
    connection.register("groups", pa.table({"no": numbers, "component": component}))
    connection.execute(_GROUPS)
    connection.execute(_VERDICTS)
    verdict = connection.execute("from verdict order by no").to_arrow_table()
    return Verdicts(
        group=verdict.column("evidence_group").to_numpy(),
        suffices=verdict.column("evidence_suffices").to_numpy(),
    )
