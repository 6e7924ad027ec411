"""The truth beside the generated exports agrees with the files and with itself."""

import csv
import gzip
import io
from collections import Counter
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import openpyxl
import pytest
from defusedxml import ElementTree

from zhongtai.generate.exports import Summary, generate
from zhongtai.generate.timeline import local_midnight
from zhongtai.generate.truth_metrics import worked

PEOPLE, DAYS, SEED = 300, 30, 11
ENCODINGS = ("utf-8-sig", "gb18030")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    out = tmp_path_factory.mktemp("truth") / "out"
    return generate(out, people=PEOPLE, days=DAYS, seed=SEED)


def rows(world: Summary, query: str) -> list[tuple[object, ...]]:
    """Query the truth; `{name}` stands for a table of it."""
    truth = world.folder / "truth"
    names = {path.stem: f"'{path}'" for path in truth.rglob("*.parquet")}
    return duckdb.connect().execute(query.format(**names)).fetchall()


def text_of(data: bytes) -> str:
    if data.startswith(b"\xff\xfe"):
        return data.decode("utf-16")
    for encoding in ENCODINGS:
        try:
            return data.replace(b"\xff", b"").decode(encoding)
        except UnicodeDecodeError:
            continue
    raise AssertionError("no encoding fits")


def count_rows(path: Path) -> int:
    """Count the records of a delivered file, without anything of the generator."""
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    if ".jsonl" in path.name:
        return sum(bool(line.strip()) for line in data.removeprefix(b"\xef\xbb\xbf").splitlines())
    if path.suffix == ".xml":
        return len(ElementTree.fromstring(data).findall("prospect"))
    if path.suffix == ".xlsx":
        sheet = openpyxl.load_workbook(path).worksheets[0]
        records = [row for row in sheet.iter_rows(values_only=True) if any(row)]
        heads = [row for row in records if row[0] in (None, "基本信息", "合计", "制表人：系统")]
        titled = [row for row in records if str(row[0]).endswith("导出报表")]
        return len(records) - len(heads) - len(titled) - 1
    is_growing = path.name.endswith(".csv.gz")
    style = {"escapechar": "\\", "doublequote": False} if is_growing else {}
    records = [row for row in csv.reader(io.StringIO(text_of(data)), **style) if any(row)]
    return len([row for row in records if row[0] != "合计"]) - 1


def test_the_ledger_balances_and_counts_as_an_independent_reader_does(world: Summary) -> None:
    files = rows(
        world,
        "select file, rows_in, rows_loaded + rows_quarantined + rows_duplicate from {ledger} "
        "where rows_in is not null and status <> 'not_complete' and reason <> 'empty'",
    )
    assert len(files) > 250
    for file, rows_in, parts in files:
        path = world.folder / "landing" / str(file)
        assert rows_in == parts
        if path.stat().st_size:
            assert (file, count_rows(path)) == (file, rows_in)


def test_immutable_rows_load_once(world: Summary) -> None:
    [(loaded,)] = rows(
        world,
        "select sum(rows_loaded) from {ledger} where source = 'crm' and entity = 'follow_ups'",
    )
    [(distinct,)] = rows(world, "select count(distinct 跟进ID) from {crm__follow_ups}")
    [(repeated,)] = rows(
        world, "select sum(rows_duplicate) from {ledger} where entity = 'follow_ups'"
    )
    assert loaded == distinct
    assert isinstance(repeated, int)
    assert repeated > 0


def test_the_partition_never_joins_two_persons(world: Summary) -> None:
    joined = rows(
        world,
        "select component from {records} where not is_contested "
        "group by component having count(distinct person_id) > 1",
    )
    [(components, persons)] = rows(
        world,
        "select count(distinct component), count(distinct person_id) from {records} "
        "where person_id is not null and not is_contested",
    )
    assert joined == []
    assert persons < components < 2 * persons


def test_records_with_the_same_surviving_number_are_one_component(world: Summary) -> None:
    split = rows(
        world,
        "select l.手机号 from {crm__leads} l join {records} r on r.entity = 'leads' "
        "and r.record_key = l.线索唯一ID where l.手机号 is not null and l.手机号 not in "
        "(select identifier_value from {shared_values} where kind = 'hub') "
        "group by l.手机号 having count(distinct r.component) > 1",
    )
    assert split == []


def test_a_hub_number_joins_only_without_the_guards(world: Summary) -> None:
    largest = rows(
        world,
        "select max(n), max(m) from (select count(distinct person_id) n from {records} "
        "group by component_unguarded), (select count(distinct person_id) m from {records} "
        "group by component)",
    )
    [(unguarded, guarded)] = largest
    assert isinstance(guarded, int)
    assert 2 <= guarded < 12  # a household under one number, an employee with customers
    assert isinstance(unguarded, int)
    assert unguarded > 20


def test_company_records_carry_no_person(world: Summary) -> None:
    [(companies, persons)] = rows(
        world,
        "select count(*), count(person_id) from {records} where organisation_id is not null",
    )
    assert companies != 0
    assert persons == 0


def test_lost_values_are_gone_from_the_clean_rows(world: Summary) -> None:
    lost = rows(
        world,
        "select d.kind, l.手机号 from {dirt} d join {crm__contacts} l on l.客户ID = d.record_key "
        "where d.entity = 'contacts' and d.\"column\" = '手机号' and d.outcome = 'value_lost'",
    )
    assert {kind for kind, _ in lost} >= {"masked_phone", "scientific_phone"}
    # Another version of the same contact may be the newest one.
    assert sum(number is None for _, number in lost) > len(lost) / 2


def test_the_rule_of_ten_views_holds_for_its_share(world: Summary) -> None:
    [(hot, everybody)] = rows(world, "select count(*) filter (is_hot), count(*) from {persons}")
    assert isinstance(hot, int)
    assert 0.05 < hot / int(str(everybody)) < 0.15


def test_ownership_periods_of_a_car_do_not_overlap(world: Summary) -> None:
    overlapping = rows(
        world,
        "select a.vin from {ownership} a join {ownership} b on a.vin = b.vin "
        "and a.valid_from < b.valid_from and coalesce(a.valid_to > b.valid_from, true)",
    )
    [(handed_over,)] = rows(world, "select count(*) from {ownership} where valid_to is not null")
    assert overlapping == []
    assert isinstance(handed_over, int)
    assert handed_over >= 2


def test_metric_truth_adds_up_to_the_clean_rows(world: Summary) -> None:
    [(created, tests, valid)] = rows(
        world,
        "select sum(leads_created), sum(leads_test), sum(leads_valid) "
        "from {metrics_lead_funnel_daily}",
    )
    [(leads, testing)] = rows(
        world, "select count(*), count(*) filter (是否测试) from {crm__leads}"
    )
    [(prospects,)] = rows(world, "select count(*) from {crm__adf_leads}")
    assert int(str(created)) == int(str(leads)) - int(str(testing)) + int(str(prospects))
    assert tests == testing
    assert int(str(valid)) <= int(str(created))
    [(dispatched, timely, mature)] = rows(
        world,
        "select sum(leads_dispatched), sum(first_response_timely_rate_240m_num), "
        "sum(first_response_timely_rate_240m_den) from {metrics_response_daily}",
    )
    assert 0 < int(str(timely)) < int(str(mature)) <= int(str(dispatched))


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ((2, 10, 0), (2, 10, 30), 30),
        ((2, 20, 50), (3, 9, 10), 20),
        ((2, 3, 0), (2, 9, 5), 5),
        ((3, 20, 0), (5, 10, 0), 120),  # the fourth is a holiday
        ((4, 10, 0), (4, 12, 0), 0),
    ],
)
def test_working_time_runs_from_nine_to_nine_without_holidays(
    start: tuple[int, int, int], end: tuple[int, int, int], minutes: int
) -> None:
    closed = np.array([(date(2026, 3, 4) - date(1970, 1, 1)).days])
    first, last = (
        local_midnight(date(2026, 3, day)) + hour * 3600 + minute * 60
        for day, hour, minute in (start, end)
    )
    assert worked(np.array([last]), closed) - worked(np.array([first]), closed) == minutes * 60


def test_personal_values_name_every_identifier_that_occurs(world: Summary) -> None:
    values = rows(
        world, "select kind, count(*), count(distinct value) from {personal_values} group by kind"
    )
    counted = Counter({str(kind): int(str(count)) for kind, count, _ in values})
    assert all(count == distinct for _, count, distinct in values)
    assert {"mobile", "name", "vin", "email", "id_card", "openid", "unionid", "plate"} <= set(
        counted
    )
    assert counted["mobile"] > PEOPLE
