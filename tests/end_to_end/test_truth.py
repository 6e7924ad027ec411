"""One command turns a dirty delivery into exactly what the generator knows to be true."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from truth_cases import (
    Home,
    World,
    content_hashes,
    content_of,
    deliver,
    differences,
    dump_postgres,
    dump_relations,
    generate_world,
    hashed,
    rows,
    split_delivery,
    tables_of,
    tell_differences,
    temporary_home,
)

from byte_scan import occurring
from zhongtai import pipeline
from zhongtai.cli.server import server_on_demand
from zhongtai.generate.exports import HOLIDAYS
from zhongtai.generate.truth_field import field_truth
from zhongtai.generate.truth_metrics import metric_truth
from zhongtai.generate.truth_users import users_truth
from zhongtai.settings import load_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SHARED_METRICS = (
    "metrics_lead_funnel_daily",
    "metrics_response_daily",
    "metrics_complaint_daily",
    "metrics_nps_monthly",
    "metrics_content_daily",
    "metrics_training_monthly",
    "metrics_commission_monthly",
    "metrics_referral_member_monthly",
    "metrics_behaviour_rule_weekly",
    "metrics_campaign_daily",
    "metrics_bonus_pool_monthly",
    "metrics_assessment_monthly",
)
# who did nothing is assessed too, from the first month that anybody is spoken of
TOLD = {
    "metrics_assessment_monthly": "deals + nps_den + content_posts + training_completion_den > 0"
    " or peer_score is not null"
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return generate_world(tmp_path_factory.mktemp("truth") / "world", people=300, days=12, seed=11)


@pytest.fixture(scope="module")
def home(world: World) -> Iterator[Home]:
    """A home that took the whole delivery in one run. Tests leave its snapshot as it is."""
    with temporary_home() as found:
        done = found.run_all(world.landing, world.as_of)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1].startswith("published snapshot ")
        yield found


def test_all_stores_show_the_snapshot_that_the_run_published(home: Home) -> None:
    (snapshot,) = home.snapshots()
    with home.postgres() as connection:
        for table in ("metrics.dim_dealers", "profiles.dim_users"):
            seen = connection.execute(f"select distinct snapshot_id from {table}").fetchall()
            assert seen == [(snapshot,)]
    with home.open() as connection:
        assert rows(connection, "select distinct snapshot_id from profiles.dim_users") == [
            (snapshot,)
        ]


def test_the_snapshot_lists_itself(home: Home) -> None:
    (snapshot,) = home.snapshots()
    with home.open() as connection:
        assert rows(
            connection,
            "select snapshot_id, state, rows_loaded, users from metrics.meta_snapshots",
        ) == rows(
            connection,
            f"select '{snapshot}', 'published', (select sum(rows_loaded) from metrics.meta_ledger),"
            " (select count(*) from profiles.dim_users)",
        )


# --- ledger ----------------------------------------------------------------------------------


def test_every_complete_file_and_no_other_is_in_the_ledger(world: World, home: Home) -> None:
    with home.open() as connection:
        assert not differences(
            connection,
            "select source, entity, file, sha256, status from"
            f" {world.truth('ledger')} where status <> 'not_complete'",
            "select source, entity, file, sha256, status from metrics.meta_ledger",
        )
        seen = {
            row[0] for row in rows(connection, "select distinct status from metrics.meta_ledger")
        }
    assert {"loaded", "duplicate", "quarantined"} <= seen


def test_every_row_ended_where_the_truth_says(world: World, home: Home) -> None:
    """Spoilt files cannot be counted."""
    with home.open() as connection:
        wrong = rows(
            connection,
            "select t.file, t.rows_in, l.rows_in, t.rows_loaded, l.rows_loaded, t.rows_quarantined,"
            " l.rows_quarantined, t.rows_duplicate, l.rows_duplicate"
            f" from {world.truth('ledger')} t join metrics.meta_ledger l using (file)"
            " where t.rows_in is not null and not (l.rows_in = t.rows_in"
            " and l.rows_loaded = t.rows_loaded and l.rows_quarantined = t.rows_quarantined"
            " and l.rows_duplicate = t.rows_duplicate and l.rows_suppressed = 0)",
        )
        compared = rows(
            connection,
            f"select count(*) from {world.truth('ledger')} join metrics.meta_ledger l using (file)"
            " where l.rows_in > 0",
        )
    assert not wrong
    assert compared[0][0] > 100


def test_every_delivery_balances_and_its_quarantined_rows_have_reasons(home: Home) -> None:
    with home.open() as connection:
        assert not rows(
            connection,
            "select file from metrics.meta_ledger where rows_in is distinct from"
            " rows_loaded + rows_quarantined + rows_duplicate + rows_suppressed",
        )
        assert not rows(
            connection,
            "select file from metrics.meta_ledger where status in ('duplicate', 'quarantined')"
            " and coalesce(reason, '') = ''",
        )


# --- persons ---------------------------------------------------------------------------------


def test_persons_are_told_apart_and_whole_where_the_evidence_suffices(
    world: World, home: Home
) -> None:
    """Pairwise precision and recall, and no person who swallows others."""
    with home.open() as connection:
        (counts,) = rows(
            connection,
            "with found as (select person_id, one_id from"
            f" {world.truth('identity_classes')} join profiles.bridge_user_records"
            " using (source, entity, record_key) where evidence_suffices),"
            " pairs as (select count(*) as n, 'both' as same from found group by person_id, one_id"
            " union all select count(*), 'one_id' from found group by one_id"
            " union all select count(*), 'person' from found group by person_id)"
            " select sum(n * (n - 1) / 2) filter (same = 'both')::double,"
            " sum(n * (n - 1) / 2) filter (same = 'one_id')::double,"
            " sum(n * (n - 1) / 2) filter (same = 'person')::double,"
            " max(n) filter (same = 'one_id')::double, max(n) filter (same = 'person')::double"
            " from pairs",
        )
        refused = rows(connection, "select count(*) from profiles.fct_refused_links")
    right, found, true, largest, largest_true = (float(str(count)) for count in counts)
    assert true > 500, "the world has records to link"
    assert right / found >= 0.998
    assert right / true >= 0.98
    assert largest <= 2 * largest_true
    assert int(str(refused[0][0])) > 0, "the world has links to refuse"


def test_nobody_is_linked_by_what_is_not_his_alone(world: World, home: Home) -> None:
    """Cars, numbers of shops and kiosks, and names."""
    side = "b.source = r.{0}source and b.entity = r.{0}entity and b.record_key = r.{0}record_key"
    with home.open() as connection:
        compared = rows(
            connection,
            "select r.kind, count(*), count(*) filter (one.one_id = other.one_id)"
            f" from {world.truth('refused_pairs')} r"
            f" join profiles.bridge_user_records one on {side.format('').replace('b.', 'one.')}"
            " join profiles.bridge_user_records other on"
            f" {side.format('other_').replace('b.', 'other.')}"
            " where r.kind in ('handover', 'sender', 'hub', 'namesake')"
            " group by r.kind order by r.kind",
        )
    assert len(compared) == 4
    assert [(kind, joined) for kind, _, joined in compared if joined] == []


def test_every_person_record_is_in_the_bridge_and_organisations_in_theirs(
    world: World, home: Home
) -> None:
    keys = "select source, entity, record_key from"
    with home.open() as connection:
        assert not differences(
            connection,
            f"{keys} {world.truth('records')} where organisation_id is null",
            f"{keys} profiles.bridge_user_records",
        )
        assert not differences(
            connection,
            f"{keys} {world.truth('records')} where organisation_id is not null",
            f"{keys} profiles.bridge_organisation_records",
        )


def test_records_of_a_company_are_one_organisation(world: World, home: Home) -> None:
    with home.open() as connection:
        groups = rows(
            connection,
            "select count(distinct t.organisation_id), count(distinct b.organisation_id),"
            " count(distinct (t.organisation_id, b.organisation_id))"
            f" from {world.truth('records')} t join profiles.bridge_organisation_records b"
            " using (source, entity, record_key)",
        )
    true, found, pairs = groups[0]
    assert true == found == pairs > 0


# --- metrics ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def true_metrics(world: World, home: Home) -> dict[str, pa.Table]:
    """The truth of the metrics, given the persons that were found: who they are is tested above."""
    with home.open() as connection:
        partition = connection.execute(
            "select b.source, b.entity, b.record_key, b.one_id as component, u.is_staff,"
            " cast(null as varchar) as organisation_id"
            " from profiles.bridge_user_records b join profiles.dim_users u using (one_id)"
            " union all select source, entity, record_key, null, false, organisation_id"
            " from profiles.bridge_organisation_records"
        ).to_arrow_table()
    as_of = datetime.fromisoformat(world.as_of)
    return metric_truth(world.folder / "truth", as_of, HOLIDAYS, partition)


@pytest.mark.parametrize("table", SHARED_METRICS)
def test_metrics_are_the_true_ones_cell_for_cell(
    true_metrics: dict[str, pa.Table], home: Home, table: str
) -> None:
    """Keys, counts, numerators and denominators; an unknown key is empty text or null alike."""
    truth = "wanted"
    with home.open() as connection:
        connection.register(truth, true_metrics[table])
        columns = rows(connection, f"select column_name, column_type from (describe from {truth})")
        shown = ", ".join(
            f'coalesce("{name}", \'\') as "{name}"' if kind == "VARCHAR" else f'"{name}"'
            for name, kind in columns
        )
        assert rows(connection, f"select count(*) from {truth}")[0][0] > 5
        assert not differences(
            connection,
            f"select {shown} from {truth}",
            f"select {shown} from metrics.{table} where {TOLD.get(table, 'true')}",
        )


# of the task force only the meetings are told
FIELD_METRICS = {
    "metrics_sales_daily": "true",
    "metrics_quality_issue_daily": "true",
    "metrics_fleet_software_daily": "true",
    "metrics_region_weekly": "actions > 0",
}


@pytest.mark.parametrize("table", FIELD_METRICS)
def test_what_happens_around_cars_is_told_as_it_was(world: World, home: Home, table: str) -> None:
    as_of = datetime.fromisoformat(world.as_of).astimezone(UTC).replace(tzinfo=None)
    with home.open() as connection:
        for path in (world.folder / "truth" / "clean").glob("*.parquet"):
            name = f"clean_{path.stem.split('__')[1]}"
            connection.execute(f"create or replace temp view {name} as from '{path}'")
        wanted = field_truth(connection, as_of)[table]
        connection.register("wanted", wanted)
        shown = ", ".join(f'"{name}"' for name in wanted.column_names)
        assert wanted.num_rows > 5
        assert not differences(
            connection,
            f"select {shown} from wanted",
            f"select {shown} from metrics.{table} where {FIELD_METRICS[table]}",
        )


# of links only the last day is told
USER_METRICS = {
    "metrics_owner_care_monthly": "true",
    "metrics_wecom_fans_monthly": "true",
    "metrics_dual_link_daily": "customers > 0"
    " and date = (select max(date) from metrics.metrics_dual_link_daily)",
}


@pytest.mark.parametrize("table", USER_METRICS)
def test_owners_and_links_are_told_as_they_were(world: World, home: Home, table: str) -> None:
    as_of = datetime.fromisoformat(world.as_of).astimezone(UTC).replace(tzinfo=None)
    with home.open() as connection:
        for path in (world.folder / "truth" / "clean").glob("*.parquet"):
            name = f"clean_{path.stem.split('__')[1]}"
            connection.execute(f"create or replace temp view {name} as from '{path}'")
        connection.execute(
            "create or replace temp view records as select source, entity, record_key,"
            " one_id as component, null as organisation_id from profiles.bridge_user_records"
        )
        wanted = users_truth(connection, as_of)[table]
        connection.register("wanted", wanted)
        shown = ", ".join(f'"{name}"' for name in wanted.column_names)
        assert wanted.num_rows > 5
        assert not differences(
            connection,
            f"select {shown} from wanted",
            f"select {shown} from metrics.{table} where {USER_METRICS[table]}",
        )


def test_no_dirt_excuses_a_difference_in_the_metrics(world: World, home: Home) -> None:
    """Formulas and undecodable bytes stay out of the columns that the metrics group by."""
    with home.open() as connection:
        spoilt = rows(
            connection,
            f'select distinct "column" from {world.truth("dirt")}'
            " where kind in ('formula', 'undecodable_bytes')",
        )
    assert spoilt, "the world has cells of these kinds"
    grouping = {"一级渠道名称", "二级渠道名称", "三级渠道名称", "四级渠道名称", "意向车系"}
    grouping |= {"经销商代码", "线索评级", "投诉级别", "投诉类型", "来源", "provider_name"}
    assert not grouping & {str(row[0]) for row in spoilt}


# --- personal data ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def personal_values(world: World, home: Home) -> list[str]:
    """Every personal value of every kind, names of two characters too, and every one_id."""
    with home.open() as connection:
        found = rows(
            connection,
            f"select value from {world.truth('personal_values')}"
            " union select one_id from profiles.dim_users",
        )
    values = [str(row[0]) for row in found]
    assert min(len(value.encode()) for value in values) >= 6, "shorter ones would occur by chance"
    return values


def test_the_scan_finds_personal_values_where_they_are(
    home: Home, personal_values: list[str]
) -> None:
    with home.open() as connection:
        relations = [f"profiles.{table}" for table in tables_of(connection, "profiles")]
        found = occurring(personal_values, dump_relations(connection, relations))
    assert len(found) > 1000


def test_no_byte_of_the_metrics_files_is_personal(home: Home, personal_values: list[str]) -> None:
    published = home.folder / "published"
    files = [*published.glob("metrics/*.duckdb"), *published.glob("parquet/*/metrics/*")]
    assert len(files) > 10
    content = b"\n".join(file.read_bytes() for file in {file.resolve() for file in files})
    assert not occurring(personal_values, content)


def test_no_cell_of_the_metrics_is_personal_clear_or_hashed(
    home: Home, personal_values: list[str]
) -> None:
    parquet = (home.folder / "published" / "parquet").glob("*/metrics/*.parquet")
    with home.open() as connection:
        relations = [f"metrics.{table}" for table in tables_of(connection, "metrics")]
        relations += [f"'{file}'" for file in sorted({file.resolve() for file in parquet})]
        content = dump_relations(connection, relations)
    assert len(relations) > 30
    assert not occurring([*personal_values, *hashed(personal_values)], content)


def test_no_cell_of_the_shared_schema_in_postgres_is_personal(
    home: Home, personal_values: list[str]
) -> None:
    with home.postgres() as connection:
        dumped = dump_postgres(connection, "metrics")
    with home.open() as connection:
        assert dumped.keys() == tables_of(connection, "metrics").keys()
    content = b"\n".join(dumped.values())
    assert not occurring([*personal_values, *hashed(personal_values)], content)


# --- descriptions ----------------------------------------------------------------------------


def test_every_published_column_has_a_description_in_duckdb(home: Home) -> None:
    with home.open() as connection:
        assert not rows(
            connection,
            "select database_name, table_name, column_name from duckdb_columns()"
            " where database_name in ('metrics', 'profiles')"
            " and length(trim(coalesce(comment, ''))) < 3",
        )
        assert not rows(
            connection,
            "select database_name, table_name from duckdb_tables()"
            " where database_name in ('metrics', 'profiles')"
            " and length(trim(coalesce(comment, ''))) < 3",
        )


def test_every_published_column_has_its_description_in_postgres(home: Home) -> None:
    with home.open() as connection:
        told = rows(
            connection,
            "select database_name, table_name, column_name, comment from duckdb_columns()"
            " where database_name in ('metrics', 'profiles')",
        )
    with home.postgres() as connection:
        found = connection.execute(
            "select n.nspname, c.relname, a.attname, col_description(c.oid, a.attnum)"
            " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
            " where n.nspname in ('metrics', 'profiles') and c.relkind in ('r', 'p', 'v')"
        ).fetchall()
    assert set(found) == set(told)


# --- again, and in another order -------------------------------------------------------------


def test_running_again_has_nothing_new(world: World, home: Home) -> None:
    before = home.snapshots()
    done = home.run_all(world.landing, world.as_of)
    assert done.returncode == 0, done.stdout + done.stderr
    (snapshot,) = before
    last = done.stdout.splitlines()[-1]
    assert "nothing new" in last
    assert snapshot in last
    assert home.snapshots() == before


def test_another_order_in_other_batches_gives_the_same_content(
    world: World, home: Home, tmp_path: Path
) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    with temporary_home() as other:
        for batch in split_delivery(world.landing, batches=3, seed=5):
            deliver(batch, world.landing, landing)
            done = other.run_all(landing, world.as_of)
            assert done.returncode == 0, done.stdout + done.stderr
        assert_same_content(home, other)
        with other.open() as connection:
            states = rows(
                connection, "select state from metrics.meta_snapshots order by created_at"
            )
        assert states == [("superseded",), ("superseded",), ("published",)]


def test_files_that_arrive_one_after_the_other_give_the_same_content(
    world: World, home: Home, tmp_path: Path
) -> None:
    landing = tmp_path / "landing"
    with temporary_home() as other:
        settings = load_settings(home=other.folder, landing=str(landing), stable_seconds=0)
        with server_on_demand(settings):
            for batch in split_delivery(world.landing, batches=40, seed=3):
                deliver(batch, world.landing, landing)
                pipeline.ingest(settings, as_of=datetime.fromisoformat(world.as_of))
        done = other.run_all(landing, world.as_of)
        assert done.returncode == 0, done.stdout + done.stderr
        assert_same_content(home, other)


def assert_same_content(one: Home, other: Home) -> None:
    left, right = content_of(one), content_of(other)
    assert len(left) >= 30
    assert left["metrics.meta_ledger"]
    assert content_hashes(left) == content_hashes(right), tell_differences(left, right)


# --- held ------------------------------------------------------------------------------------


def test_a_candidate_that_lost_a_raw_part_is_held_for_good(
    world: World, home: Home, tmp_path: Path
) -> None:
    before = home.snapshots()
    later = (datetime.fromisoformat(world.as_of) + timedelta(days=1)).isoformat()
    part = next(iter(sorted((home.folder / "lake" / "raw" / "crm" / "leads").glob("*.parquet"))))
    aside = part.rename(tmp_path / part.name)
    try:
        held = home.run_all(world.landing, later)
        released = home.run("release", "--because", "nobody will notice")
    finally:
        aside.rename(part)
    assert held.returncode == 3, held.stdout + held.stderr
    assert "every_part_has_its_rows" in held.stderr
    assert part.name in held.stderr
    assert released.returncode == 3, released.stdout + released.stderr
    assert "balance" in released.stderr
    assert home.snapshots() == before
    with home.postgres() as connection:
        seen = connection.execute("select distinct snapshot_id from metrics.dim_dealers").fetchall()
    assert {row[0] for row in seen} == before
