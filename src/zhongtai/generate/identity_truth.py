"""Writes what is true of identities: how hard each record is, who must stay apart, who is kin."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from zhongtai.generate.clues import plain_names
from zhongtai.generate.draws import MISSING, joined, rows_of
from zhongtai.generate.evidence import Verdicts, judge
from zhongtai.generate.households import HEAD, role_names
from zhongtai.generate.partition import Records
from zhongtai.generate.world import World

if TYPE_CHECKING:
    import duckdb

IDENTITY_TRUTH = """Of identities:

identity_classes: per record the real `person_id` (null for what several persons use, a kiosk, a
showroom's browser, the tablet of a family, and for companies); `evidence_group`, the records that a
careful human with all exports would put together, by their smallest row; `evidence_suffices`, true
in the one group of a person that says who it is (its largest). All records of a person whose
evidence suffices are one group; the metrics of the truth count persons by groups.

What such a human goes by: identifiers that one person only leaves; a phone, an e-mail address or a
device that several persons leave, where the record's name fits one of them only (or, without a
name, one of them only owned the car); the same name with the same address or birth date. Of the
records left over, those with a name of which one person is known at the same dealer or town, and
either a masked phone that fits, or at least three characters and no namesake in the whole world.
Names count alike with a title, blanks, traditional characters or a character that sounds the same;
a cut name fits all that begin so. The numbers of shops and a VIN alone tell nothing.

`evidence_class`, the first that holds:
company      the customer is an organisation
hub          names a phone, e-mail address, device or browser of a shop or its adviser
recycled     names a number that another person had before
staff        names the number of an employee who is a customer, or stands under it
household    names a value that others of the family, or few other persons, leave too
handover     names a car that had several owners
sender       a service order whose sender never owned the car
fuzzy_only   no identifier that any other record names; the person has other records
none         the same, and not even a name
plain        all others

shared_values: each identifier that several persons leave, by kind, with how many persons it is.
refused_pairs: up to twelve pairs of records per value that share it and are two persons (or a
person and a company): by identifier, by a car (handover, sender), by name and dealer (namesake).
households: members, their role and what they share with the head. relationships: what the second
person is to the first.
"""
PAIRS_PER_VALUE = 12

_CLASSES = """
create temp table common as
select value, coalesce(min(kinds.kind), 'household') as kind
from holder left join kinds on kinds.identifier = holder.value
group by value having count(*) > 1;
create temp table alone as
select r.no from r where not exists (
    from claim c join claim o on o.value = c.value and o.no <> c.no
    where c.no = r.no);
create temp table classes as
select r.no, case
    when r.organisation_id is not null then 'company'
    when r.no in (select e.record from evidence e join hubs using (identifier)) then 'hub'
    when 'recycled' = any(k.kinds) then 'recycled'
    when 'staff' = any(k.kinds) then 'staff'
    when 'household' = any(k.kinds) then 'household'
    when v.vin in (select vin from owners group by vin having count(*) > 1) then 'handover'
    when r.entity = 'service_orders' and not exists (
        from owners o where o.vin = v.vin and o.person = r.person_id) then 'sender'
    when a.no is null or (select count(*) from r o where o.person_id = r.person_id) = 1
        then 'plain'
    when v.name is not null then 'fuzzy_only' else 'none' end as evidence_class
from r left join (
    select c.no, list(common.kind) as kinds from claim c join common using (value)
    where not c.spare group by c.no) k using (no)
left join clue v using (no) left join alone a using (no)
"""

_PAIRS = """
with named as (
    select coalesce(kinds.kind, 'household') as kind, split_part(e.identifier, '|', 1) as shared,
        e.identifier as value, e.record as no, 'p' || r.person_id as who, false as owns
    from evidence e join r on r.no = e.record left join kinds using (identifier)
    where r.person_id is not null
    union all
    select 'company', 'mobile', 'mobile||' || c.mobile, r.no,
        coalesce('p' || r.person_id, 'o' || r.organisation_id), false
    from company_phones c join evidence e on e.identifier = 'mobile||' || c.mobile
    join r on r.no = e.record
    union all
    select distinct 'car', 'vin', v.vin, v.no, 'p' || v.person, o.person is not null
    from clue v left join owners o on o.vin = v.vin and o.person = v.person
    where v.vin is not null
    union all
    select 'namesake', 'name', name || '|' || dealer, no, 'p' || person, false
    from clue where dealer is not null and length(name) > 1
), pair as (
    select if(a.kind <> 'car', a.kind, if(a.owns and b.owns, 'handover', 'sender')) as kind,
        a.shared, a.no, b.no as other,
        row_number() over (partition by a.value, a.kind order by a.no, b.no) as place
    from (select *, lead(who) over near as next_who, lead(no) over near as next_no from named
        window near as (partition by kind, value order by (no * 2654435761) % 4294967291)) a
    join named b on b.no = a.next_no and b.kind = a.kind and b.value = a.value
    where a.who <> a.next_who
)
select p.kind, p.shared, a.source, a.entity, a.record_key, b.source as other_source,
    b.entity as other_entity, b.record_key as other_record_key
from pair p join r a on a.no = p.no join r b on b.no = p.other
where place <= $limit order by all
"""


_SHARED = """
with direct as (
    select e.identifier, e.record, r.person_id as person from evidence e
    join r on r.no = e.record where r.organisation_id is null
), used as (  -- a browser of many is one record, which names the logins of its users
    select d.identifier, d.record, h.person from direct d
    join evidence e on e.record = d.record join holder h on h.value = e.identifier
    where d.person is null and split_part(d.identifier, '|', 1) = 'visitor_id'
)
select coalesce(min(kinds.kind), 'household') as kind,
    split_part(identifier, '|', 1) as identifier_type,
    split_part(identifier, '|', 3) as identifier_value,
    count(distinct record) as records, count(distinct person) as persons
from (select * from direct union all select * from used) left join kinds using (identifier)
group by identifier having count(distinct person) > 1 order by all
"""


def identity_tables(world: World, merged: Records, clues: list[pa.Table]) -> dict[str, pa.Table]:
    """Return the tables of this module's truth by name; `clues` are those of all entities."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set threads = 1")  # the order of rows must not depend on luck
        verdicts = judge(connection, merged, _given(world, clues))
        connection.register("kinds", value_kinds(world))
        connection.register("company_phones", pa.table({"mobile": world.companies.mobile}))
        classes = _classes(connection, merged, verdicts)
        shared = connection.execute(_SHARED).to_arrow_table()
        pairs = connection.execute(_PAIRS, {"limit": PAIRS_PER_VALUE}).to_arrow_table()
    return {
        "identity_classes": classes,
        "refused_pairs": pairs,
        "shared_values": shared,
        "households": _households(world),
        "relationships": _relationships(world),
    }


def _given(world: World, clues: list[pa.Table]) -> dict[str, pa.Table]:
    people, owned = world.people, world.ownership
    rows = np.flatnonzero(owned.person >= 0)
    return {
        "clues": pa.concat_tables(clues),
        "hubs": pa.table({"identifier": hub_identifiers(world)}),
        "person": pa.table({"person": np.arange(len(people)), "name": plain_names(people.name)}),
        "owners": pa.table(
            {"person": owned.person[rows], "vin": rows_of(world.vin, owned.vehicle[rows])}
        ),
    }


def _classes(
    connection: "duckdb.DuckDBPyConnection", merged: Records, verdicts: Verdicts
) -> pa.Table:
    connection.execute(_CLASSES)
    found = connection.execute("select evidence_class from classes order by no").to_arrow_table()
    return pa.table(
        {
            **{name: merged.table.column(name) for name in ("source", "entity", "record_key")},
            "person_id": merged.table.column("person_id"),
            "evidence_class": found.column("evidence_class"),
            "evidence_suffices": verdicts.suffices,
            "evidence_group": verdicts.group,
        }
    )


def hub_identifiers(world: World) -> pa.Array:
    """Return the identifiers that shops share with all their customers."""
    hubs = world.cast.hubs
    return pa.concat_arrays(
        [
            joined("mobile||", hubs.store_phone),
            joined("mobile||", rows_of(world.staff_mobile, hubs.advisers)),
            joined("email||", hubs.email),
            joined("anonymous_id||", hubs.kiosk),
            joined("visitor_id||", hubs.browser),
        ]
    )


def value_kinds(world: World) -> pa.Table:
    """Return which kind of trouble each shared identifier makes; others are a household's."""
    people, numbers = world.people, world.cast.numbers
    served = np.flatnonzero(world.cast.typed_kind == "staff")
    parts = {
        "hub": hub_identifiers(world),
        "recycled": joined("mobile||", rows_of(people.mobile, numbers.taker[numbers.taker >= 0])),
        "staff": joined("mobile||", world.cast.typed_mobile.take(pa.array(served)).unique()),
    }
    return pa.table(
        {
            "identifier": pa.concat_arrays(list(parts.values())),
            "kind": np.repeat(list(parts), [len(part) for part in parts.values()]),
        }
    )


def _households(world: World) -> pa.Table:
    families = world.cast.households
    return pa.table(
        {
            "household": families.number,
            "person_id": families.person,
            "role": role_names(families.role),
            "shares_phone": families.shares_phone,
            "shares_email": families.shares_email,
            "shares_tablet": families.shares_tablet,
        }
    )


def _relationships(world: World) -> pa.Table:
    """Return pairs of persons and what the second is to the first."""
    cast, companies, owned = world.cast, world.companies, world.ownership
    families, numbers = cast.households, cast.numbers
    other = families.role != HEAD
    given = np.flatnonzero(numbers.taker >= 0)
    bought = np.flatnonzero(owned.order < 0)
    sold = np.flatnonzero((owned.until != MISSING) & (owned.person >= 0))
    seller = sold[np.searchsorted(owned.vehicle[sold], owned.vehicle[bought])]
    called = companies.contact >= 0
    roles = role_names(families.role[other]).to_pylist()
    parts = [
        (families.head[other], families.person[other], np.array(roles)),
        (given, numbers.taker[given], "next_holder_of_number"),
        (owned.person[seller], owned.person[bought], "next_owner"),
        (cast.namesakes[:, 0], cast.namesakes[:, 1], "namesake"),
        (companies.contact[called], companies.driver[called], "driver_of_company"),
    ]
    return pa.concat_tables(
        pa.table(
            {
                "person_id": np.asarray(one, dtype=np.int64),
                "related_person_id": np.asarray(two, dtype=np.int64),
                "relationship": pa.array(np.full(len(one), what, dtype=object), pa.string()),
            }
        )
        for one, two, what in parts
    )
