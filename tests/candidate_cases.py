"""A small candidate that passes every check of ours: leads ingested for real, tables by hand."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.ingest import drain
from zhongtai.quality.reconciliation import PERSON_RECORDS
from zhongtai.runs import Run, start_run
from zhongtai.settings import Settings, load_settings
from zhongtai.warehouse import open_build, prepare

from landing_cases import PROJECT, Landing

TEMPLATE = "/zhongtai_template"


@dataclass(frozen=True)
class Built:
    """A candidate on disk and the run that built it; the tests change it and take it back."""

    settings: Settings
    run: Run


@contextmanager
def make_built(
    postgres_server: str, contracts: Contracts, folder: Path, database: str
) -> Iterator[Built]:
    """Three leads of two persons, ingested for real; the tables above staging made by hand."""
    assert TEMPLATE in postgres_server
    server = postgres_server.replace(TEMPLATE, "/postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {database} template {TEMPLATE[1:]}".encode())
    settings = load_settings(
        home=folder / "home",
        database_url=postgres_server.replace(TEMPLATE, f"/{database}"),
        stable_seconds=0,
        threads=1,
        memory_limit="1GB",
    )
    with connect(settings) as ledger:
        run = start_run(ledger, "test")
    times = {"线索创建时间": "2026-03-01 10:00:00", "更新时间": "2026-03-02 10:00:00"}
    leads = [{"线索唯一ID": name, **times} for name in ("L1", "L2", "L3", "")]
    Landing(Path(settings.landing_url), contracts).deliver("crm.leads", leads)
    drain(settings, contracts, run)
    prepare(settings, contracts, run)
    with open_build(settings) as build:
        for statement in _TABLES:
            build.execute(statement)
    write_manifest(settings)
    record_nodes(settings, run)
    yield Built(settings.model_copy(update={"project_dir": small_project(folder)}), run)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {database} with (force)".encode())


def write_manifest(settings: Settings) -> None:
    """What dbt would have left: a model for each table, and a test of one."""
    models = {
        f"model.zhongtai.{name}": {"resource_type": "model", "config": {"materialized": "table"}}
        for name in TABLES
    }
    test = {"resource_type": "test", "depends_on": {"nodes": ["model.zhongtai.dim_users"]}}
    file = settings.path("dbt", "target", "manifest.json")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"nodes": {**models, TEST_NODE: test}}))


def record_nodes(settings: Settings, run: Run) -> None:
    """Record that dbt made every table in this run."""
    nodes = [(f"model.zhongtai.{name}", "model", "success") for name in TABLES]
    with connect(settings) as ledger, ledger.cursor() as cursor:
        cursor.executemany(
            "insert into ledger.node_results (run_id, node, resource_type, status, seconds)"
            " values (%s, %s, %s, %s, 0.1)",
            [(run.run_id, *node) for node in (*nodes, (TEST_NODE, "test", "pass"))],
        )


def small_project(tmp_path: Path) -> Path:
    """The repository's contracts and limits, with a suite for each table of the candidate."""
    folder = tmp_path / "project" / "expectations"
    shutil.copytree(PROJECT / "expectations" / "raw", folder / "raw")
    shutil.copy(PROJECT / "expectations" / "drift.yml", folder)
    (folder / "published").mkdir()
    for schema, table in [t.split(" (")[0].split(".") for t in PUBLISHED]:
        (folder / "published" / f"{table}.yml").write_text(
            f"table: {schema}.{table}\nexpectations:\n  - name: columns_are_there\n"
            "    where: 1 = 0\n    severity: critical\n    because: it can be read\n"
        )
    return tmp_path / "project"


PUBLISHED = (
    "metrics.meta_ledger (delivery_id varchar, rows_in bigint, rows_loaded bigint, file varchar)",
    "metrics.metrics_lead_funnel_daily (region varchar, leads_created bigint, leads_test bigint,"
    " leads_valid bigint)",
    "metrics.metrics_complaint_daily (accepted bigint)",
    "metrics.metrics_nps_monthly (nps_den bigint)",
    "metrics.metrics_content_daily (content_posts bigint)",
    "metrics.metrics_training_monthly (training_completion_den bigint)",
    "metrics.dim_dates (date date, share double)",
    "metrics.metrics_tag_daily (date date, tag_id varchar, tag_version varchar, users bigint,"
    " coverage double, coverage_den bigint, stability_index double, churn double,"
    " churn_den bigint)",
    "profiles.dim_users (one_id varchar)",
    "profiles.dim_user_tags (one_id varchar)",
    "profiles.fct_user_tags (one_id varchar, tag_id varchar, valid_to timestamp)",
    "profiles.bridge_user_records (source varchar, entity varchar, record_key varchar,"
    " one_id varchar)",
    "profiles.bridge_organisation_records (source varchar, entity varchar, record_key varchar)",
    "profiles.bridge_user_identifiers (identifier_value varchar, one_id varchar,"
    " is_shared boolean)",
)
TABLES = [table.split(" (")[0].split(".")[1] for table in PUBLISHED]
TEST_NODE = "test.zhongtai.unique_dim_users_one_id"
_TABLES = (
    *(
        f"create schema {schema}"
        for schema in ("metrics", "profiles", "intermediate", "identity", "seeds")
    ),
    *(
        f"create table staging.stg_{name.replace('.', '__')} ({key} varchar)"
        for name, key in PERSON_RECORDS.items()
    ),
    *(f"create table {table}" for table in PUBLISHED),
    "alter table staging.stg_crm__surveys add column submitted_at timestamp",
    "alter table staging.stg_crm__surveys add column recommend_score bigint",
    "create table staging.stg_workforce__content_posts (post_id varchar, stat_on date,"
    " posted_at timestamp)",
    "create table staging.stg_workforce__training_records (due_at timestamp)",
    "create table staging.stg_website__pages (visitor_id varchar)",
    "create table staging.stg_website__custom_events (visitor_id varchar)",
    "insert into staging.stg_crm__leads values ('L1'), ('L2'), ('L3')",
    "create table intermediate.int_leads as select record_key,"
    " timestamp '2026-03-01 02:00:00' as created_at from staging.stg_crm__leads",
    "alter table staging.stg_crm__complaints add column accepted_at timestamp",
    "create table identity.changes (run_id varchar, change varchar, one_id varchar,"
    " previous_one_id varchar, record_count bigint)",
    "create table identity.refused_links (reason varchar)",
    "create table identity.shared_values (identifier_type varchar, identifier_scope varchar,"
    " identifier_value varchar, sharing varchar)",
    "create table seeds.holidays (date date)",
    "create table seeds.identifiers (identifier_type varchar, max_holders integer,"
    " because varchar)",
    "insert into seeds.identifiers values ('mobile', 5, 'held by one person')",
    "create table identity.record_map (source varchar, entity varchar, record_key varchar,"
    " one_id varchar)",
    "insert into identity.record_map select 'crm', 'leads', 'L' || range, 'u_' || range % 9"
    " from range(200)",
    "create table intermediate.int_identity_records as select source, entity, record_key,"
    " timestamp '2026-03-01 08:00:00' as first_seen_at,"
    " timestamp '2026-03-01 08:00:00' as last_seen_at from identity.record_map",
    "create table intermediate.int_identity_evidence as select source, entity, record_key,"
    " 'mobile' as identifier_type, '' as identifier_scope, '+861391234' ||"
    " substr(one_id, 3).lpad(4, '0') as identifier_value, first_seen_at, last_seen_at,"
    " true as is_edge from intermediate.int_identity_records"
    " join identity.record_map using (source, entity, record_key)",
    "insert into metrics.meta_ledger select delivery_id, rows_in, rows_loaded, file"
    " from meta.deliveries",
    "insert into metrics.metrics_lead_funnel_daily values ('华东', 2, 0, 2), ('华北', 0, 1, 0)",
    "insert into metrics.dim_dates select date '2026-01-01' + range::integer, range / 7"
    " from range(60)",
    "insert into profiles.dim_users values ('u_1'), ('u_2')",
    "insert into profiles.dim_user_tags from profiles.dim_users",
    "insert into profiles.fct_user_tags values ('u_1', 'repeat_lead', null)",
    "insert into metrics.metrics_tag_daily (date, tag_id, users)"
    " values (date '2026-03-31', 'repeat_lead', 1)",
    "insert into profiles.bridge_user_records values ('crm', 'leads', 'L1', 'u_1'),"
    " ('crm', 'leads', 'L2', 'u_1'), ('crm', 'leads', 'L3', 'u_2')",
    "insert into profiles.bridge_user_identifiers values ('+8613912345678', 'u_1', false)",
)  # fmt: skip
