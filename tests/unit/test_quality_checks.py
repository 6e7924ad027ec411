"""Our own checks over a small candidate: each fault is seen by the check that is made for it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from candidate_cases import PUBLISHED, Built, make_built
from zhongtai import gate, quality
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.errors import ZhongtaiError
from zhongtai.quality import OWN_CHECKS, check_candidate, required_checks
from zhongtai.quality.results import Evidence, explain
from zhongtai.runs import Run
from zhongtai.settings import Settings
from zhongtai.warehouse import open_build


@pytest.fixture(scope="module")
def built(
    postgres_server: str, contracts: Contracts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("candidate")
    with make_built(postgres_server, contracts, folder, "zhongtai_quality_checks") as made:
        yield made


@pytest.fixture
def candidate(built: Built, tmp_path: Path) -> Settings:
    """A copy of the candidate, files and project, that a test may spoil; the ledger is shared."""
    shutil.copytree(built.settings.home, tmp_path / "home")
    shutil.copytree(built.settings.project_dir, tmp_path / "project")
    return built.settings.model_copy(
        update={"home": tmp_path / "home", "project_dir": tmp_path / "project"}
    )


@pytest.fixture
def run(built: Built) -> Run:
    return built.run


def troubles(
    settings: Settings, run: Run, change: str = "", change_ledger: str = ""
) -> dict[str, str]:
    """Our own checks that do not pass after the changes (taken back), with what they saw."""
    with connect(settings) as ledger, open_build(settings) as warehouse:
        warehouse.execute("begin")
        for statement in filter(None, change.split(";")):
            warehouse.execute(statement)
        for statement in filter(None, change_ledger.split(";")):
            ledger.execute(statement.encode())
        evidence = Evidence(settings, warehouse, ledger, run.run_id)
        results = [check.run(evidence) for check in OWN_CHECKS]
        warehouse.execute("rollback")
        ledger.rollback()
    return {r.expectation: f"{r.outcome}: {r.observed}" for r in results if r.outcome != "passed"}


def change(settings: Settings, statement: str) -> None:
    with open_build(settings) as build:
        build.execute(statement)


def test_a_sound_candidate_passes_every_check(candidate: Settings, run: Run) -> None:
    results = check_candidate(candidate, run)
    verdict = gate.decide(results, required_checks(candidate))
    assert verdict.passed, verdict.because
    assert verdict.warnings == ()
    assert verdict.checks == len(results) == len(OWN_CHECKS) + 1 + 2 * len(PUBLISHED)


def test_results_are_kept_and_shown_on_a_page_without_values(candidate: Settings, run: Run) -> None:
    change(
        candidate,
        "insert into metrics.metrics_tag_daily (tag_id, users) values ('打给+8613912345678', 0)",
    )
    results = check_candidate(candidate, run)
    with connect(candidate) as ledger:
        kept = ledger.execute(
            "select suite, expectation, outcome from ledger.gate_results where run_id = %s",
            [run.run_id],
        ).fetchall()
    assert {(r.suite, r.expectation, r.outcome) for r in results} == set(kept)
    page = quality.docs_page(candidate, run.run_id)
    text = page.read_text("utf-8")
    assert "metrics_have_no_personal_value" in text
    assert "metrics_tag_daily.tag_id: 1 like a mobile" in text
    assert text.index("personal_data") < text.index('<h2 id="balance"')
    assert (page.parent / "great_expectations" / "index.html").exists()
    everything = [f.read_bytes() for f in page.parent.rglob("*") if f.is_file()]
    assert not [content for content in everything if b"13912345678" in content]


def test_checking_again_gives_the_same_results(candidate: Settings, run: Run) -> None:
    assert check_candidate(candidate, run) == check_candidate(candidate, run)


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("delete from staging.stg_crm__leads where record_key = 'L1'",
         "every_loaded_key_is_in_staging"),
        ("drop table staging.stg_crm__leads", "every_loaded_key_is_in_staging"),
        ("delete from intermediate.int_leads where record_key = 'L1'", "every_lead_is_a_fact"),
        ("update metrics.metrics_lead_funnel_daily set leads_created = leads_created + 1",
         "every_lead_is_in_the_funnel"),
        ("insert into metrics.metrics_complaint_daily values (1)", "every_complaint_is_counted"),
        ("insert into metrics.metrics_nps_monthly values (1)",
         "every_valid_response_is_in_the_score"),
        ("insert into staging.stg_workforce__content_posts values ('P', date '2026-03-01', null)",
         "every_post_is_published_once"),
        ("insert into staging.stg_workforce__training_records values ('2026-03-01 08:00:00')",
         "every_assignment_that_fell_due_is_counted"),
        ("delete from metrics.meta_ledger", "meta_ledger_shows_every_delivery"),
        ("update metrics.meta_ledger set rows_in = 0", "meta_ledger_shows_every_row"),
        ("update meta.deliveries set rows_loaded = 7", "candidate_was_built_from_the_ledger"),
        ("update meta.deliveries set delivery_id = 'other'", "candidate_was_built_from_the_ledger"),
        ("insert into profiles.bridge_user_records values ('crm', 'leads', 'L1', 'u_2')",
         "no_record_has_two_persons"),
        ("insert into profiles.bridge_organisation_records values ('crm', 'leads', 'L1')",
         "no_record_has_two_persons"),
        ("delete from profiles.bridge_user_records where record_key = 'L2'",
         "every_person_record_is_bridged"),
        ("insert into staging.stg_app__events values ('d1'), ('d1')",
         "every_person_record_is_bridged"),
        ("insert into staging.stg_website__pages values ('v1')",
         "every_person_record_is_bridged"),
        ("update profiles.bridge_user_records set one_id = 'u_9' where record_key = 'L3'",
         "every_record_leads_to_a_user"),
        ("insert into profiles.dim_users values ('u_3')", "every_user_has_a_record"),
        ("delete from profiles.dim_user_tags where one_id = 'u_2'", "every_user_has_a_row_of_tags"),
        ("update metrics.metrics_tag_daily set users = 2", "tag_counts_are_the_tags_held"),
        ("alter table metrics.metrics_tag_daily add column vin varchar",
         "metrics_have_no_personal_column"),
        ("update metrics.metrics_tag_daily set tag_id = 'LSVAU2180N2183294'",
         "metrics_have_no_personal_value"),
        ("update metrics.metrics_tag_daily set tag_id = '证件 11010519900307123X'",
         "metrics_have_no_personal_value"),
        ("update metrics.meta_ledger set file = 'crm/leads/li.wei@example.com.csv'",
         "metrics_have_no_personal_value"),
        ("update metrics.meta_ledger set file = 'u_0123456789abcdef0123456789abcdef'",
         "metrics_have_no_personal_value"),
        ("insert into identity.record_map select 'crm', 'leads', 'M' || range, 'u_1'"
         " from range(1200); insert into intermediate.int_identity_records select source, entity,"
         " record_key, null, null from identity.record_map where record_key[1] = 'M'",
         "identity_is_within_its_limits"),
    ],
)  # fmt: skip
def test_a_fault_in_the_candidate_is_seen(built: Built, statement: str, check: str) -> None:
    found = troubles(built.settings, built.run, statement)
    assert check in found
    assert found[check].startswith("failed: ") or "drop table" in statement


def test_what_came_without_a_readable_time_is_missed_on_no_date(built: Built) -> None:
    statement = (
        "insert into staging.stg_crm__complaints values ('C1', null);"
        " update intermediate.int_leads set created_at = null where record_key = 'L3';"
        " update metrics.metrics_lead_funnel_daily set leads_test = 0"
    )
    # nobody made the person of C1 either
    assert troubles(built.settings, built.run, statement).keys() == {
        "every_person_record_is_bridged"
    }


@pytest.mark.parametrize(
    "text",
    [
        "13912345678901",
        "a1391234567890b",
        "2026-03-05T13912345678Z"[:14],
        "crm/leads/20260305_130000.csv",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "INTENT_10_VIEWS_AND_FINANCE",
        "ABCDEFGHJKLMNPRST",
    ],
)
def test_what_only_resembles_personal_data_is_left_alone(built: Built, text: str) -> None:
    statement = f"update metrics.meta_ledger set file = '{text}'"
    assert troubles(built.settings, built.run, statement) == {}


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("alter table ledger.deliveries drop constraint balance;"
         " update ledger.deliveries set rows_in = rows_in + 1", "every_delivery_balances"),
        ("update ledger.parts set rows = rows + 1", "every_part_has_its_rows"),
        ("update ledger.parts set part = part || '.gone'", "every_part_has_its_rows"),
        ("update ledger.deliveries set rows_loaded = 4, rows_quarantined = 0",
         "every_loaded_row_is_in_a_part"),
        ("delete from ledger.parts", "every_loaded_row_is_in_a_part"),
        ("update ledger.node_results set status = 'error'", "every_node_succeeded"),
        ("update ledger.node_results set status = 'skipped'", "every_node_succeeded"),
        ("delete from ledger.node_results", "every_node_succeeded"),
    ],
)  # fmt: skip
def test_a_fault_in_the_ledger_is_seen(built: Built, statement: str, check: str) -> None:
    found = troubles(built.settings, built.run, change_ledger=statement)
    assert found[check].startswith("failed: ")


def test_a_part_cut_short_is_seen(candidate: Settings, run: Run) -> None:
    part = next((candidate.home / "lake" / "raw").rglob("*.parquet"))
    pq.write_table(pq.read_table(part).slice(0, 2), part)
    found = troubles(candidate, run)
    assert "3 rows in the ledger, 2 in the file" in found["every_part_has_its_rows"]


def test_a_part_that_is_gone_is_told_with_its_delivery_and_what_to_do(
    candidate: Settings, run: Run
) -> None:
    part = next((candidate.home / "lake" / "raw").rglob("*.parquet"))
    part.unlink()
    found = troubles(candidate, run)
    for check in ("every_loaded_key_is_in_staging", "every_part_has_its_rows"):
        assert found[check].startswith("failed: "), found[check]
        assert f"raw/crm/leads/{part.name} of crm/leads/" in found[check]
        assert "from a backup" in found[check]
    assert not [told for told in found.values() if str(candidate.home) in told]


def test_a_part_that_cannot_be_read_is_told_from_one_that_is_gone(
    candidate: Settings, run: Run
) -> None:
    part = next((candidate.home / "lake" / "raw").rglob("*.parquet"))
    part.write_bytes(b"PAR1 and then nothing")
    found = troubles(candidate, run)
    for check in ("every_loaded_key_is_in_staging", "every_part_has_its_rows"):
        assert found[check].startswith("failed: "), found[check]
        assert f"raw/crm/leads/{part.name} of crm/leads/" in found[check]
        assert "cannot be read" in found[check]
    assert not [told for told in found.values() if str(candidate.home) in told]


def test_quarantined_rows_that_were_not_kept_are_seen(candidate: Settings, run: Run) -> None:
    kept = next((candidate.home / "quarantine").rglob("*.parquet"))
    kept.unlink()
    found = troubles(candidate, run)
    assert "1 rows in the ledger, 0 kept" in found["every_quarantined_row_is_kept"]


def test_a_check_that_raises_is_a_result_and_the_others_still_run(
    built: Built,
) -> None:
    found = troubles(built.settings, built.run, "drop table metrics.metrics_complaint_daily")
    assert found["every_complaint_is_counted"].startswith("raised: CatalogException")
    assert found["measures_are_near_the_last_snapshot"].startswith("raised: ")
    assert "every_lead_is_in_the_funnel" not in found


def test_a_table_without_a_suite_and_a_suite_without_expectations_block(
    candidate: Settings, run: Run
) -> None:
    change(candidate, "create table metrics.metrics_news (n bigint)")
    folder = candidate.project_dir / "expectations" / "published"
    (folder / "dim_users.yml").write_text("table: profiles.dim_users\nexpectations: []\n")
    (folder / "dim_user_tags.yml").unlink()
    (folder / "dim_gone.yml").write_text(
        "table: metrics.dim_gone\nexpectations:\n  - name: a\n    where: 1 = 0\n"
        "    severity: info\n    because: it can be read\n"
    )
    verdict = gate.decide(check_candidate(candidate, run), required_checks(candidate))
    assert {(b.expectation, b.outcome) for b in verdict.blocking} == {
        ("every_table_is_of_this_run", "failed"),
        ("metrics.metrics_news", "missing"),
        ("profiles.dim_users", "missing"),
        ("profiles.dim_user_tags", "missing"),
        ("metrics.dim_gone", "missing"),
        ("a", "missing"),
    }


_BEFORE = {"records.crm.leads": 5000, "rule.mobile.max_holders": 3, "metrics.leads_valid": 9}


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (0, set()),
        (9, {"measures_are_near_the_last_snapshot"}),
        (10, {"measures_are_within_their_bands"}),
    ],
)
def test_bands_hold_from_ten_snapshots_on_and_jumps_only_warn(
    built: Built, times: int, expected: set[str]
) -> None:
    folder = built.settings.path("identity", f"s{times - 1}")
    folder.mkdir(parents=True, exist_ok=True)
    published = ""
    with open_build(built.settings, read_only=True) as warehouse:
        file = str(folder / "record_map.parquet")
        warehouse.table("identity.record_map").write_parquet(file)
    for n in range(times):
        published += (
            f"insert into ledger.runs (run_id, command, as_of) values ('r{n}', 'test', now());"
            "insert into ledger.snapshots (snapshot_id, run_id, state, as_of, input_fingerprint,"
            f" published_at) values ('s{n}', 'r{n}', 'superseded', now(), 'f', clock_timestamp());"
        ) + "".join(
            f"insert into ledger.gate_measures values ('r{n}', '{name}', {value});"
            for name, value in _BEFORE.items()
        )
    found = troubles(built.settings, built.run, change_ledger=published)
    assert set(found) == expected
    for told in (found[name] for name in expected & {"measures_are_within_their_bands"}):
        assert "records.crm.leads 200, expected 3333 to" in told
        assert "changed settings of identifiers: mobile.max_holders" in told
    severities = {own.check.expectation: own.check.severity for own in OWN_CHECKS}
    assert severities["measures_are_near_the_last_snapshot"] == "warning"
    assert severities["measures_are_within_their_bands"] == "critical"


@pytest.mark.parametrize(
    ("before", "churned", "share"),
    [("'u_' || range % 9", 0, 0), ("'u_gone'", 0, 0), ("'u_other'", 200, 0.4)],
)
def test_records_that_moved_without_a_merge_are_measured(
    built: Built, tmp_path: Path, before: str, churned: int, share: float
) -> None:
    settings = built.settings.model_copy(update={"home": tmp_path})
    folder = settings.path("identity", "s1")
    folder.mkdir(parents=True)
    duckdb.sql(
        "select 'crm' as source, 'leads' as entity, 'L' || range as record_key,"
        f" {before} as one_id from range(200)"
    ).write_parquet(str(folder / "record_map.parquet"))
    with connect(built.settings) as ledger, open_build(built.settings) as warehouse:
        warehouse.execute("begin")
        warehouse.execute(
            "insert into identity.changes values (?, 'merge', 'u_1', 'u_gone', 200)",
            [built.run.run_id],
        )
        if "gone" in before:
            warehouse.execute("update identity.record_map set one_id = 'u_1'")
        ledger.execute("insert into ledger.runs (run_id, command, as_of) values ('r', '', now())")
        ledger.execute(
            "insert into ledger.snapshots (snapshot_id, run_id, state, as_of, input_fingerprint)"
            " values ('s1', 'r', 'published', now(), 'f')"
        )
        evidence = Evidence(settings, warehouse, ledger, built.run.run_id)
        found = evidence.drift.measures
        assert found["identity.churned_records"] == churned
        assert found["identity.rebound_share"] == share
        warehouse.execute("rollback")
        ledger.rollback()


def test_measures_of_a_candidate_are_kept_for_the_next(candidate: Settings, run: Run) -> None:
    check_candidate(candidate, run)
    with connect(candidate) as ledger:
        kept = dict(
            ledger.execute(
                "select measure, value from ledger.gate_measures where run_id = %s", [run.run_id]
            ).fetchall()
        )
    assert kept["identity.persons"] == 9
    assert kept["identity.largest_person_records"] == 23
    assert kept["records.crm.leads"] == 200
    assert kept["delivered.crm.leads"] == 4
    assert kept["rule.mobile.max_holders"] == 5
    assert kept["metrics.leads_created"] == 2


def test_an_error_is_told_without_what_could_be_somebodys() -> None:
    message = "Could not convert string '13912345678' to INT64, nor 11010519900307123X\nLINE 1: x"
    told = explain(duckdb.ConversionException(message))
    assert told == "ConversionException: Could not convert string '…' to INT64, nor …"


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            'IO Error: No files found that match the pattern "/srv/家/lake zone/x.parquet"',
            'IO Error: No files found that match the pattern "…/x.parquet"',
        ),
        ("cannot open /srv/zone/lake/x.parquet: gone", "cannot open …/x.parquet: gone"),
        ("cannot open s3://bucket/lake/x.parquet", "cannot open …/x.parquet"),
        ("1/0 and crm/leads are left alone", "1/0 and crm/leads are left alone"),
        (
            '(_duckdb.BinderException) Binder Error: column "nowhere" not found\n\nLINE 3: where'
            " nowhere = 1\n   ^\n[SQL: select 1]\n(Background on this error at: https://x.y/z)",
            'Binder Error: column "nowhere" not found',
        ),
    ],
)
def test_an_error_is_told_without_query_and_machine(message: str, told: str) -> None:
    assert explain(message) == told


def test_an_error_of_ours_keeps_what_to_do() -> None:
    error = ZhongtaiError("the map is gone", hint="put it back")
    assert explain(error) == "the map is gone; what to do: put it back"
