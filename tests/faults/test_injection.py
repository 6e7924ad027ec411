"""What people type, declare or deliver is a value: never SQL, a template, a path or a formula."""

import csv
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import jinja2
import psycopg
import pytest
import yaml
from audience_cases import insert
from canary_cases import call
from fault_parts import IS_FULL
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tag_cases import HEAD, World, people, tag, views

from zhongtai.contracts import load_contracts
from zhongtai.contracts.catalogue import read_contract
from zhongtai.database import connect
from zhongtai.ingest import drain
from zhongtai.publish import publisher
from zhongtai.runs import Run
from zhongtai.scaffold import model_document, model_query, sources_document
from zhongtai.settings import Settings
from zhongtai.tags import load_tags
from zhongtai.tags.condition_sql import condition_sql
from zhongtai.tags.conditions import Column, parse_condition
from zhongtai.tags.exports import _harmless
from zhongtai.tags.expressions import literal
from zhongtai.tags.models import render_models
from zhongtai.warehouse import open_build, prepare

from landing_cases import PROJECT, Landing
from publish_cases import build_candidate

PAYLOADS = (
    "' or 1=1 --",
    "'; drop table dim_users; --",
    "''; drop table dim_users; --",
    "\\' or 1=1 --",
    "\\",
    "\\\\' union select version() --",
    "'||(select current_setting('home_directory'))||'",
    "\"; attach '/etc/passwd' as x; --",
    "{{ env_var('HOME') }}",
    '{{ env_var("HOME") }}',
    '{{{ env_var("HOME") }}}',
    '{{{{ env_var("HOME") }}}}',
    "{% set x = 1 %}{{ x }}",
    "{{% set x = 1 %}",
    "{# gone #}",
    "{{# gone #}}",
    "{{{# gone #}}}",
    "${HOME} $HOME `id` $(id)",
    "../../../../etc/passwd",
    "/etc/passwd",
    "..\\..\\windows",
    "%s %(x)s %%",
    "=cmd|'/C calc'!A0",
    "@SUM(1+1)",
    "\t=1+1",
    "\x1b]0;owned\x07",
    "a\x00b",
    "a\nb",
    "１ ＝１",
    "' || chr(92) || '",
)
# of which `make test` tries these on every command, `make faults` all
SOME = (PAYLOADS[1], PAYLOADS[3], PAYLOADS[10], PAYLOADS[18], PAYLOADS[25])
TEMPLATES = jinja2.Environment(autoescape=False)  # noqa: S701  # SQL, as dbt renders it


def rendered(text: str) -> str:
    """What dbt makes of a text; `env_var` would tell a secret."""
    return TEMPLATES.from_string(text).render(env_var=lambda *_: "SECRET", x=1)


def read_back(value: str) -> object:
    """A literal as dbt renders and DuckDB reads it."""
    row = duckdb.execute(rendered(f"select {literal(value)}")).fetchone()
    assert row
    return row[0]


@pytest.mark.parametrize("payload", [p for p in PAYLOADS if "\x00" not in p])
def test_a_literal_of_a_tag_is_that_text_and_nothing_else(payload: str) -> None:
    assert read_back(payload) == payload
    # Spark takes a backslash within quotes for an escape
    assert "\\" not in literal(payload)


@hypothesis_settings(max_examples=300, deadline=None)
@given(st.text(alphabet="{}%#'\"\\|-; \n中a", max_size=12))
def test_no_mixture_of_braces_and_quotes_leaves_a_literal(text: str) -> None:
    # Jinja takes one line feed from the very end of a template, never from within quotes
    assert read_back(text) == text
    assert "\\" not in literal(text)


@pytest.mark.parametrize("payload", PAYLOADS[:11])
def test_a_rule_selects_whom_the_text_fits_and_nobody_else(tmp_path: Path, payload: str) -> None:
    where = yaml.safe_dump({"series_code": payload}, default_flow_style=True, width=10_000).strip()
    rule = f"rule: {{did: events, where: {where}, within_days: 30}}"
    world = World(tmp_path, tag("odd", "rule", "boolean", rule))
    world.add("dim_users", people("u_odd", "u_other"))
    world.add("int_events", views("u_odd", payload, ["2026-03-30 10:00:00"]))
    world.add("int_events", views("u_other", "A7", ["2026-03-30 10:00:00"]))
    assert world.value("odd") == {"u_odd": True, "u_other": False}


@pytest.mark.parametrize("payload", [p for p in PAYLOADS if "\x00" not in p])
def test_a_condition_of_an_audience_compares_the_text(payload: str) -> None:
    columns = {"city": Column("city", "text")}
    quoted = payload.replace("'", "''")
    condition = parse_condition(f"city = '{quoted}'", columns)
    query = f"select count(*) from t where {condition_sql(condition, {'city': 'city'})}"
    with duckdb.connect(config={"enable_external_access": "false"}) as connection:
        connection.execute("create table t (city varchar)")
        for value in (payload, "上海", None):
            insert(connection, "t", {"city": value})
        assert connection.execute(query).fetchone() == (1,)


def texts_of(document: object) -> list[str]:
    if isinstance(document, Mapping):
        return [text for value in document.values() for text in texts_of(value)]
    if isinstance(document, list):
        return [text for value in document for text in texts_of(value)]
    return [document] if isinstance(document, str) else []


def openings_in(document: str) -> list[str]:
    """Texts of a YAML file in which dbt would find something to execute, but references to docs."""
    texts = texts_of(yaml.safe_load(document))
    assert len(texts) >= 3
    tame = re.compile(r"\{\{ doc\('\w+'\) \}\}")
    return [text for text in texts if re.search(r"\{[{%#]", tame.sub("", text))]


@pytest.mark.parametrize("payload", [p for p in PAYLOADS if "{" in p])
def test_what_people_say_of_a_tag_is_not_executed(tmp_path: Path, payload: str) -> None:
    declared = yaml.safe_dump(
        [
            {
                "id": "odd",
                "name": {"zh": payload, "en": payload},
                "description": payload,
                "kind": "rule",
                "value_type": "boolean",
                "status": "published",
                "rule": {"did": "events", "within_days": 30},
            }
        ],
        allow_unicode=True,
    )
    seeds = tmp_path / "seeds" / "tags"
    seeds.mkdir(parents=True)
    (seeds / "trial.yml").write_text(HEAD + declared, "utf-8")
    written = render_models(load_tags(tmp_path))
    documents = [text for path, text in written.items() if path.suffix == ".yml"]
    assert len(documents) >= 3
    assert [found for text in documents for found in openings_in(text)] == []
    queries = {path.stem: text for path, text in written.items() if path.suffix == ".sql"}
    told = queries["dim_tags"]
    assert "SECRET" not in rendered(told)
    # what is rendered is what was said, taken apart or not
    assert payload.replace("'", "''") in re.sub(r"' \|\| '", "", told).replace(
        "' || chr(92) || '", "\\"
    )


CONTRACT = """\
description: {payload}
owner: {payload}
impact: {payload}
format: csv
path: "**/*"
encodings: [utf-8]
completion: manifest
key: [{key}]
version: 更新时间
fresh_within: 26h
retention: {{at_most: 9d, since: 更新时间, because: {payload}}}
columns:
  {key}: {{name: odd_id, type: key, required: true, description: {payload}}}
  {other}: {{name: other, type: enum, pii: contact, values: [{payload}], description: {payload}}}
  更新时间: {{name: updated_at, type: ts, description: When}}
row_rules:
  - {{rule: key_missing, severity: critical, because: {payload}}}
  - {{rule: {rule}, severity: critical, because: {payload}, where: "false"}}
file_rules: []
"""


def odd_project(folder: Path, payload: str) -> Path:
    """A project with one contract, every text of which is the payload."""
    import json

    raw = folder / "project" / "expectations" / "raw"
    raw.mkdir(parents=True)
    values = {"payload": payload, "key": f"k {payload}", "other": f"o {payload}", "rule": payload}
    text = CONTRACT.format(**{k: json.dumps(v, ensure_ascii=False) for k, v in values.items()})
    (raw / "odd__things.yml").write_text(text, "utf-8")
    for name in ("seeds", "dbt_project"):
        shutil.copytree(PROJECT / name, folder / "project" / name)
    return folder / "project"


@pytest.mark.parametrize("payload", [PAYLOADS[1], PAYLOADS[3], PAYLOADS[7], PAYLOADS[10]])
def test_a_contract_is_read_by_its_words(
    settings: Settings, run: Run, tmp_path: Path, payload: str
) -> None:
    project = odd_project(tmp_path, payload)
    contracts = load_contracts(project)
    odd = settings.model_copy(update={"project_dir": project})
    landing = Landing(Path(odd.landing_url), contracts)
    row = {f"k {payload}": payload, f"o {payload}": payload, "更新时间": "2026-03-01 10:00:00"}
    landing.deliver("odd.things", [row, row | {f"k {payload}": ""}])
    report = drain(odd, contracts, run)
    assert (report.entities["odd.things"].rows_loaded, report.strays) == (1, [])
    prepare(odd, contracts, run)
    with open_build(odd) as build:
        name = f"k {payload}".replace('"', '""')
        rows = build.execute(f'select "{name}" from raw.odd__things').fetchall()
    assert rows == [(payload,)]
    (contract,) = contracts.values()
    for document in (sources_document(contracts), model_document(contract)):
        assert openings_in(document) == []
    assert "SECRET" not in TEMPLATES.from_string(model_query(contract)).render(
        stage=lambda *_, **__: "", env_var=lambda *_: "SECRET"
    )


def test_a_contract_cannot_reach_out_of_its_folder(
    settings: Settings, run: Run, tmp_path: Path
) -> None:
    project = odd_project(tmp_path, "plain")
    file = project / "expectations" / "raw" / "odd__things.yml"
    for pattern in ("../**/*", "../../**/*", "/**/*", "**/../../*"):
        file.write_text(file.read_text("utf-8").replace('path: "**/*"', f'path: "{pattern}"'))
        contracts = load_contracts(project)
        odd = settings.model_copy(update={"project_dir": project})
        landing = Landing(Path(odd.landing_url), contracts)
        outside = Path(odd.landing_url).parent / "secret.csv"
        outside.parent.mkdir(parents=True, exist_ok=True)
        outside.write_text("k plain,o plain,更新时间\n1,2,2026-03-01\n")
        (landing.root / "odd" / "things").mkdir(parents=True, exist_ok=True)
        report = drain(odd, contracts, run)
        assert report.entities == {}
        assert outside.exists()


@pytest.mark.parametrize("name", ["../evil__x", "a__b/../../c", "A__b", "a__", "__b", "a__b c"])
def test_the_name_of_a_contract_is_no_path(tmp_path: Path, name: str) -> None:
    from zhongtai.errors import ConfigurationError

    with pytest.raises(ConfigurationError):
        read_contract(tmp_path / f"{name.replace('/', '_')}.yml")


ARGUMENTS = (
    ["rollback", "{}"],
    ["check", "--run", "{}"],
    ["publish", "--run", "{}"],
    ["explain", "{}"],
    ["explain", "crm:leads:{}"],
    ["explain", "{}:{}:{}"],
    ["identity", "merge", "crm:leads:{}", "crm:leads:L2", "--because", "{}"],
    ["quarantine", "show", "{}"],
    ["quarantine", "list", "--source", "{}", "--rule", "{}"],
    ["quarantine", "replay", "--source", "{}", "--entity", "{}"],
    ["erase", "--identifier", "mobile={}", "--because", "{}"],
    ["erase", "--identifier", "{}={}"],
    ["ingest", "--source", "{}"],
    ["report", "staff", "{}", "--month", "2026-01"],
    ["report", "staff", "S1", "--month", "{}"],
    ["tags", "show", "{}"],
    ["tags", "history", "{}"],
    ["tags", "set", "{}", "{}", "--value", "{}", "--because", "{}"],
    ["tags", "preview", "{}"],
    ["audience", "show", "{}"],
    ["audience", "export", "{}", "--because", "{}"],
    ["audience", "exports", "{}"],
    ["release", "--because", "{}"],
    ["status", "--home", "{}"],
    ["retention", "--dry-run", "--as-of", "{}"],
    ["audit", "{}"],
)


# what a database says to a text that it took for SQL
_SQL_ERROR = re.compile(r"Parser Error|[Ss]yntax error|unterminated|Binder Error|TemplateSyntax")


def files_below(folder: Path) -> set[str]:
    return {str(f.relative_to(folder)) for f in folder.rglob("*")}


def count_everything(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    """Names and rows of all that an argument could have changed."""
    tables = connection.execute(
        "select schemaname, tablename from pg_tables where schemaname not in"
        " ('pg_catalog', 'information_schema') order by 1, 2"
    ).fetchall()
    kept = [t for t in tables if t != ("ledger", "runs")]
    return [
        (schema, table, connection.execute(f'select count(*) from "{schema}"."{table}"').fetchone())
        for schema, table in kept
    ]


def test_no_argument_of_a_command_is_executed(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str], None],
) -> None:
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    with connect(settings, autocommit=True) as connection:
        publisher.publish_candidate(settings, connection, build_candidate(settings, connection))
        before = count_everything(connection)
    monkeypatch.setenv("ZHONGTAI_HOME", str(settings.home))
    monkeypatch.setenv("ZHONGTAI_DATABASE_URL", settings.database_url.get_secret_value())
    elsewhere = tmp_path / "elsewhere" / "deep" / "er"
    elsewhere.mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    outside = files_below(tmp_path / "elsewhere")
    tried = 0
    # a NUL cannot be an argument at all, a line feed can
    possible = [p for p in PAYLOADS if "\x00" not in p]
    for number, arguments in enumerate(ARGUMENTS):
        # every command meets some, and `make faults` tries all of them on each
        for payload in (
            possible if IS_FULL else (possible[number % len(possible)], SOME[number % 5])
        ):
            if arguments[0] == "status" and payload.startswith("/"):
                continue
            told = call([one.replace("{}", payload) for one in arguments], monkeypatch)
            tried += 1
            assert "Traceback" not in told
            assert "\x1b]0" not in told.replace("\\x1b", ""), (arguments, payload)
            assert not _SQL_ERROR.search(told), (arguments, payload, told)
    figure(f"injection: {tried} commands given SQL, paths and templates as an argument")
    assert tried >= (700 if IS_FULL else 45)
    with connect(settings) as connection:
        assert count_everything(connection) == before
    made = files_below(tmp_path / "elsewhere") - outside
    # `status` looks into the home that it is told, which may have any name
    homes = tuple(f"deep/er/{payload}" for payload in possible)
    assert {f for f in made if "passwd" in f and not f.startswith(homes)} == set()


FORMULAS = (
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\ufeff=1", "　=1", "＝1", "＋1",
    "－1", "＠x", "=cmd|'/C calc'!A0", "|x", "%0A=1",
)  # fmt: skip
HARMLESS = ("13800000000", "上海", "a=1", "1-2", "", "u_0", "it's")


def test_a_cell_of_an_export_is_no_formula(tmp_path: Path) -> None:
    """Also after a spreadsheet trimmed blanks, and with the wide signs of a Chinese keyboard."""
    file = tmp_path / "cells.csv"
    with duckdb.connect() as connection:
        connection.execute("create table t (n integer, cell varchar)")
        for number, text in enumerate((*FORMULAS, *HARMLESS)):
            insert(connection, "t", {"n": number, "cell": text})
        connection.execute(
            f"copy (select {_harmless('cell')} as cell from t order by n) to '{file}' (header)"
        )
    with file.open(newline="", encoding="utf-8") as stream:
        cells = [row["cell"] for row in csv.DictReader(stream)]
    assert cells == [f"'{text}" for text in FORMULAS] + list(HARMLESS)
