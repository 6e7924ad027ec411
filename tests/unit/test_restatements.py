"""What was published of the past and is told otherwise: which values count, and why they moved."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from zhongtai.errors import ConfigurationError
from zhongtai.restatements.causes import find_causes
from zhongtai.restatements.comparison import compare, stamp
from zhongtai.restatements.settling import Settling, load_settling
from zhongtai.restatements.tables import Measure, MetricsTable
from zhongtai.runs import Run

COLUMNS = "date date, region varchar, leads bigint, rate_7d_den bigint, nps double"
TABLE = MetricsTable(
    name="metrics_leads",
    grain=("date", "region"),
    types={
        "date": "date",
        "region": "varchar",
        "leads": "bigint",
        "rate_7d_den": "bigint",
        "nps": "double",
    },
    measures=(
        Measure("leads", "bigint", 0),
        Measure("rate_7d_den", "bigint", 7),
        Measure("nps", "double", 0),
    ),
    entities=frozenset({"crm__leads"}),
    uses_identity=True,
    definition="a",
)
# local midnight of 2026-09-11, so that 2026-09-10 is over and 2026-09-03 has had its seven days
KNOWN_UNTIL = datetime.fromisoformat("2026-09-10T16:00")
NOW = datetime.fromisoformat("2026-09-12T16:00")
RUN = Run("run_2", "run", NOW.replace(tzinfo=UTC), NOW.replace(tzinfo=UTC))


@pytest.fixture
def build() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("create schema metrics")
        connection.execute(f"create table metrics.metrics_leads ({COLUMNS})")
        connection.execute(f"create temp table published_before ({COLUMNS}, restated_at timestamp)")
        yield connection


def publish(build: duckdb.DuckDBPyConnection, *rows: tuple[Any, ...]) -> None:
    for row in rows:
        build.execute("insert into published_before values (?, ?, ?, ?, ?, ?)", row)


def make(build: duckdb.DuckDBPyConnection, *rows: tuple[Any, ...]) -> None:
    for row in rows:
        build.execute("insert into metrics.metrics_leads values (?, ?, ?, ?, ?)", row)


def restated(build: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    compare(build, TABLE, KNOWN_UNTIL)
    return build.execute(
        "select period::varchar, row_key ->> 'region', metric, old_value, new_value"
        " from restated_values order by all"
    ).fetchall()


def test_a_value_of_a_day_that_was_over_is_restated(build: duckdb.DuckDBPyConnection) -> None:
    publish(build, ("2026-09-10", "华东", 5, 0, 0.5, None))
    make(build, ("2026-09-10", "华东", 6, 0, 0.5))
    assert restated(build) == [("2026-09-10", "华东", "leads", 5.0, 6.0)]


def test_a_day_that_was_not_over_goes_on(build: duckdb.DuckDBPyConnection) -> None:
    publish(build, ("2026-09-11", "华东", 5, 0, 0.5, None))
    make(build, ("2026-09-11", "华东", 6, 0, 0.4))
    assert restated(build) == []


@pytest.mark.parametrize(("day", "count"), [("2026-09-03", 1), ("2026-09-04", 0)])
def test_a_window_must_have_been_closed(
    build: duckdb.DuckDBPyConnection, day: str, count: int
) -> None:
    publish(build, (day, "华东", 5, 3, None, None))
    make(build, (day, "华东", 5, 4, None))
    assert len(restated(build)) == count


def test_rows_that_come_and_go_are_told_with_null(build: duckdb.DuckDBPyConnection) -> None:
    publish(build, ("2026-09-10", "华东", 5, 0, None, None), ("2026-09-10", None, 2, 0, None, None))
    make(build, ("2026-09-10", "华东", 5, 0, None), ("2026-09-10", "华南", 2, 0, None))
    assert restated(build) == [
        ("2026-09-10", "华南", "leads", None, 2.0),
        ("2026-09-10", None, "leads", 2.0, None),
    ]


def test_a_period_of_which_nothing_was_published_is_told_for_the_first_time(
    build: duckdb.DuckDBPyConnection,
) -> None:
    publish(build, ("2026-09-10", "华东", 5, 0, None, None))
    make(build, ("2026-09-10", "华东", 5, 0, None), ("2026-09-09", "华东", 9, 0, None))
    assert restated(build) == []


def test_a_table_whose_numbers_never_settle_has_nothing_to_restate(
    build: duckdb.DuckDBPyConnection,
) -> None:
    never = replace(TABLE, measures=())
    publish(build, ("2026-09-10", "华东", 5, 0, None, None))
    make(build, ("2026-09-10", "华东", 6, 0, None))
    assert compare(build, never, KNOWN_UNTIL) == 0
    stamp(build, never, NOW)
    assert build.execute("select restated_at from metrics.metrics_leads").fetchall() == [(None,)]


def test_the_order_of_adding_up_restates_nothing(build: duckdb.DuckDBPyConnection) -> None:
    publish(build, ("2026-09-10", "华东", 5, 0, 0.1 + 0.2, None))
    make(build, ("2026-09-10", "华东", 5, 0, 0.3))
    assert restated(build) == []


def test_a_row_carries_when_it_was_last_told_otherwise(build: duckdb.DuckDBPyConnection) -> None:
    earlier = datetime.fromisoformat("2026-09-01")
    publish(
        build,
        ("2026-09-08", "华东", 5, 0, None, earlier),
        ("2026-09-09", "华东", 5, 0, None, earlier),
        ("2026-09-10", "华东", 5, 0, None, None),
    )
    make(
        build,
        *((f"2026-09-{day}", "华东", n, 0, None) for day, n in [("08", 5), ("09", 6), (10, 5)]),
    )
    compare(build, TABLE, KNOWN_UNTIL)
    stamp(build, TABLE, NOW)
    found = build.execute("select date, restated_at from metrics.metrics_leads order by 1")
    assert found.fetchall() == [
        (date(2026, 9, 8), earlier),
        (date(2026, 9, 9), NOW),
        (date(2026, 9, 10), None),
    ]


@pytest.fixture
def changes(build: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    build.execute("create schema meta")
    build.execute("create schema identity")
    build.execute(
        "create table meta.deliveries as select 'd1' as delivery_id, 'crm' as source,"
        " 'leads' as entity, 10::bigint as rows_loaded"
    )
    build.execute(
        "create temp table ledger_before as select 'd1' as delivery_id, 10 as rows_loaded"
    )
    build.execute("create table identity.changes (run_id varchar, change varchar)")
    return build


def test_where_nothing_changed_only_time_has_passed(changes: duckdb.DuckDBPyConnection) -> None:
    assert find_causes(changes, RUN, TABLE, "a")[0] == "time"


def test_new_rows_of_an_entity_that_is_read_are_late_data(
    changes: duckdb.DuckDBPyConnection,
) -> None:
    changes.execute("insert into meta.deliveries values ('d2', 'crm', 'leads', 3)")
    changes.execute("insert into meta.deliveries values ('d3', 'dms', 'orders', 3)")
    assert find_causes(changes, RUN, TABLE, "a") == ("late data", "deliveries: 1 of crm.leads")


def test_rows_of_a_file_that_were_replayed_are_late_data(
    changes: duckdb.DuckDBPyConnection,
) -> None:
    changes.execute("update meta.deliveries set rows_loaded = 11")
    assert find_causes(changes, RUN, TABLE, "a")[0] == "late data"


def test_merges_of_this_run_and_another_definition_are_told_beside_it(
    changes: duckdb.DuckDBPyConnection,
) -> None:
    changes.execute(
        "insert into identity.changes values ('run_1', 'merge'), ('run_2', 'merge'),"
        " ('run_2', 'merge'), ('run_2', 'new')"
    )
    cause, because = find_causes(changes, RUN, TABLE, "b")
    assert cause == "identity + definition"
    assert because.startswith("ids of persons: 2 merge;")


@pytest.mark.parametrize(
    ("column", "days"),
    [
        ("leads_valid", 0),
        ("visit_rate_7d_num", 7),
        ("contact_24h_rate_den", 1),
        ("dispatch_rate_24h_den", 1),
        ("repurchase_36h_p_num", 2),
        ("lost_rate_num", None),
        ("lost_rate", None),
        ("closed_loop_rate_den", 30),
    ],
)
def test_the_window_in_the_name_counts_unless_declared(column: str, days: int | None) -> None:
    declared = {("t", "lost_*"): None, ("t", "closed_loop_rate"): 30, ("u", "*"): 5}
    assert Settling(declared).days("t", column) == days


def test_a_number_of_days_that_is_none_is_refused_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "metric_settling.csv").write_text(
        "table_name,metric,settles_days,because\na,b,7,x\na,c,soon,x\n"
    )
    with pytest.raises(ConfigurationError, match="line 3: settles_days is 'soon'"):
        load_settling(tmp_path)


def test_a_window_of_months_is_declared() -> None:
    """A name says days and hours by itself; `m` may be minutes as well as months."""
    root = Path(__file__).parents[2]
    settling = load_settling(root)
    found = []
    tables = ("ltv_monthly", "owner_care_monthly")  # by cohort; others are by the month of the end
    for table in tables:
        file = root / f"dbt_project/models/marts/metrics/metrics_{table}.yml"
        (model,) = yaml.safe_load(file.read_text("utf-8"))["models"]
        for column in model["columns"]:
            window = re.search(r"_(\d+)m(?=_|$)", column["name"])
            if window:
                days = settling.days(model["name"], column["name"])
                found.append(column["name"])
                assert days is None or days >= int(window[1]) * 365 / 12, column["name"]
    assert {"repurchase_rate_36m_num", "owners_36m", "ltv_pred_36m_fen"} <= set(found)
