"""What dbt finds in the working file: the ledger's mirror, the run, and unseen parts only."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from raw_parts import AS_OF, deliver, repeat
from zhongtai import staging_state, warehouse
from zhongtai.contracts import Contract, Contracts
from zhongtai.database import connect
from zhongtai.errors import ZhongtaiError
from zhongtai.runs import Run, start_run
from zhongtai.settings import Settings, load_settings

STAGED = "create table staging.stg_{table} as select 1 as record_key"


@pytest.fixture
def rewards(contracts: Contracts) -> Contract:
    return contracts["partner.rewards"]


def query(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with warehouse.open_build(settings) as build:
        return build.execute(sql).fetchall()


def reward_ids(settings: Settings) -> list[str]:
    found = query(settings, "select reward_id from raw.partner__rewards order by all")
    return [row[0] for row in found]


def staging_tables(settings: Settings) -> list[tuple[Any, ...]]:
    return query(settings, "select table_name from duckdb_tables() where schema_name = 'staging'")


def stage_as_dbt_would(settings: Settings, table: str = "partner__rewards") -> None:
    with warehouse.open_build(settings) as build:
        build.execute(f"drop table if exists staging.stg_{table}")
        build.execute(STAGED.format(table=table))
    warehouse.record_staged(settings, [table])


def test_the_run_and_the_ledger_are_mirrored_as_naive_utc(
    settings: Settings, contracts: Contracts, rewards: Contract
) -> None:
    with connect(settings) as connection:
        run = start_run(connection, "test", datetime(2026, 7, 1, tzinfo=UTC))
    first = deliver(settings, run, rewards, [{"reward_id": "1"}], file="b.csv")
    exported = datetime(2026, 6, 1, 12, tzinfo=UTC)
    second = deliver(
        settings, run, rewards, [{"reward_id": "2"}], file="a.csv", exported_at=exported
    )
    warehouse.prepare(settings, contracts, run)
    assert query(settings, "from meta.run_context") == [(run.run_id, datetime(2026, 7, 1))]  # noqa: DTZ001
    orders = query(settings, "select delivery_id from meta.deliveries order by delivery_order")
    assert orders == [(first,), (second,)]
    assert query(settings, "select typeof(as_of), as_of from meta.deliveries limit 1") == [
        ("TIMESTAMP", AS_OF.replace(tzinfo=None))
    ]
    assert query(settings, "select count(*) from meta.parts") == [(2,)]
    assert query(settings, "select count(*) from meta.gate_results") == [(0,)]


def test_paths_order_deliveries_as_people_number_files(
    settings: Settings, contracts: Contracts, rewards: Contract, run: Run
) -> None:
    names = ["a.csv", "a (1).csv", "a-2.csv", "a-10.csv", "a.csv.2"]
    delivered = [
        deliver(settings, run, rewards, [{"reward_id": name}], file=name) for name in sorted(names)
    ]
    warehouse.prepare(settings, contracts, run)
    orders = query(settings, "select delivery_id from meta.deliveries order by delivery_order")
    assert [delivery for (delivery,) in orders] == [
        delivered[sorted(names).index(name)] for name in names
    ]


def test_bytes_that_came_again_count_as_their_first_delivery(
    settings: Settings, contracts: Contracts, rewards: Contract, run: Run
) -> None:
    """Whichever of them arrived first, and also where the table was staged meanwhile."""
    rows = [{"reward_id": "1"}]
    early, between, late = (datetime(2026, 6, day, tzinfo=UTC) for day in (1, 2, 3))
    again = deliver(settings, run, rewards, rows, file="late.csv", exported_at=late)
    other = deliver(settings, run, rewards, [{"reward_id": "2"}], file="b.csv", exported_at=between)
    warehouse.prepare(settings, contracts, run)
    ordered = (
        "select delivery_id from meta.deliveries where status = 'loaded' order by delivery_order"
    )
    assert query(settings, ordered) == [(other,), (again,)]
    stage_as_dbt_would(settings)
    repeat(settings, again, file="early.csv", exported_at=early)
    warehouse.prepare(settings, contracts, run)
    assert query(settings, ordered) == [(again,), (other,)]
    assert reward_ids(settings) == ["1", "2"]  # staged anew


def test_raw_views_hold_the_parts_that_staging_has_not_seen(
    settings: Settings, contracts: Contracts, rewards: Contract, run: Run
) -> None:
    deliver(settings, run, rewards, [{"reward_id": "1"}], file="1.csv")
    warehouse.prepare(settings, contracts, run)
    assert reward_ids(settings) == ["1"]
    stage_as_dbt_would(settings)
    warehouse.prepare(settings, contracts, run)
    assert reward_ids(settings) == []
    deliver(settings, run, rewards, [{"reward_id": "2"}], file="2.csv")
    warehouse.prepare(settings, contracts, run)
    assert reward_ids(settings) == ["2"]


def test_parts_are_seen_again_after_a_crash_before_they_were_recorded(
    settings: Settings, contracts: Contracts, rewards: Contract, run: Run
) -> None:
    deliver(settings, run, rewards, [{"reward_id": "1"}], file="1.csv")
    warehouse.prepare(settings, contracts, run)
    stage_as_dbt_would(settings)
    deliver(settings, run, rewards, [{"reward_id": "2"}], file="2.csv")
    warehouse.prepare(settings, contracts, run)
    warehouse.prepare(settings, contracts, run)
    assert reward_ids(settings) == ["2"]
    assert query(settings, "select count(*) from staging.stg_partner__rewards") == [(1,)]


def test_an_unseen_part_that_is_gone_is_told_before_anything_is_built(
    settings: Settings, contracts: Contracts, rewards: Contract, run: Run
) -> None:
    deliver(settings, run, rewards, [{"reward_id": "1"}], file="1.csv")
    (part,) = (settings.path("lake", "raw", "partner", "rewards")).glob("*.parquet")
    part.unlink()
    with pytest.raises(ZhongtaiError) as told:
        warehouse.prepare(settings, contracts, run)
    assert f"raw/partner/rewards/{part.name} of " in told.value.message
    assert "1.csv" in told.value.message
    assert "from a backup" in told.value.hint
    assert query(settings, "select count(*) from duckdb_views() where schema_name = 'raw'") == [
        (0,)
    ]


def test_an_entity_without_parts_has_a_typed_empty_view(
    settings: Settings, contracts: Contracts, run: Run
) -> None:
    warehouse.prepare(settings, contracts, run)
    assert query(settings, "select count(*), count(_as_of) from raw.crm__leads") == [(0, 0)]
    found = query(
        settings,
        "select count(*) from duckdb_views()"
        " where schema_name = 'raw' and not ends_with(view_name, '__every_row')",
    )
    assert found == [(len(contracts),)]


def test_rows_that_are_judged_once_persons_are_known_stay_in_sight(
    settings: Settings, contracts: Contracts, run: Run
) -> None:
    manual, every = contracts["crm.manual_tags"], "raw.crm__manual_tags__every_row"
    for number in ("1", "2"):
        deliver(settings, run, manual, [{"标识值": number}], file=f"{number}.csv")
        warehouse.prepare(settings, contracts, run)
        stage_as_dbt_would(settings, manual.table)
    warehouse.prepare(settings, contracts, run)
    assert query(settings, "select count(*) from raw.crm__manual_tags") == [(0,)]
    assert query(settings, f'select "标识值" from {every} order by all') == [("1",), ("2",)]
    lost = next(iter(settings.path("lake", "raw", "crm", "manual_tags").glob("*.parquet")))
    lost.unlink()
    warehouse.prepare(settings, contracts, run)
    assert query(settings, f"select count(*) from {every}") == [(1,)]


def test_a_part_of_an_earlier_contract_lacks_columns_and_still_loads(
    settings: Settings, contracts: Contracts, rewards: Contract, run: Run
) -> None:
    deliver(settings, run, rewards, [{"reward_id": "1"}], file="1.csv", columns=["reward_id"])
    warehouse.prepare(settings, contracts, run)
    assert query(settings, "select reward_id, status from raw.partner__rewards") == [("1", None)]
    deliver(settings, run, rewards, [{"reward_id": "2", "status": "1"}], file="2.csv")
    warehouse.prepare(settings, contracts, run)
    found = query(settings, "select reward_id, status from raw.partner__rewards order by all")
    assert found == [("1", None), ("2", "1")]


@pytest.mark.parametrize("change", ["withdrawn", "rewritten"])
def test_a_staging_table_with_rows_that_no_longer_count_is_built_anew(
    change: str, settings: Settings, contracts: Contracts, rewards: Contract, run: Run
) -> None:
    erased = deliver(settings, run, rewards, [{"reward_id": "1"}], file="1.csv")
    deliver(settings, run, rewards, [{"reward_id": "2"}], file="2.csv")
    warehouse.prepare(settings, contracts, run)
    stage_as_dbt_would(settings)
    with connect(settings) as connection:
        connection.execute(
            "delete from ledger.parts where delivery_id = %s"
            if change == "withdrawn"
            else "update ledger.parts set rows = 7 where delivery_id = %s",
            [erased],
        )
    warehouse.prepare(settings, contracts, run)
    assert reward_ids(settings) == (["2"] if change == "withdrawn" else ["1", "2"])
    assert staging_tables(settings) == []


def test_a_staging_table_of_other_code_is_built_anew(
    settings: Settings,
    contracts: Contracts,
    rewards: Contract,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deliver(settings, run, rewards, [{"reward_id": "1"}], file="1.csv")
    warehouse.prepare(settings, contracts, run)
    stage_as_dbt_would(settings)
    monkeypatch.setattr(staging_state, "_SEEDS", ())
    warehouse.prepare(settings, contracts, run)
    assert reward_ids(settings) == ["1"]
    assert staging_tables(settings) == []


def test_only_a_staging_table_that_is_missing_or_has_parts_to_see_is_to_be_built(
    settings: Settings, contracts: Contracts, rewards: Contract, run: Run
) -> None:
    warehouse.prepare(settings, contracts, run)
    assert warehouse.list_unstaged(settings) == sorted(c.table for c in contracts.values())
    for contract in contracts.values():
        stage_as_dbt_would(settings, contract.table)
    assert warehouse.list_unstaged(settings) == []
    warehouse.prepare(settings, contracts, run)
    assert warehouse.list_unstaged(settings) == []
    deliver(settings, run, rewards, [{"reward_id": "1"}], file="1.csv")
    warehouse.prepare(settings, contracts, run)
    assert warehouse.list_unstaged(settings) == ["partner__rewards"]


def test_forgotten_staging_is_built_from_all_parts(
    settings: Settings, contracts: Contracts, rewards: Contract, run: Run
) -> None:
    deliver(settings, run, rewards, [{"reward_id": "1"}], file="1.csv")
    warehouse.prepare(settings, contracts, run)
    stage_as_dbt_would(settings)
    warehouse.forget_staging(settings)
    warehouse.prepare(settings, contracts, run)
    assert reward_ids(settings) == ["1"]


def test_the_vocabulary_of_the_contracts_is_known_to_staging(
    settings: Settings, contracts: Contracts, run: Run
) -> None:
    warehouse.prepare(settings, contracts, run)
    found = query(
        settings,
        "select list(value order by value) from meta.known_values"
        " where table_name = 'crm__leads' and column_name = 'tier'",
    )
    assert found == [(sorted("HABCNODT"),)]


def test_a_connection_spills_below_the_home_and_keeps_to_its_limits(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home", memory_limit="300MB", threads=1)
    with warehouse.open_build(settings) as build:
        found = build.execute(
            "select current_setting('temp_directory'), current_setting('threads'),"
            " current_setting('TimeZone'), current_setting('memory_limit')"
        ).fetchone()
    assert found == (str(tmp_path / "home" / "tmp"), 1, "UTC", "286.1 MiB")


def test_a_remote_lake_is_known_by_its_protocol(tmp_path: Path) -> None:
    def protocol(lake: str) -> str | None:
        return warehouse.lake_protocol(load_settings(home=tmp_path, lake=lake))

    assert protocol("s3://bucket/lake") == "s3"
    assert protocol("") is None
    assert protocol("file:///data/lake") is None


def test_parts_of_a_remote_lake_are_read_through_fsspec(
    contracts: Contracts, rewards: Contract, database_url: str, tmp_path: Path
) -> None:
    import fsspec

    local = load_settings(home=tmp_path, database_url=database_url, lake=str(tmp_path / "lake"))
    with connect(local) as connection:
        run = start_run(connection, "test", AS_OF)
    deliver(local, run, rewards, [{"reward_id": "1"}], file="1.csv")
    fsspec.filesystem("memory").put(str(tmp_path / "lake"), "/lake", recursive=True)
    remote = load_settings(home=tmp_path, database_url=database_url, lake="memory://lake")
    warehouse.prepare(remote, contracts, run)
    assert reward_ids(remote) == ["1"]


def test_seeds_that_were_loaded_from_other_files_are_loaded_anew(
    settings: Settings, contracts: Contracts, run: Run
) -> None:
    warehouse.prepare(settings, contracts, run)
    with warehouse.open_build(settings) as build:
        build.execute("create schema seeds")
        # of an older version, of this one, and of no file
        build.execute("create table seeds.holidays (day varchar)")
        build.execute("create table seeds.of_somebody (word varchar)")
        seed = settings.project_dir / "seeds" / "null_words.csv"
        same = seed.read_text("utf-8").splitlines()[0].split(",")
        listed = ", ".join(f"{column} varchar" for column in same)
        build.execute(f"create table seeds.null_words ({listed})")
    warehouse.prepare(settings, contracts, run)
    with warehouse.open_build(settings) as build:
        tables = build.execute(
            "select table_name from duckdb_tables() where schema_name = 'seeds' order by 1"
        ).fetchall()
    assert tables == [("of_somebody",)]
    assert warehouse.needs_seeds(settings)
