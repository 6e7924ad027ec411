"""dbt in this process: results in the ledger, failures by name, nothing personal in messages."""

import json
from pathlib import Path

import pytest
import yaml

from raw_parts import AS_OF, deliver
from staging_project import copy_staging
from zhongtai import identity, restatements, tags, warehouse
from zhongtai.contracts import load_contracts
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.runs import start_run
from zhongtai.settings import Settings, load_settings
from zhongtai.tags.facts import FACTS
from zhongtai.transform import (
    SELECTORS,
    _invoke,
    _parse,
    parse_project,
    run_dbt,
    without_values,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def small(tmp_path: Path, settings: Settings) -> Settings:
    """Settings on a project of two staging models, quick to build."""
    project = copy_staging(tmp_path / "project")
    kept = {"partner__rewards", "dms__dealers"}
    for contract in (project / "expectations/raw").glob("*.yml"):
        if contract.stem not in kept:
            contract.unlink()
    for model in (project / "dbt_project/models/staging").rglob("stg_*.*"):
        if model.stem.removeprefix("stg_") not in kept:
            model.unlink()
    return load_settings(
        home=settings.home,
        project_dir=project,
        database_url=settings.database_url.get_secret_value(),
    )


def test_results_reach_the_ledger_and_a_second_run_stages_only_what_is_new(small: Settings) -> None:
    contracts = load_contracts(small.project_dir)
    rewards = contracts["partner.rewards"]
    with connect(small) as connection:
        run = start_run(connection, "test", AS_OF)
    deliver(small, run, rewards, [{"reward_id": "1", "updated_at": "2026-03-01"}], file="1.csv")
    warehouse.prepare(small, contracts, run)
    report = run_dbt(small, run, "staging")
    assert report.failed == ()
    assert {node.resource_type for node in report.nodes} == {"seed", "model", "test"}
    with connect(small) as connection:
        recorded = connection.execute(
            "select count(*), min(seconds) >= 0 from ledger.node_results where run_id = %s",
            [run.run_id],
        ).fetchone()
    assert recorded == (len(report.nodes), True)

    deliver(small, run, rewards, [{"reward_id": "2", "updated_at": "2026-03-01"}], file="2.csv")
    warehouse.prepare(small, contracts, run)
    second = run_dbt(small, run, "staging")
    built = {node.node.split(".")[2] for node in second.nodes if node.resource_type == "model"}
    assert built == {"stg_partner__rewards"}
    tested = {p for node in second.nodes if node.resource_type == "test" for p in node.parents}
    assert [p for p in tested if ".stg_" in p] == ["model.zhongtai.stg_partner__rewards"]
    with warehouse.open_build(small) as build:
        staged = build.execute("select count(*) from staging.stg_partner__rewards").fetchone()
        seen = build.execute("select count(*) from meta.staged_parts").fetchone()
        comment = build.execute(
            "select comment from duckdb_columns() where schema_name = 'staging'"
            " and table_name = 'stg_partner__rewards' and column_name = 'amount_fen'"
        ).fetchone()
    assert (staged, seen) == ((2,), (2,))
    assert comment == (rewards.by_delivered["amount_fen"].description,)

    run_dbt(small, run, "staging", full_refresh=True)
    with warehouse.open_build(small) as build:
        rebuilt = build.execute("select count(*) from staging.stg_partner__rewards").fetchone()
    assert rebuilt == (2,)


def test_seeds_are_loaded_and_tested_again_only_when_they_or_their_tests_change(
    small: Settings,
) -> None:
    contracts = load_contracts(small.project_dir)
    with connect(small) as connection:
        run = start_run(connection, "test", AS_OF)

    def built() -> list[str]:
        warehouse.prepare(small, contracts, run)
        return [n.node for n in run_dbt(small, run, "staging").nodes]

    def words() -> int:
        with warehouse.open_build(small) as build:
            ((found,),) = build.execute("select count(*) from seeds.null_words").fetchall()
        return int(found)

    assert "seed.zhongtai.null_words" in built()
    before = words()
    assert built() == []
    seed = small.project_dir / "seeds" / "null_words.csv"
    right = seed.read_text("utf-8")
    first = right.splitlines()[1]
    seed.write_text(f"{right}{first}\n", "utf-8")
    for _ in range(2):
        with pytest.raises(ZhongtaiError, match="null_words"):
            built()
    # the same files as when they were loaded well, but the table holds what came between
    seed.write_text(right, "utf-8")
    assert "seed.zhongtai.null_words" in built()
    assert words() == before
    assert built() == []


def test_a_failed_node_is_named_without_the_value_that_broke_it(
    small: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    model = small.project_dir / "dbt_project/models/staging/partner/stg_partner__rewards.sql"
    model.write_text("select cast('person@example.com' as integer) as record_key", "utf-8")
    contracts = load_contracts(small.project_dir)
    with connect(small) as connection:
        run = start_run(connection, "test", AS_OF)
    warehouse.prepare(small, contracts, run)
    with pytest.raises(ZhongtaiError, match=r"model\.zhongtai\.stg_partner__rewards") as caught:
        run_dbt(small, run, "staging")
    said = str(caught.value) + "".join(capfd.readouterr())
    said += small.path("logs", "dbt.log").read_text("utf-8")
    assert "Could not convert" in said
    assert "person@" not in said
    with warehouse.open_build(small) as build:
        staged = build.execute("select table_name from meta.staged_models").fetchall()
    assert staged == [("dms__dealers",)]


def test_a_table_whose_test_failed_is_built_and_tested_again_though_nothing_came(
    small: Settings,
) -> None:
    properties = small.project_dir / "dbt_project/models/staging/partner/stg_partner__rewards.yml"
    declared = yaml.safe_load(properties.read_text("utf-8"))
    (state,) = (c for c in declared["models"][0]["columns"] if c["name"] == "status")
    state["data_tests"] = ["not_null"]
    properties.write_text(yaml.safe_dump(declared, allow_unicode=True), "utf-8")
    contracts = load_contracts(small.project_dir)
    with connect(small) as connection:
        run = start_run(connection, "test", AS_OF)
    row = {"reward_id": "1", "updated_at": "2026-03-01"}
    deliver(small, run, contracts["partner.rewards"], [row], file="1.csv")
    for _ in range(2):
        warehouse.prepare(small, contracts, run)
        with pytest.raises(ZhongtaiError, match="not_null_stg_partner__rewards_status"):
            run_dbt(small, run, "staging")
    deliver(
        small,
        run,
        contracts["partner.rewards"],
        [row | {"status": "1", "updated_at": "2026-03-02"}],
        file="2.csv",
    )
    warehouse.prepare(small, contracts, run)
    assert run_dbt(small, run, "staging").failed == ()


@pytest.mark.parametrize("is_contract", [False, True])
def test_a_table_replaces_a_view_and_itself_and_stays_where_the_next_one_fails(
    small: Settings, *, is_contract: bool
) -> None:
    model = small.project_dir / "dbt_project/models/intermediate/users/int_numbers.sql"
    model.write_text("{{ config(materialized='table') }} select 1 as number", "utf-8")
    described = {"name": "number", "description": "A number.", "data_type": "integer"}
    declared = {"name": "int_numbers", "description": "Numbers.", "columns": [described]}
    declared["config"] = {"contract": {"enforced": is_contract}}
    declared["constraints"] = [{"type": "primary_key", "columns": ["number"]}]
    model.with_suffix(".yml").write_text(yaml.safe_dump({"models": [declared]}), "utf-8")

    def built() -> tuple[bool, object]:
        done = _invoke(small, ["run", "--select", "int_numbers"]).success
        with warehouse.open_build(small) as build:
            (kind,) = build.execute(
                "select table_type from information_schema.tables where table_name = 'int_numbers'"
            ).fetchall()
            numbers = build.execute(f"select number from {schema}.int_numbers").fetchall()
            (comment,) = build.execute(
                "select comment from duckdb_columns() where table_name = 'int_numbers'"
            ).fetchall()
        return done, (*kind, numbers, *comment)

    with connect(small) as connection:
        run = start_run(connection, "test", AS_OF)
    warehouse.prepare(small, load_contracts(small.project_dir), run)
    assert _invoke(small, ["run", "--select", "int_numbers"]).success
    with warehouse.open_build(small) as build:
        ((schema,),) = build.execute(
            "select table_schema from information_schema.tables where table_name = 'int_numbers'"
        ).fetchall()
        build.execute(f"drop table {schema}.int_numbers")
        build.execute(f"create view {schema}.int_numbers as select 7 as number")
    assert built() == (True, ("BASE TABLE", [(1,)], "A number."))
    model.write_text("{{ config(materialized='table') }} select 2 as number", "utf-8")
    assert built() == (True, ("BASE TABLE", [(2,)], "A number."))
    broken = "select cast('x' || range as integer) as number from range(2)"
    model.write_text("{{ config(materialized='table') }} " + broken, "utf-8")
    assert built() == (False, ("BASE TABLE", [(2,)], "A number."))
    if is_contract:
        twice = "select cast(1 as integer) as number from range(2)"
        model.write_text("{{ config(materialized='table') }} " + twice, "utf-8")
        assert built() == (False, ("BASE TABLE", [(2,)], "A number."))


def test_a_project_that_cannot_be_parsed_is_a_configuration_error(small: Settings) -> None:
    broken = small.project_dir / "dbt_project/models/staging/stg_broken.sql"
    broken.write_text("select * from {{ ref('nowhere') }}", "utf-8")
    with pytest.raises(ConfigurationError, match="nowhere"):
        parse_project(small)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (
            "Could not convert string '13812345678' to INT32",
            "Could not convert string '…' to INT32",
        ),
        ("Duplicate key +86 138-1234-5678", "Duplicate key …"),
        ("invalid id 11010119900307123X here", "invalid id … here"),
        ("bad vin LSVAA4182E2184841", "bad vin …"),
        ("Got 3 results, configured to fail if != 0", "Got 3 results, configured to fail if != 0"),
        ('column "member_code" not found', 'column "member_code" not found'),
    ],
)
def test_messages_keep_no_values(message: str, kept: str) -> None:
    assert without_values(message) == kept


def test_every_node_belongs_to_one_step_and_every_step_needs_earlier_ones_only(
    tmp_path: Path,
) -> None:
    settings = load_settings(home=tmp_path)
    manifest = json.loads(parse_project(settings).read_text("utf-8"))
    step_of: dict[str, str] = {}
    tested = set()
    for step in SELECTORS:
        for node in selected(settings, step):
            if node.startswith(("test.", "unit_test.")):
                tested.add(node)
            elif node.startswith(("model.", "seed.")):
                assert step_of.setdefault(node, step) == step, f"{node}: {step_of[node]}, {step}"
    nodes = manifest["nodes"] | manifest["unit_tests"]
    tests = {name for name in nodes if name.startswith(("test.", "unit_test."))}
    assert len(step_of) > 60
    built = {name for name in nodes if name.startswith(("model.", "seed."))}
    assert built == set(step_of)
    assert tests == tested
    # what a declared tag may read, whether one does or not
    readable = {step_of[f"model.zhongtai.{fact.model}"] for fact in FACTS.values()}
    assert readable <= {"profiles", "tags"}
    for node, step in step_of.items():
        for parent in manifest["nodes"][node]["depends_on"].get("nodes", []):
            if parent in step_of:
                assert SELECTORS.index(step_of[parent]) <= SELECTORS.index(step), (node, parent)


def test_a_step_leaves_the_unit_tests_of_models_out(small: Settings) -> None:
    model = small.project_dir / "dbt_project/models/staging/partner/stg_partner__rewards.yml"
    model.write_text(
        model.read_text("utf-8") + "\nunit_tests:\n"
        "  - {name: never, model: stg_partner__rewards, given: [], expect: {rows: [{x: 1}]}}\n",
        "utf-8",
    )
    contracts = load_contracts(small.project_dir)
    with connect(small) as connection:
        run = start_run(connection, "test", AS_OF)
    warehouse.prepare(small, contracts, run)
    assert "unit_test" not in {node.resource_type for node in run_dbt(small, run, "staging").nodes}


@pytest.mark.slow
def test_the_unit_tests_of_every_model_pass(settings: Settings) -> None:
    with connect(settings) as connection:
        run = start_run(connection, "test", AS_OF)
    warehouse.prepare(settings, load_contracts(settings.project_dir), run)
    first = ["path:../seeds", "path:models/staging", "path:models/intermediate/identity"]
    tests = ["--exclude-resource-type", "test", "unit_test"]
    assert _invoke(settings, ["build", "--empty", "--select", *first, *tests]).success
    identity.resolve(settings, run)
    tags.load_history(settings)
    tags.load_statements(settings)
    tags.prepare_increment(settings, run)
    restatements.load_history(settings, run)
    assert _invoke(settings, ["run", "--empty", "--exclude", *first]).success
    result = _invoke(settings, ["test", "--select", "test_type:unit"])
    statuses = {node.node.name: (node.status, node.message) for node in result.result.results}
    assert len(statuses) >= 20
    assert {name: why for name, why in statuses.items() if why[0] != "pass"} == {}


def selected(settings: Settings, step: str) -> list[str]:
    """Unique ids that dbt selects for a step."""
    listing = ["ls", "--selector", step, "--output", "json", "--output-keys", "unique_id"]
    found = _invoke(settings, [*listing, "--quiet"], _parse(settings))
    assert found.success, found.exception
    names = [json.loads(line)["unique_id"] for line in found.result]
    return [name for name in names if not name.startswith("source.")]
