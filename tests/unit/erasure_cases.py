"""A home with three persons in every layer: one asks to be forgotten, one is named by a command."""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import psycopg

from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.identity.decisions import decide
from zhongtai.identity.references import Reference
from zhongtai.ingest import drain
from zhongtai.publish import publisher
from zhongtai.runs import Run
from zhongtai.settings import Settings

from landing_cases import Landing
from publish_cases import METRICS, make_candidate, write_build

SHARED = "13622220000"
# The car that CHARLIE had before BRAVO.
HANDED_OVER = "LVIN0000000000001"
# What sources call each person and nobody else; no value occurs anywhere by chance.
PERSONS: dict[str, dict[str, str]] = {
    name: {
        "mobile": f"1361111{number}",
        "crm_customer_id": f"CUST-{name}-77",
        "unionid": f"UNION-{name}-77",
        "login_id": f"LOGIN-{name}-77",
        "anonymous_id": f"DEVICE-{name}-77",
        "email": f"{name.lower()}77@example.com",
        "lead": f"LEAD-{name}-77",
        "name": f"姓名{name}",
    }
    for name, number in (("ALFA", "0001"), ("BRAVO", "0002"), ("CHARLIE", "0003"))
}
_ONE_IDS = {"ALFA": "u_a", "BRAVO": "u_b", "CHARLIE": "u_c"}


def one_id(name: str) -> str:
    """The id of a person, which tells nothing of the person."""
    return _ONE_IDS[name]


def contact(name: str, **changes: str) -> dict[str, str]:
    """The contact of a person."""
    own = PERSONS[name]
    return {
        "客户ID": own["crm_customer_id"],
        "姓名": own["name"],
        "手机号": f"+86 {own['mobile'][:3]}-{own['mobile'][3:7]}-{own['mobile'][7:]}",
        "邮箱": own["email"],
        "微信UnionID": own["unionid"],
        "更新时间": "2026-03-02 10:00:00",
    } | changes


def lead(name: str, **changes: str) -> dict[str, str]:
    """A lead of a person."""
    own = PERSONS[name]
    return {
        "线索唯一ID": own["lead"],
        "客户ID": own["crm_customer_id"],
        "客户姓名": own["name"],
        "手机号": own["mobile"],
        "线索创建时间": "2026-03-01 10:00:00",
        "更新时间": "2026-03-02 10:00:00",
    } | changes


def event(name: str, number: int, **changes: object) -> dict[str, object]:
    """An event on a person's device."""
    own = PERSONS[name]
    return {
        "type": "track",
        "event": "ViewSeries",
        "distinct_id": own["login_id"],
        "anonymous_id": own["anonymous_id"],
        "identities": {"$identity_login_id": own["login_id"], "$identity_email": own["email"]},
        "time": 1_770_000_000_000 + number,
        "_track_id": number,
        "_flush_time": 1_770_000_001_000,
        "properties": {"series_code": "S1"},
    } | changes


def follow_up(name: str, **changes: str) -> dict[str, str]:
    """A follow-up of a person's lead."""
    return {
        "跟进ID": f"F-{name}",
        "线索唯一ID": PERSONS[name]["lead"],
        "跟进时间": "2026-03-01 10:00:00",
    } | changes


def request(number: int, kind: str, value: str) -> dict[str, str]:
    """A request for erasure."""
    return {
        "申请ID": f"SQ{number}",
        "标识类型": kind,
        "标识值": value,
        "申请时间": "2026-03-04 10:00:00",
        "类型": "删除",
    }


REQUESTS = [
    request(1, "mobile", PERSONS["ALFA"]["mobile"]),
    request(2, "mobile", SHARED),
    request(3, "login_id", "NOBODY"),
]


def deliver(landing: Landing) -> None:
    """All three persons, clean and set aside, and the requests."""
    everybody = list(PERSONS)
    bravo = PERSONS["BRAVO"]["mobile"]
    contacts = [contact(name) for name in everybody]
    contacts[2]["备用手机号"] = bravo
    landing.deliver("crm.contacts", contacts)
    leads = [lead(name) for name in everybody] + [lead("ALFA", 线索唯一ID="L-HOME", 手机号=SHARED)]
    landing.deliver("crm.leads", leads)
    unreadable = {"跟进ID": "F-LATE", "跟进时间": "soon"}
    follow_ups = [follow_up(name) for name in everybody] + [follow_up("BRAVO", **unreadable)]
    landing.deliver("crm.follow_ups", follow_ups)
    events = [event(name, number) for number, name in enumerate(everybody * 2)]
    events += [event("ALFA", 0), event("CHARLIE", 9, properties={"mobile": bravo})]
    broken = f'{{"type": "tr {PERSONS["BRAVO"]["anonymous_id"]}\n'.encode()
    content = landing.content(landing.contracts["app.events"], events) + broken
    landing.deliver("app.events", gzip.compress(content), "events.jsonl.gz")
    wrong = landing.deliver("crm.leads", [lead("BRAVO")], "w.csv")
    for manifest in wrong.parent.glob("w.csv.*.manifest.json"):
        manifest.unlink()
    landing.name_in_manifest(wrong, rows=9)
    landing.deliver("crm.erasure_requests", REQUESTS)


def profiles() -> dict[str, str]:
    """The marts that erasure reads or empties, as queries."""
    records, identifiers = [], []
    for name, own in PERSONS.items():
        keys = {"crm.contacts": own["crm_customer_id"], "crm.leads": own["lead"]}
        keys["app.events"] = own["login_id"]
        if name == "ALFA":
            records.append(("crm", "leads", "L-HOME", one_id(name)))
        records += [(*entity.split("."), key, one_id(name)) for entity, key in keys.items()]
        kinds = ("crm_customer_id", "unionid", "login_id", "anonymous_id", "email")
        identifiers += [(kind, own[kind], one_id(name), False) for kind in kinds]
        identifiers.append(("mobile", f"+86{own['mobile']}", one_id(name), False))
    identifiers += [("mobile", f"+86{SHARED}", one_id(name), True) for name in ("ALFA", "CHARLIE")]
    names = [(one_id(name), own["name"], f"+86{own['mobile']}") for name, own in PERSONS.items()]
    changes = [("2026-01-01 00:00:00", "new", one_id(name), 3) for name in PERSONS]
    return {
        "bridge_user_records": _values("source, entity, record_key, one_id", records),
        "bridge_user_identifiers": "select *, '' as identifier_scope from "
        + _values("identifier_type, identifier_value, one_id, is_shared", identifiers, bare=True),
        "bridge_user_vehicles": "select one_id, vin, 'owner' as role, valid_from::timestamp as"
        " valid_from, valid_to::timestamp as valid_to from (values"
        f" ('u_b', '{HANDED_OVER}', '2026-01-01', null),"
        f" ('u_c', '{HANDED_OVER}', '2025-01-01', '2026-01-01'))"
        " t(one_id, vin, valid_from, valid_to)",
        "bridge_user_relationships": "select 'u_c' as one_id, 'u_a' as related_one_id,"
        " 'household' as relationship",
        "dim_users": _values("one_id, name, mobile", names),
        "dim_user_tags": _values("one_id, name_tag, mobile_tag", names),
        "fct_identity_changes": _values("changed_at, change, one_id, record_count", changes),
        "one_id_redirects": "select 'u_old' as retired_one_id, 'u_a' as one_id",
    }


def _values(columns: str, rows: list[tuple[object, ...]], *, bare: bool = False) -> str:
    listed = ", ".join("(" + ", ".join(_literal(cell) for cell in row) + ")" for row in rows)
    values = f"(values {listed}) t({columns})"
    return values if bare else f"select * from {values}"


def _literal(cell: object) -> str:
    return str(cell) if isinstance(cell, bool | int) else f"'{cell}'"


def write_working_file(settings: Settings) -> None:
    """The profiles of everybody, and the requests as staging reads them."""
    write_build(settings, metrics=METRICS, profiles=profiles())
    with duckdb.connect(settings.warehouse_file) as build:
        build.execute("create schema if not exists staging")
        asked = [
            (one["申请ID"], one["标识类型"], one["标识值"], one["申请时间"], "删除")
            for one in REQUESTS
        ]
        columns = "record_key, identifier_type, identifier_value, requested_at, request_kind"
        build.execute(
            "create or replace table staging.stg_crm__erasure_requests as select * replace"
            f" (requested_at::timestamp as requested_at) from {_values(columns, asked, bare=True)}"
        )


def write_map(settings: Settings, snapshot_id: str) -> None:
    """The identity map of a snapshot, as far as erasure reads it."""
    folder = settings.path("identity", snapshot_id)
    folder.mkdir(parents=True)
    queries = {
        "record_map": profiles()["bridge_user_records"],
        "changes": "select changed_at::timestamp as changed_at, change, one_id, null::varchar as"
        " previous_one_id, record_count::bigint as record_count, 'r' as reason, 'run' as run_id"
        f" from ({profiles()['fct_identity_changes']})",
        "redirects": "select 'u_old' as retired_one_id, 'u_a' as one_id",
        "evidence": profiles()["bridge_user_records"],
    }
    for stem, query in queries.items():
        duckdb.execute(f"copy ({query}) to '{folder / stem}.parquet' (format parquet)")


def publish(settings: Settings, connection: psycopg.Connection) -> str:
    """Publish the working file; the caller has put `write_map` in place of the real map."""
    return publisher.publish_candidate(settings, connection, make_candidate(settings, connection))


def fill(settings: Settings, contracts: Contracts, run: Run, landing: Landing) -> str:
    """Everybody in every layer; returns the snapshot id."""
    deliver(landing)
    drain(settings, contracts, run)
    write_working_file(settings)
    with connect(settings, autocommit=True) as connection:
        snapshot_id = publish(settings, connection)
        for name in ("ALFA", "BRAVO"):
            own = PERSONS[name]
            connection.execute(
                "insert into tags.statements (tag_id, value, subject, identifier_type,"
                " identifier_value, author, reason) values"
                " ('vip', 'true', 'identifier', 'mobile', %s, 'mei', 'because')",
                [f"+86{own['mobile']}"],
            )
    leads = [Reference("crm", "leads", PERSONS[name]["lead"]) for name in ("BRAVO", "CHARLIE")]
    decide(settings, "split", *leads, author="mei", because="two")
    export = settings.path("exports", "vip.csv")
    export.parent.mkdir(parents=True, exist_ok=True)
    export.write_text(f"mobile\n{PERSONS['BRAVO']['mobile']}\n")
    page = settings.path("docs", "run", "index.html")
    page.parent.mkdir(parents=True)
    page.write_text(f"<td>{PERSONS['ALFA']['lead']}</td>")
    log = settings.path("logs", "dbt.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(f"fine\nbad value {PERSONS['BRAVO']['email']}\nfine again\n")
    return snapshot_id


def values_of(name: str) -> set[str]:
    """What must be nowhere once a person is erased."""
    return set(PERSONS[name].values())


def find_bytes(home: Path, values: set[str]) -> dict[str, set[str]]:
    """Files below the home that hold a value: as bytes, unpacked, or as a cell; with the values."""
    found: dict[str, set[str]] = {}
    for file in home.rglob("*"):
        if file.is_file() and not file.is_symlink():
            for content in _contents(file):
                for value in values:
                    if value.encode() in content or value.encode("gb18030") in content:
                        found.setdefault(str(file.relative_to(home)), set()).add(value)
    return found


def _contents(file: Path) -> Iterator[bytes]:
    raw = file.read_bytes()
    yield raw
    if raw[:2] == b"\x1f\x8b":
        # sources cut files off: what can be unpacked counts
        yield zlib.decompressobj(31).decompress(raw)
    elif file.suffix == ".parquet":
        yield repr(duckdb.execute("select * from read_parquet(?)", [str(file)]).fetchall()).encode()
    elif file.suffix == ".duckdb":
        with duckdb.connect(file, read_only=True) as opened:
            tables = opened.execute("select schema_name, table_name from duckdb_tables()")
            for schema, table in tables.fetchall():
                yield repr(opened.execute(f'from "{schema}"."{table}"').fetchall()).encode()


def count_rows(connection: psycopg.Connection) -> Mapping[str, tuple[int, ...]]:
    """Rows in, loaded, quarantined, duplicate and suppressed, by file."""
    return {
        row[0]: row[1:]
        for row in connection.execute(
            "select file, rows_in, rows_loaded, rows_quarantined, rows_duplicate, rows_suppressed"
            " from ledger.deliveries order by sequence"
        ).fetchall()
    }


def read_report(settings: Settings) -> dict[str, object]:
    """The newest report."""
    file = max(settings.path("erasure").glob("report-*.json"))
    content: dict[str, object] = json.loads(file.read_text("utf-8"))
    return content
