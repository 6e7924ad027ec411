"""Who is meant: from an identifier to the person, and to all that sources call that person."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from zhongtai.erasure.matching import WANTED_SCHEMA
from zhongtai.erasure.naming import ANYTHING, OWNER, owner_sql, spell_sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# What `vin_owner` stands for: who owns the car at the moment of the request.
VIN_OWNER = "vin_owner"
ONE_ID = "one_id"
IDENTIFIER_TYPES = (
    "mobile", "email", "id_card", "login_id", "anonymous_id", "openid", "unionid",
    "wecom_external_id", "crm_customer_id", "dms_customer_id", "member_code", "visitor_id",
)  # fmt: skip
_SPELLED = ("mobile", "email", "id_card")
_SUBJECTS = ("app.events", "miniprogram.events")


@dataclass(frozen=True)
class Match:
    """Whom a value names: exactly one person, or nobody and why (`unknown`, `shared`)."""

    one_id: str | None
    reason: str = ""


def find_person(
    duck: "DuckDBPyConnection", tables: str, kind: str, value: str, at: datetime
) -> Match:
    """Whom a value of a type names, by the tables of profiles below `tables` (`p.main`).

    `at`: when it was asked (naive UTC), for the owner of a car. A value that several persons hold,
    or that is no evidence of whom it names, names nobody.
    """
    if kind == ONE_ID:
        query = f"select one_id, false from {tables}.dim_users where one_id = $value"  # noqa: S608
        found = duck.execute(query, {"value": value.strip()}).fetchall()
    elif kind == VIN_OWNER:
        found = duck.execute(
            f"select distinct one_id, false from {tables}.bridge_user_vehicles"  # noqa: S608
            " where role = 'owner' and vin ="
            " translate(upper(regexp_replace($value, '\\s+', '', 'g')), 'OIQ', '010')"
            " and valid_from <= $at and (valid_to is null or valid_to > $at)",
            {"value": value, "at": at},
        ).fetchall()
    else:
        found = duck.execute(
            f"select one_id, bool_or(is_shared) from {tables}.bridge_user_identifiers"  # noqa: S608
            f" where identifier_type = $kind and {_spell_published(kind)} ="
            f" {spell_sql(kind, '$value')} group by one_id",
            {"kind": kind, "value": value},
        ).fetchall()
    if not found:
        return Match(None, "unknown")
    if len(found) > 1 or found[0][1]:
        return Match(None, "shared")
    return Match(str(found[0][0]))


def _spell_published(kind: str) -> str:
    return spell_sql(kind, "identifier_value") if kind in _SPELLED else "identifier_value"


def list_values(duck: "DuckDBPyConnection", tables: str, one_ids: Sequence[str]) -> pa.Table:
    """All that sources call these persons and nobody else: kind and value (WANTED_SCHEMA)."""
    parameters = {"one_ids": list(one_ids)}
    mine = "one_id in (select unnest($one_ids::varchar[]))"
    queries = [_records_sql(tables, mine), _identifiers_sql(tables, mine), _cars_sql(tables, mine)]
    parts = [duck.execute(query, parameters).to_arrow_table() for query in queries]
    found = pa.concat_tables(part.cast(WANTED_SCHEMA) for part in parts)
    return _add_hashes(found)


def list_handovers(
    duck: "DuckDBPyConnection", tables: str, one_ids: Sequence[str]
) -> list[tuple[str, datetime]]:
    """Cars (VIN) that these persons took over from others, and when (naive UTC)."""
    owners = f"from {tables}.bridge_user_vehicles where role = 'owner'"
    return duck.execute(
        f"with owned as (select one_id, vin, valid_from {owners}),"  # noqa: S608 - our own
        " theirs as (select * from owned where one_id in (select unnest($one_ids::varchar[])))"
        " select distinct theirs.vin, theirs.valid_from from theirs join owned as before"
        " on before.vin = theirs.vin and before.valid_from < theirs.valid_from"
        " where before.one_id not in (select unnest($one_ids::varchar[])) order by all",
        {"one_ids": list(one_ids)},
    ).fetchall()


def _records_sql(tables: str, mine: str) -> str:
    subjects = ", ".join(f"'{name}'" for name in _SUBJECTS)
    kept = f"select source || '.' || entity as name, record_key from {tables}.bridge_user_records"  # noqa: S608
    return (
        f"with kept as ({kept} where {mine}),"  # noqa: S608 - our own
        f" spelled as (select name, case when name in ({subjects})"
        f" then {spell_sql('login_id', 'record_key')} else record_key end as record_key from kept)"
        " select 'record:' || name as kind, record_key as value from spelled"
        f" union select '{ANYTHING}', record_key from spelled"
        " where length(record_key) >= 6 and not contains(record_key, '|')"
    )


def _identifiers_sql(tables: str, mine: str) -> str:
    """The identifiers that are theirs alone."""
    bridge = f"{tables}.bridge_user_identifiers"
    names = "identifier_type, identifier_scope, identifier_value"
    spelled = " ".join(f"when '{kind}' then {_spell_published(kind)}" for kind in _SPELLED)
    return (
        f"with held as (select distinct {names} from {bridge} where {mine}),"  # noqa: S608
        f" alone as (select * from held anti join"
        f" (select {names} from {bridge} where not {mine}) using ({names})),"
        " spelled as (select identifier_type as kind, case identifier_type"
        f" {spelled} when 'dms_customer_id' then identifier_scope || '|' || identifier_value"
        " else identifier_value end as value from alone)"
        " select kind, value from spelled where value <> ''"
        f" union select '{ANYTHING}', value from spelled"
        " where length(value) >= 6 and not contains(value, '|')"
    )


def _cars_sql(tables: str, mine: str) -> str:
    """Their names beside their cars: others who bring such a car name the owner."""
    told = owner_sql("v.vin", "u.name")
    return (
        f"select distinct '{OWNER}' as kind, {told} as value"  # noqa: S608 - our own
        f" from (select * from {tables}.bridge_user_vehicles where {mine}) as v"
        f" join {tables}.dim_users as u using (one_id) where u.name is not null"
    )


def _add_hashes(found: pa.Table) -> pa.Table:
    """Sources that deliver phones hashed mean the same numbers; exports hash any identifier."""
    called = [(row["kind"], row["value"]) for row in found.to_pylist()]
    hashed = [
        digest(spelling.encode(), usedforsecurity=False).hexdigest()
        for kind, value in called
        if kind == "mobile"
        for spelling in (value, f"86{value}", f"+86{value}")
        for digest in (hashlib.md5, hashlib.sha256)
    ]
    exported = [
        hashlib.sha256(value.encode()).hexdigest()
        for kind, value in called
        if kind in IDENTIFIER_TYPES
    ]
    anything = {*hashed, *exported}
    rows = {
        "kind": ["mobile"] * len(hashed) + [ANYTHING] * len(anything),
        "value": [*hashed, *sorted(anything)],
    }
    return pa.concat_tables([found, pa.table(rows, WANTED_SCHEMA)])
