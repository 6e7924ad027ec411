"""A small published snapshot with tags, for tests of previews and audiences."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from zhongtai.settings import Settings

SNAPSHOT = "s_20260331_test"
AS_OF = datetime(2026, 3, 31, 16)  # noqa: DTZ001  # naive UTC, as published

_USERS = (
    "one_id varchar, name varchar, gender varchar, birth_date date, mobile varchar, email varchar,"
    " province varchar, city varchar, is_owner boolean, is_staff boolean, is_partner boolean,"
    " allows_marketing boolean, lifecycle_stage varchar, nurture_pool varchar, lead_tier varchar,"
    " first_seen_at timestamp, last_seen_at timestamp, source_count bigint, record_count bigint"
)
_IDENTIFIERS = (
    "identifier_type varchar, identifier_scope varchar, identifier_value varchar, one_id varchar,"
    " is_shared boolean, first_seen_at timestamp, last_seen_at timestamp, record_count bigint"
)
_RECORDS = "source varchar, entity varchar, record_key varchar, one_id varchar"
_KINDS = {bool: "boolean", str: "varchar", int: "bigint", float: "double", date: "date"}


def publish(
    settings: Settings,
    persons: Sequence[Mapping[str, Any]],
    *,
    tags: Mapping[str, type],
    snapshot_id: str = SNAPSHOT,
    consents: Mapping[str, str] | None = None,
    identifiers: Sequence[Mapping[str, Any]] = (),
    records: Sequence[Mapping[str, Any]] = (),
    redirects: Mapping[str, str] | None = None,
) -> None:
    """Make these persons what readers see. A person has columns of the profile and of tags."""
    folder = settings.path("published", "profiles")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{snapshot_id}.duckdb"
    with duckdb.connect(str(file)) as profiles:
        profiles.execute(f"create table dim_users ({_USERS})")
        listed = ", ".join(f"{name} {_type(kind)}" for name, kind in tags.items())
        profiles.execute(f"create table dim_user_tags (one_id varchar, {listed})")
        profiles.execute(f"create table bridge_user_identifiers ({_IDENTIFIERS})")
        for person in persons:
            flags = {"is_owner", "is_staff", "is_partner", "allows_marketing"} - set(person)
            own = {k: v for k, v in person.items() if k not in tags}
            insert(profiles, "dim_users", own | dict.fromkeys(flags, False))
            of_tags = {k: v for k, v in person.items() if k in tags}
            insert(profiles, "dim_user_tags", {"one_id": person["one_id"], **of_tags})
        for row in identifiers:
            insert(profiles, "bridge_user_identifiers", {"is_shared": False, **row})
        for table in ("bridge_user_records", "bridge_organisation_records"):
            profiles.execute(f"create table {table} ({_RECORDS})")
        for row in records:
            insert(profiles, "bridge_user_records", row)
        profiles.execute("create table one_id_redirects (retired_one_id varchar, one_id varchar)")
        for retired, one_id in (redirects or {}).items():
            row = {"retired_one_id": retired, "one_id": one_id}
            insert(profiles, "one_id_redirects", row)
    _point(file)
    metrics = settings.path("published", "metrics")
    metrics.mkdir(parents=True, exist_ok=True)
    file = metrics / f"{snapshot_id}.duckdb"
    with duckdb.connect(str(file)) as shared:
        shared.execute("create table meta_snapshots (snapshot_id varchar, as_of timestamp)")
        shared.execute("insert into meta_snapshots values (?, ?)", [snapshot_id, AS_OF])
        shared.execute("create table dim_tags (tag_id varchar, consent_purpose varchar)")
        for tag_id in tags:
            purpose = (consents or {}).get(tag_id, "none")
            shared.execute("insert into dim_tags values (?, ?)", [tag_id, purpose])
        shared.execute("create table metrics_tag_daily (date date, tag_id varchar)")
    _point(file)


def _type(kind: type) -> str:
    return "varchar[]" if kind is list else _KINDS[kind]


def _point(file: Path) -> None:
    link = file.with_name("current.duckdb")
    link.unlink(missing_ok=True)
    link.symlink_to(file.name)


def insert(connection: duckdb.DuckDBPyConnection, table: str, row: Mapping[str, Any]) -> None:
    marks = ", ".join("?" for _ in row)
    connection.execute(
        f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values())
    )
