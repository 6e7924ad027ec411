"""`zhongtai report staff`: each point of a published assessment, in words and as JSON."""

import json
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from zhongtai.cli import app
from zhongtai.errors import ConfigurationError, ZhongtaiError

_TABLES = (
    "create table dim_staff as select 'S1' as staff_id, '销售顾问' as role, 'D1' as dealer_code",
    "create table metrics_assessment_monthly as select date '2026-08-01' as month,"
    " 'S1' as staff_id, '2y+' as tenure_stage, 60.5e0 as score, 0.75e0 as coverage,"
    " 3 as score_rank, 1 as store_rank, -1.5e0 as score_change, 80.0e0 as performance_score,"
    " 0.5e0 as performance_coverage, 50.0e0 as user_score, 1.0e0 as user_coverage,"
    " 45.0e0 as process_score, 1.0e0 as process_coverage",
    "create table metrics_assessment_items_monthly (month date, staff_id varchar,"
    " dimension varchar, item varchar, item_num double, item_den double, value double,"
    " basis varchar, target double, attainment double, peers bigint, item_score double,"
    " item_share double, dimension_weight double, points double)",
    "insert into metrics_assessment_items_monthly values"
    " ('2026-08-01', 'S1', 'process', 'peer_score', 90, 2, 45, 'peers', null, null, 4, 45, 1, 0.3,"
    "  13.5),"
    " ('2026-08-01', 'S1', 'user', 'nps', 5, 10, 0.5, 'peers', null, null, 4, 50, 1, 0.3, 15),"
    " ('2026-08-01', 'S1', 'performance', 'deals', 8, null, 8, 'target', 10, 0.8, null, 80, 1,"
    "  0.4, 32),"
    " ('2026-08-01', 'S1', 'performance', 'conversion', null, null, null, 'missing', null, null,"
    "  null, null, null, 0.4, null)",
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "published" / "metrics"
    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / "current.duckdb")) as connection:
        for statement in _TABLES:
            connection.execute(statement)
    return tmp_path


def report(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["report", "staff", *arguments, "--home", str(home)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def test_a_report_shows_how_each_point_came_about(home: Path) -> None:
    lines = [
        " ".join(line.split()) for line in report(home, "S1", "--month", "2026-08").split("\n")
    ]
    assert lines[0] == "S1 2026-08 销售顾问, D1, 2y+"
    assert lines[1].startswith("score 60.50 (place 3 of all, 1 in the store, -1.50 since")
    assert "业绩 performance: 80.00 x 0.4 = 32.00 (coverage 50%)" in lines
    assert "deals 8 target 10 80.00 100% 32.00" in lines
    assert "conversion none missing none none" in lines
    assert "nps 0.5 = 5/10 4 in store and stage 50.00 100% 15.00" in lines
    order = [
        next(i for i, line in enumerate(lines) if word in line) for word in ("业绩", "用户", "过程")
    ]
    assert order == sorted(order)


def test_the_points_of_the_items_are_the_score(home: Path) -> None:
    found = json.loads(report(home, "S1", "--month", "2026-08", "--json"))
    points = [item["points"] for item in found["items"] if item["points"] is not None]
    assert float(found["total"]["score"]) == sum(points)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["S1", "--month", "2026-07"], "S1 is not assessed in 2026-07, but from 2026-08"),
        (["S2", "--month", "2026-08"], "nobody with the code S2 is assessed"),
        (["S1", "--month", "August"], "'August' is neither a month nor a year"),
        (["S1"], "give either --month or --year"),
        (["S1", "--month", "2026-08", "--year", "2026"], "give either --month or --year"),
    ],
)
def test_who_or_when_nobody_is_assessed_is_said(
    home: Path, arguments: list[str], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        report(home, *arguments)


def test_before_the_first_publish_there_is_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(ZhongtaiError, match="nothing is published"):
        report(tmp_path, "S1", "--month", "2026-08")
