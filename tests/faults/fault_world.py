"""A small customer data platform for trials: all of the product but dbt and Great Expectations.

Files are landed, judged, recorded, staged by unseen part, sealed, judged by the gate and published
in every store by the product's own code. In place of the models stand a few statements that make
staging, persons and metrics of what was loaded, so that a row that is lost or doubled anywhere
shows in what is published.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import duckdb
from erasure_cases import PERSONS, deliver, one_id, profiles

from zhongtai import identity, quality, restatements, tags, transform
from zhongtai.contracts import load_contracts
from zhongtai.identity import state
from zhongtai.publish import postgres_leaves
from zhongtai.quality.results import Check, CheckResult
from zhongtai.runs import Run
from zhongtai.settings import Settings, load_settings
from zhongtai.transform import NodeResult, TransformReport
from zhongtai.warehouse import list_unstaged, open_build, record_staged

from landing_cases import PROJECT, Landing

ENTITIES = (
    "app__events",
    "crm__contacts",
    "crm__leads",
    "crm__follow_ups",
    "crm__erasure_requests",
)
# What erasure reads of staging, as its models spell it.
_CLEANED = {
    "crm__erasure_requests": ', "申请ID" as record_key, "标识类型" as identifier_type,'
    ' "标识值" as identifier_value, "申请时间"::timestamp as requested_at, "类型" as request_kind'
}
CHECK = Check("gate", "leads_are_counted", "critical", "the funnel would be wrong")
_SEEDS = ("null_words.csv", "placeholder_mobiles.csv")


def make_project(target: Path) -> Path:
    """A project folder with a handful of the repository's contracts and no model."""
    for folder in (
        "dbt_project/models",
        "expectations/raw",
        "expectations/published",
        "seeds",
    ):
        (target / folder).mkdir(parents=True)
    for entity in ENTITIES:
        shutil.copy(PROJECT / "expectations" / "raw" / f"{entity}.yml", target / "expectations/raw")
    for seed in _SEEDS:
        shutil.copy(PROJECT / "seeds" / seed, target / "seeds")
    shutil.copy(PROJECT / "dbt_project/dbt_project.yml", target / "dbt_project")
    return target


def settings_of(home: str, url: str, project: str) -> Settings:
    """One thread, so that a point is passed in the same order each time."""
    return load_settings(
        home=home,
        database_url=url,
        project_dir=project,
        stable_seconds=0,
        threads=1,
        memory_limit="400MB",
        archive=True,
        keep_snapshots=2,
    )


def deliver_first(settings: Settings) -> None:
    """Clean and dirty files of three persons, one of them quarantined whole."""
    deliver(_landing(settings))


def deliver_more(settings: Settings, number: int) -> None:
    """A later delivery: new rows, rows that change, the same bytes again, and a broken file."""
    landing = _landing(settings)
    later = f"2026-03-{5 + number:02d}T12:00:00+08:00"
    leads = [_lead(f"LEAD-{number}-{i}") for i in range(5)]
    again = landing.deliver("crm.leads", leads, f"more-{number}.csv", exported_at=later)
    copy = again.read_bytes()
    landing.deliver("crm.leads", copy, f"same-{number}.csv", exported_at=later)
    events = [_event(number * 100 + i) for i in range(7)] + [_event(number * 100)]
    landing.deliver("app.events", events, f"more-{number}.jsonl")
    landing.deliver("crm.follow_ups", b"x,y\n1,2\n", f"broken-{number}.csv", exported_at=later)
    soon = {"跟进ID": f"F-{number}", "线索唯一ID": f"LEAD-{number}-0", "跟进时间": "soon"}
    fine = {**soon, "跟进ID": f"G-{number}", "跟进时间": "2026-03-02 10:00:00"}
    landing.deliver("crm.follow_ups", [soon, fine], f"more-{number}.csv", exported_at=later)


def _landing(settings: Settings) -> Landing:
    return Landing(Path(settings.landing_url), load_contracts(settings.project_dir))


def _lead(key: str) -> dict[str, object]:
    return {
        "线索唯一ID": key,
        "手机号": "13644440000",
        "线索创建时间": "2026-03-01 10:00:00",
        "更新时间": "2026-03-02 10:00:00",
    }


def _event(number: int) -> dict[str, object]:
    return {
        "type": "track",
        "event": "ViewSeries",
        "distinct_id": f"somebody-{number}",
        "time": 1_770_000_000_000 + number,
        "_track_id": number,
        "_flush_time": 1_770_000_001_000,
        "properties": {"series_code": "S1"},
    }


@contextmanager
def stand_ins(*, with_models: bool = False) -> Iterator[None]:
    """Let the pipeline run without what this world lacks.

    Statements of this module stand in place of models and of the resolution of persons, unless
    `with_models`: then dbt and the resolution are the real ones. Tags and suites are left out.
    """
    with ExitStack() as stack:
        if not with_models:
            stack.enter_context(mock.patch.object(transform, "run_dbt", _run_step))
            stack.enter_context(mock.patch.object(identity, "resolve", _resolve))
            stack.enter_context(mock.patch.object(state, "trace_queries", return_value={}))
            stack.enter_context(mock.patch.object(state, "load_declaration"))
        stack.enter_context(mock.patch.object(restatements, "record", return_value=0))
        # some tables of persons have leaves, as they have where there are many
        stack.enter_context(mock.patch.object(postgres_leaves, "ROWS_TO_SPLIT", 3))
        for name in ("prepare_increment", "record_costs", "keep_increment"):
            stack.enter_context(mock.patch.object(tags, name))
        stack.enter_context(mock.patch.object(quality, "check_candidate", _check))
        stack.enter_context(mock.patch.object(quality, "required_checks", return_value=[CHECK]))
        yield


def _check(settings: Settings, run: Run) -> list[CheckResult]:
    from zhongtai.database import connect

    found = [CheckResult(CHECK.suite, CHECK.expectation, "critical", "passed", "0 rows", "why")]
    quality._fresh_folder(settings, run.run_id)
    with connect(settings) as ledger:
        quality._record_results(ledger, run.run_id, found)
    return found


def _run_step(settings: Settings, run: Run, selector: str) -> TransformReport:
    made: Mapping[str, object] = {
        "staging": _build_staging,
        "profiles": _build_profiles,
        "metrics": _build_metrics,
    }
    build = made.get(selector)
    nodes = build(settings) if callable(build) else []
    results = tuple(
        NodeResult(f"model.zhongtai.{n}", "model", "success", 0.0, 0, None) for n in nodes
    )
    report = TransformReport(selector, 0.0, results)
    transform._record(settings, run, report)
    if selector == "staging":
        record_staged(settings, [node.removeprefix("stg_") for node in nodes])
    return report


def _build_staging(settings: Settings) -> list[str]:
    """Incremental by unseen part, the newest row of a key wins: as the staging models do it."""
    tables = list_unstaged(settings)
    with open_build(settings) as build:
        for table in tables:
            newest = (
                f"select * exclude (_as_of){_CLEANED.get(table, '')} from raw.{table}"
                " qualify row_number() over"
                " (partition by _key_hash order by _delivery_order desc, _row_number desc) = 1"
            )
            build.execute("begin")
            build.execute(f"create table if not exists staging.stg_{table} as {newest} limit 0")
            build.execute(f"create or replace temp table fresh as {newest}")
            build.execute(
                f"delete from staging.stg_{table} where _key_hash in (select _key_hash from fresh)"
            )
            build.execute(f"insert into staging.stg_{table} from fresh")
            build.execute("commit")
    return [f"stg_{table}" for table in tables]


def _known(build: duckdb.DuckDBPyConnection) -> list[str]:
    """The persons of whom a contact is staged."""
    found = {
        row[0] for row in build.execute('select "客户ID" from staging.stg_crm__contacts').fetchall()
    }
    return sorted(name for name, own in PERSONS.items() if own["crm_customer_id"] in found)


def _build_profiles(settings: Settings) -> list[str]:
    with open_build(settings) as build:
        ids = [one_id(name) for name in _known(build)]
        build.execute("begin")
        build.execute("create schema if not exists profiles")
        for name, query in profiles().items():
            build.execute(f"create or replace table profiles.{name} as {query}")
            if name == "dim_users":
                build.execute(f"alter table profiles.{name} add column birth_date date")
            columns = {row[0] for row in build.execute(f"describe profiles.{name}").fetchall()}
            for column in columns & {"one_id", "related_one_id"}:
                build.execute(
                    f"delete from profiles.{name} where not list_contains(?, {column})", [ids]
                )
            build.execute(f"comment on table profiles.{name} is 'about {name}'")
        build.execute("commit")
    return list(profiles())


def _resolve(settings: Settings, _: Run) -> str:
    """A map by hand, kept in the tables that a publish keeps for good."""
    with open_build(settings) as build:
        build.execute("begin")
        build.execute("create schema if not exists identity")
        for stem, columns in state._STATE.items():
            build.execute(f"create or replace table identity.{stem} ({columns})")
        build.execute("create or replace table identity.review_pairs (source varchar)")
        for name in _known(build):
            row = ("crm", "contacts", PERSONS[name]["crm_customer_id"], one_id(name))
            build.execute("insert into identity.record_map values (?, ?, ?, ?, null)", row)
            build.execute(
                "insert into identity.changes values"
                " (timestamp '2026-03-01', 'new', ?, null, 1, 'r', '')",
                [one_id(name)],
            )
        build.execute(
            "create or replace table identity.version as select"
            " md5(coalesce(string_agg(one_id, ' ' order by one_id), '')) as identity_version"
            " from identity.record_map"
        )
        build.execute("commit")
    return "by hand"


def _build_metrics(settings: Settings) -> list[str]:
    """What was loaded, row by row, and what the ledger says of it."""
    rows = " union all ".join(
        f"select '{table}' as entity, md5(concat_ws('|', _key_hash, _delivery_id, _row_number)) as"
        f" row_key, count(*) as leads_created from staging.stg_{table} group by all"
        for table in ENTITIES
    )
    queries = {
        "metrics_rows_daily": f"select date '2026-03-01' as date, * from ({rows})",
        "dim_series": "select * from (values ('S1', '星 SUV'), ('S2', '')) t(series_code, name)",
        "meta_ledger": "select source, entity, file, sha256, status, rows_in, rows_loaded,"
        " rows_quarantined, rows_duplicate, rows_suppressed from meta.deliveries",
        "meta_snapshots": "select snapshot_id, as_of from meta.next_snapshot",
    }
    with open_build(settings) as build:
        build.execute("begin")
        build.execute("create schema if not exists metrics")
        for name, query in queries.items():
            build.execute(f"create or replace table metrics.{name} as {query}")
            build.execute(f"comment on table metrics.{name} is 'about {name}'")
        build.execute("commit")
    return list(queries)
