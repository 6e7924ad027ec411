"""Canary persons and canary secrets are planted, and searched for wherever anybody may look."""

import gzip
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
import pytest
from canary_cases import all_forms, as_utf8, call, forms, search, search_database, search_home
from psycopg.conninfo import make_conninfo

from zhongtai import pipeline, quality, quarantine
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.home import secure_home
from zhongtai.publish import publisher
from zhongtai.runs import Run
from zhongtai.service.airflow import airflow_environment
from zhongtai.settings import Settings

from landing_cases import Landing
from publish_cases import make_candidate, write_build

SECRETS = {
    "database_url": "CANARY-DB-9f3Kq71",
    "airflow_password": "CANARY-AF-8Zt20wq",
    "profiles_key": "",
}
PERSON = {
    "name": "慕容金丝雀",
    "mobile": "13976543210",
    "email": "canary.finch@example.com",
    "id_card": "11010519491231002X",
    "vin": "LCANARY1234567890",
    "unionid": "oCANARYunion00001",
    "login_id": "login-canary-0001",
    "device": "device-canary-0001",
    "address": "朝阳区金丝雀胡同九十九号",
    "openid": "oCANARYopenid0001",
}
TIMES = {"线索创建时间": "2026-03-01 10:00:00", "更新时间": "2026-03-02 10:00:00"}
CONTACT = {
    "客户ID": "C-1",
    "姓名": PERSON["name"],
    "手机号": PERSON["mobile"],
    "邮箱": PERSON["email"],
    "微信UnionID": PERSON["unionid"],
    "地址": PERSON["address"],
    "更新时间": "2026-03-02 10:00:00",
}
LEAD = {"线索唯一ID": "L-1", "客户姓名": PERSON["name"], "手机号": PERSON["mobile"], **TIMES}


@dataclass
class Seen:
    """Everything that somebody could see of the commands and steps."""

    texts: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, what: str, text: object) -> None:
        self.texts.append((what, as_utf8(str(text))))

    def search(self, sought: dict[bytes, str]) -> dict[str, set[str]]:
        return {what: told for what, text in self.texts if (told := search(text, sought))}


def deliver(landing: Landing) -> None:
    """The person in good rows, in rows of every kind that is set aside, and in broken files."""
    landing.deliver("crm.contacts", [CONTACT, CONTACT | {"客户ID": "", "性别": PERSON["name"]}])
    bad_times = [
        LEAD,
        LEAD | {"线索唯一ID": "L-2", "线索创建时间": PERSON["mobile"]},
        LEAD | {"线索唯一ID": PERSON["mobile"], "线索创建时间": PERSON["name"]},
        LEAD | {"线索唯一ID": "L-3", "线索评级": PERSON["name"]},
        LEAD | {"线索唯一ID": "L-4", "线索创建时间": "2199-01-01 00:00:00"},
    ]
    landing.deliver("crm.leads", bad_times)
    no_header = ",".join([PERSON["name"], PERSON["mobile"], PERSON["email"]]) + "\n"
    landing.deliver("crm.leads", (no_header * 3).encode(), "noheader.csv")
    half = ["线索唯一ID", "手机号", PERSON["mobile"], PERSON["email"], PERSON["id_card"]]
    landing.deliver("crm.leads", (",".join(half) + "\nL,1,2,3,4\n").encode(), "halfheader.csv")
    added = [*LEAD, PERSON["mobile"], PERSON["email"]]
    lines = [",".join(added), ",".join([*LEAD.values(), "1", "2"])]
    landing.deliver("crm.leads", "\n".join(lines).encode(), "added.csv")
    landing.deliver(
        "crm.leads", (";".join(LEAD) + "\n" + ";".join(LEAD.values())).encode(), "s.csv"
    )
    unclosed = ",".join(LEAD) + '\n"' + ",".join(LEAD.values()) + "\n"
    landing.deliver("crm.leads", unclosed.encode(), "unclosed.csv")
    bytes_wrong = ",".join(LEAD).encode() + b"\n\xff\xfe\x81," + ",".join(LEAD.values()).encode()
    landing.deliver("crm.leads", bytes_wrong, "bytes.csv")
    wrong = landing.deliver("crm.leads", [LEAD], "manifest.csv")
    for manifest in wrong.parent.glob("manifest.csv.*.manifest.json"):
        manifest.unlink()
    landing.name_in_manifest(wrong, rows=9)
    tag = {"标识类型": "mobile", "标识值": PERSON["mobile"], "更新时间": "2026-03-02 10:00:00"}
    landing.deliver("crm.manual_tags", [tag | {"tag_id": PERSON["name"], "value": "x"}])
    event = {
        "type": "track",
        "event": PERSON["name"],
        "distinct_id": PERSON["device"],
        "identities": {"$identity_login_id": PERSON["login_id"]},
        "time": 1_770_000_000_000,
        "_track_id": 1,
        "properties": {"mobile": PERSON["mobile"], PERSON["mobile"]: 1},
        PERSON["email"]: "a key that nobody declared",
    }
    good = json.dumps(event, ensure_ascii=False)
    broken = [good[:-20], good.replace("1770000000000", f'"{PERSON["name"]}"'), '["' + good]
    text = "\n".join([good, *broken]) + "\n"
    landing.deliver("app.events", gzip.compress(text.encode()), "a.jsonl.gz")
    landing.deliver("app.events", gzip.compress(text.encode())[:-30], "cut.jsonl.gz")
    adf = (
        f"<adf><prospect><id source='{PERSON['email']}' sequence='1'>1</id>"
        f"<requestdate>{PERSON['mobile']}</requestdate><customer><contact>"
        f"<name part='full'>{PERSON['name']}</name><phone>{PERSON['mobile']}</phone></contact>"
        f"</customer></prospect><prospect><{PERSON['login_id']}></prospect></adf>"
    )
    landing.deliver("crm.adf_leads", adf.encode())
    landing.deliver("dms.orders", b"PK\x03\x04" + PERSON["mobile"].encode() * 9, "orders.xlsx")


# Text columns of the shared store as a wrong model could fill them: the checks fail, and tell.
SPOILED = {
    "metrics_lead_funnel_daily": (
        "select null::date as date, '{mobile}' as region, '{name}' as channel_1, '{email}' as"
        " channel_2, '{vin}' as dealer_code, -1::bigint as leads_created from range({{n}})"
    ),
    "dim_dealers": "select '{vin}' as dealer_code, '{name}{mobile}' as name, '{email}' as region"
    " from range({{n}})",
    "meta_snapshots": "select 'earlier' as snapshot_id, timestamp '2026-03-01 08:00:00' as as_of",
}
CLEAN = {
    "metrics_lead_funnel_daily": "select date '2026-03-01' as date, 1::bigint as leads_created",
    "meta_snapshots": SPOILED["meta_snapshots"],
}
PROFILES = {
    "dim_users": "select 'u_' || i as one_id, '{name}' as name, '{mobile}' as mobile, '{email}' as"
    " email, '{vin}' as gender from range({{n}}) r(i)",
    "bridge_user_records": "select 'crm' as source, 'leads' as entity, '{mobile}' as record_key,"
    " 'u_1' as one_id",
    "bridge_user_identifiers": "select 'mobile' as identifier_type, '' as identifier_scope,"
    " '+86{mobile}' as identifier_value, 'u_1' as one_id, true as is_shared",
}


def planted(tables: dict[str, str]) -> dict[str, str]:
    return {name: query.format(**PERSON) for name, query in tables.items()}


COMMANDS = (
    ["status"],
    ["status", "--json"],
    ["quarantine", "list"],
    ["quarantine", "list", "--warnings", "--json"],
    ["quarantine", "replay", "--json"],
    ["explain", f"crm:leads:{PERSON['mobile']}"],
    ["explain", f"crm:contacts:{PERSON['email']}", "crm:leads:L-1"],
    ["identity", "list"],
    ["identity", "merge", f"crm:leads:{PERSON['mobile']}", "crm:leads:L-9", "--because", "x"],
    ["erase", "--identifier", f"mobile={PERSON['mobile']}", "--dry-run"],
    ["erase", "--identifier", f"email={PERSON['email']}"],
    ["erase", "--identifier", PERSON["mobile"]],
    ["tags", "set", "vip", f"mobile={PERSON['mobile']}", "--because", "x"],
    ["retention", "--dry-run"],
    ["doctor", "--json"],
    ["publish"],
    ["release", "--because", "x"],
)


@dataclass(frozen=True)
class Planted:
    """A home after everything was tried in it, and what was seen meanwhile."""

    settings: Settings
    seen: Seen


@pytest.fixture
def tried(  # noqa: PLR0917
    settings: Settings,
    contracts: Contracts,
    run: Run,
    landing: Landing,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Planted:
    """Ingestion, quarantine, checks that fail, publishing, and commands that go wrong."""
    url = make_conninfo(settings.database_url.get_secret_value(), password=SECRETS["database_url"])
    home = settings.model_copy(
        update={
            "database_url": type(settings.database_url)(url),
            "airflow_password": type(settings.airflow_password)(SECRETS["airflow_password"]),
        }
    )
    seen = Seen()
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    caplog.set_level(logging.DEBUG)
    secure_home(home)
    deliver(landing)
    report = pipeline.ingest(home, progress=lambda text: seen.add("progress", text))
    seen.add("task land", f"{report} {report.as_dict()}")
    items = quarantine.list_(home, with_warnings=True)
    assert sum(item.rows for item in items) >= 12
    assert len({item.rule for item in items}) >= 8
    seen.add("quarantine", items)
    seen.add("replay", pipeline.replay(home, quarantine.Selection()))
    _check_spoiled(home, run, seen)
    write_build(home, 3, CLEAN, planted(PROFILES))
    with connect(home, autocommit=True) as connection:
        candidate = make_candidate(home, connection)
        publisher.publish_candidate(home, connection, candidate)
    for name in ("HOME", "DATABASE_URL"):
        value = str(home.home) if name == "HOME" else url
        monkeypatch.setenv(f"ZHONGTAI_{name}", value)
    for command in COMMANDS:
        seen.add(f"command {command[0]}", call(command, monkeypatch))
    seen.add("logs", "\n".join(f"{r.getMessage()} {r.exc_text}" for r in caplog.records))
    return Planted(home, seen)


def _check_spoiled(home: Settings, run: Run, seen: Seen) -> None:
    """The gate over a candidate whose shared tables hold the person, in a column of every kind."""
    write_build(home, 3, planted(SPOILED), planted(PROFILES))
    import duckdb

    with duckdb.connect(home.warehouse_file) as build:
        build.execute("create schema if not exists meta")
        build.execute(
            f"create table meta.run_context as select '{run.run_id}' as run_id,"
            " timestamp '2026-03-01' as as_of"
        )
    results = quality.check_candidate(home, run)
    assert len([one for one in results if one.outcome != "passed"]) >= 20
    seen.add("checks", results)


def test_no_canary_gets_out(tried: Planted, figure: Callable[[str], None]) -> None:
    persons = all_forms(PERSON.values())
    secrets = all_forms(value for value in SECRETS.values() if value)
    assert len(persons) + len(secrets) >= 250
    sought = persons | secrets
    # what somebody typed may be on their terminal; what the product says of it is masked
    assert tried.seen.search(sought) == {}
    files, found = search_home(tried.settings.home, sought)
    assert files >= 30
    with connect(tried.settings) as connection:
        tables, told = search_database(connection, sought)
    figure(
        f"canaries: {len(sought)} forms of persons and secrets, {files} files and {tables} tables,"
        f" {len(found) + len(told)} found"
    )
    assert tables >= 25
    assert (found, told) == ({}, {})
    # and the search sees: the person is where persons belong
    everywhere, kept = search_home(tried.settings.path("lake"), sought)
    assert everywhere
    assert len(kept) >= 2


def test_a_planted_value_is_found_in_every_form(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("planted")
    for value in (PERSON["name"], PERSON["mobile"], SECRETS["database_url"]):
        for number, form in enumerate(forms(value).values()):
            (home / f"{number}.log").write_bytes(b"before " + form + b" after")
            assert search_home(home, all_forms([value]))[1], form


WRONG_URLS = (
    "postgresql://zhongtai:{}@[nowhere:5432/zhongtai",
    "postgresql://zhongtai:{}@127.0.0.1:1/zhongtai",
    "postgresql://zhongtai:{}@127.0.0.1:notaport/zhongtai",
    "postgres//zhongtai:{}@nowhere/zhongtai",
    "host=/nowhere user=zhongtai password={} oops",
    "host=/nowhere user=zhongtai password='{} dbname=zhongtai",
    "postgresql://zhongtai:{}@127.0.0.1:1/zhongtai?nothing=1",
    "postgresql://zhongtai:%zz{}@127.0.0.1:1/zhongtai",
)


@pytest.mark.parametrize(
    ("url", "command"),
    [
        *((url, ["status"]) for url in WRONG_URLS),
        *((url, ["run"]) for url in WRONG_URLS[:2]),
        *((url, ["database", "url"]) for url in WRONG_URLS[1:3]),
    ],
)
def test_a_wrong_url_is_reported_without_its_password(
    url: str, command: list[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = SECRETS["database_url"]
    monkeypatch.setenv("ZHONGTAI_HOME", str(tmp_path))
    monkeypatch.setenv("ZHONGTAI_DATABASE_URL", url.format(secret))
    told = call(command, monkeypatch)
    if command == ["database", "url"]:
        # this command is asked for it, and cannot give what is no URL
        assert (secret in told) == ("is no PostgreSQL URL" not in told)
        return
    assert "zhongtai:" in told
    assert search(as_utf8(told), all_forms([secret])) == set()


def test_a_setting_that_is_wrong_does_not_show_a_secret_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("ZHONGTAI_HOME", str(tmp_path))
    monkeypatch.setenv("ZHONGTAI_PROFILES_KEY", SECRETS["airflow_password"])
    monkeypatch.setenv("ZHONGTAI_THREADS", "many")
    told = call(["status"], monkeypatch)
    assert "ZHONGTAI_THREADS" in told
    assert search(as_utf8(told), all_forms([SECRETS["airflow_password"]])) == set()


def test_a_program_of_postgresql_is_given_no_password_as_argument(
    settings: Settings, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    import subprocess

    from zhongtai.backup import back_up

    called: list[list[str]] = []
    run = subprocess.run

    def note(arguments: list[str], **options: object) -> object:
        called.append(arguments)
        return run(arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", note)
    with connect(settings):
        pass
    for password in (SECRETS["database_url"], "with ' and \\ and blank"):
        url = make_conninfo(settings.database_url.get_secret_value(), password=password)
        home = settings.model_copy(update={"database_url": type(settings.database_url)(url)})
        back_up(home, settings.path(f"b{len(called)}.dump"))
    assert len(called) == 2
    assert not any(SECRETS["database_url"] in word for words in called for word in words)


def test_airflow_gets_its_secrets_by_its_environment_alone(settings: Settings) -> None:
    from zhongtai.service.processes import COMPONENTS, airflow_arguments

    with psycopg.connect(settings.database_url.get_secret_value()):
        environment = airflow_environment(settings, 1)
    secrets = {name: v for name, v in environment.items() if name.endswith(("_KEY", "_SECRET"))}
    assert len(secrets) >= 3
    for component in COMPONENTS:
        assert not any(
            v in word for v in secrets.values() if v for word in airflow_arguments(component)
        )
