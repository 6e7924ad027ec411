"""Evidence for identity straight from the raw zone: what staging says of sound rows, in short.

The values of the simulation are clean, so a few queries stand in for the models of staging, which
cost seconds; `make simulate` uses the models themselves.
"""

from collections.abc import Mapping

import duckdb

_KNOWN = "json_extract_string(identities, '$.\"$identity_{}\"')"
_APP = (("anonymous_id", "''", _KNOWN.format("anonymous_id")),
        ("login_id", "''", _KNOWN.format("login_id")))  # fmt: skip
_MINI = (("openid", "'wx1'", _KNOWN.format("mp_wx1_openid")),
         ("unionid", "''", _KNOWN.format("mp_unionid")))  # fmt: skip
# entity -> the record it tells of, its key, the column of its version, and what it names
_CARRIERS: dict[str, tuple[str, str, str, tuple[tuple[str, str, str], ...]]] = {
    "app.events": ("app.events", "distinct_id", "", _APP),
    "miniprogram.events": ("miniprogram.events", "distinct_id", "", _MINI),
    "website.visits": (
        "website.visits", "visitUserId", "", (("visitor_id", "''", "visitUserId"),)
    ),
    "website.pages": (
        "website.visits", "visitUserId", "",
        (("visitor_id", "''", "visitUserId"), ("login_id", "''", "loginUserId")),
    ),
    "crm.contacts": (
        "crm.contacts", "客户ID", "更新时间",
        (("crm_customer_id", "''", "客户ID"), ("mobile", "''", "手机号"),
         ("unionid", "''", "微信UnionID")),
    ),
    "crm.leads": (
        "crm.leads", "线索唯一ID", "更新时间",
        (("crm_customer_id", "''", "客户ID"), ("mobile", "''", "手机号")),
    ),
    "dms.customers": (
        "dms.customers", "经销商代码 || '|' || DMS客户号", "最后更新",
        (("dms_customer_id", "经销商代码", "DMS客户号"), ("mobile", "''", "手机")),
    ),
    "dms.store_visits": ("dms.store_visits", "接待单号", "", (("mobile", "''", "手机"),)),
    "partner.members": (
        "partner.members", "member_code", "updated_at",
        (("member_code", "''", "member_code"), ("mobile", "''", "mobile"),
         ("unionid", "''", "unionid")),
    ),
}  # fmt: skip
_SEEN = "timestamp '2026-03-01'"


def write_evidence(build: duckdb.DuckDBPyConnection, parts: Mapping[str, list[str]]) -> None:
    """Write what identity resolution reads; `parts`: by entity the files that count."""
    selected = [
        query
        for entity, files in parts.items()
        if entity in _CARRIERS
        for query in _told(entity, files)
    ]
    nothing = "select '' as source, '' as entity, '' as record_key, '' as kind, '' as scope, ''"
    told = " union all ".join([*selected, f"{nothing} as value where false"])
    build.execute("create schema if not exists intermediate")
    build.execute(f"create or replace temp table told as select distinct * from ({told})")
    build.execute(
        "create or replace table intermediate.int_identity_records as select distinct source,"
        f" entity, record_key, {_SEEN} as first_seen_at, {_SEEN} as last_seen_at,"
        " null::varchar as name, null::varchar as hint, null::date as birth_date,"
        " false as is_organisation, null::varchar as organisation_key from told"
    )
    build.execute(
        "create or replace table intermediate.int_identity_evidence as select source, entity,"
        " record_key, kind as identifier_type, scope as identifier_scope,"
        " case kind when 'mobile' then '+86' || value else value end as identifier_value,"
        " 1::bigint as priority, true as is_edge, false as is_verified, null::varchar as reason,"
        f" {_SEEN} as first_seen_at, {_SEEN} as last_seen_at, 1::bigint as record_count"
        " from told where value <> ''"
    )
    build.execute(
        "create or replace table intermediate.int_identity_owners as select ''"
        " as identifier_type, '' as identifier_scope, '' as identifier_value, '' as name"
        " where false"
    )
    build.execute(
        "create or replace table intermediate.int_identity_attributes as select '' as source,"
        " '' as entity, '' as record_key, '' as attribute, '' as value where false"
    )


def _told(entity: str, files: list[str]) -> list[str]:
    record, key, version, named = _CARRIERS[entity]
    source, name = record.split(".")
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    rows = f"select * from read_parquet([{listed}], union_by_name = true)"
    if version:
        rows += f" qualify row_number() over (partition by {key} order by {version} desc) = 1"
    return [
        f"select '{source}' as source, '{name}' as entity, {key} as record_key, '{kind}' as kind,"
        f" {scope} as scope, coalesce({value}, '') as value from ({rows})"
        for kind, scope, value in named
    ]
