"""Workbooks: every kind of dirt of a sheet, and cells as the text a person reads."""

import datetime as dt
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from reader_cases import CONTRACTS, Outcome, make_contract, read_bytes, read_file

from zhongtai.readers import (
    FileRejected,
    count_rows,
    open_reader,
    sheet,
    sheetcount,
    sheetparts,
    sheetxml,
    workbook,
)
from zhongtai.readers.sheetxml import Unusual

NAMES = ["单号", "姓名", "手机", "时间"]
DRIVES = make_contract(" ".join(NAMES), format_="xlsx", types={"时间": "ts"})
NOON = dt.datetime(2023, 3, 15, 12, 0)  # noqa: DTZ001 - sheets hold local times without a zone


def write_book(path: Path, fill: Callable[[Any, Any], None], **options: Any) -> Path:
    book = xlsxwriter.Workbook(str(path), options)
    fill(book, book.add_worksheet("数据"))
    book.close()
    return path


def refuse(_: object) -> None:
    raise Unusual


def read_rows(tmp_path: Path, rows: Sequence[Sequence[Any]], **options: Any) -> Outcome:
    def fill(_: Any, page: Any) -> None:
        for number, row in enumerate(rows):
            for place, value in enumerate(row):
                if value is not None:
                    page.write(number, place, value)

    return read_file(DRIVES, write_book(tmp_path / "book.xlsx", fill, **options))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (13812345678, "13812345678"), (13812345678.0, "13812345678"), (0.1 + 0.2, "0.3"),
        (-12.5, "-12.5"), (1e-7, "0.0000001"), (440301199001011, "440301199001011"),
        (True, "TRUE"), (False, "FALSE"), ("1.38E+10", "1.38E+10"), ("'138", "'138"),
        (" x ", " x "), ("null", "null"), ("𠮷<&>\"", "𠮷<&>\""),
    ],
)  # fmt: skip
def test_cells_are_delivered_as_a_person_reads_them(
    tmp_path: Path, cell: object, text: str
) -> None:
    outcome = read_rows(tmp_path, [NAMES, ["D1", cell, "x", "y"]])
    assert outcome.column("姓名") == [text]


def test_text_like_a_formula_stays_text_and_formulas_give_their_result(tmp_path: Path) -> None:
    def fill(_: Any, page: Any) -> None:
        page.write_row(0, 0, NAMES)
        page.write_row(1, 0, ["D1"])
        page.write_string(1, 1, "=cmd|' /C calc'!A0")
        page.write_formula(1, 2, '="1"&"3"', None, "13")
        page.write_formula(1, 3, "=1/0", None, "#DIV/0!")

    outcome = read_file(DRIVES, write_book(tmp_path / "book.xlsx", fill))
    assert outcome.rows[0]["姓名"] == "=cmd|' /C calc'!A0"
    assert outcome.rows[0]["手机"] == "13"


@pytest.mark.parametrize("is_1904", [False, True])
def test_times_are_iso_text_in_either_date_base(tmp_path: Path, is_1904: bool) -> None:
    base = dt.date(1904, 1, 1) if is_1904 else dt.date(1899, 12, 30)
    serial = (NOON.date() - base).days + 0.5

    def fill(book: Any, page: Any) -> None:
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        page.write_row(0, 0, NAMES)
        page.write(1, 0, "formatted")
        page.write_datetime(1, 3, NOON, moment)
        page.write_row(2, 0, ["serial", serial, "x", serial])
        page.write_row(3, 0, ["text", "x", "x", "2026年3月5日 下午3:05"])
        page.write_row(4, 0, ["number", "x", "x", 20260305])

    outcome = read_file(DRIVES, write_book(tmp_path / "book.xlsx", fill, date_1904=is_1904))
    noon = "2023-03-15 12:00:00"
    assert outcome.column("时间") == [noon, noon, "2026年3月5日 下午3:05", "20260305"]
    assert outcome.column("姓名")[1] == f"{serial:.15g}"


def test_titles_empty_rows_and_totals_are_no_rows(tmp_path: Path) -> None:
    rows = [
        ["试驾明细"], [], ["导出时间", NOON.isoformat()], NAMES, ["D1", "王", "138", "x"], [],
        [" ", "\u3000", None, ""], ["D2", "李", "139", "y"], ["合计", None, 277], [None, "总计："],
    ]  # fmt: skip
    outcome = read_rows(tmp_path, rows)
    assert outcome.column("单号") == ["D1", "D2"]
    assert outcome.column("_row_number") == [5, 8]
    assert outcome.note("totals_row")[0].rows == 2


def test_a_merged_group_header_above_the_names_is_passed_over(tmp_path: Path) -> None:
    def fill(_: Any, page: Any) -> None:
        page.merge_range(0, 0, 0, 1, "客户")
        page.merge_range(0, 2, 0, 3, "单号")
        page.write_row(1, 0, NAMES)
        page.write_row(2, 0, ["D1", "王", "138", "x"])

    outcome = read_file(DRIVES, write_book(tmp_path / "book.xlsx", fill))
    assert outcome.column("单号") == ["D1"]


def test_data_may_begin_anywhere_on_the_sheet(tmp_path: Path) -> None:
    rows = [[], [], [None, None, *NAMES], [None, None, "D1", "王", "138", "x"]]
    outcome = read_rows(tmp_path, rows)
    assert outcome.column("手机") == ["138"]
    assert outcome.column("_row_number") == [4]


def test_visible_sheets_with_the_header_are_read_and_hidden_ones_are_not(tmp_path: Path) -> None:
    def fill(book: Any, first: Any) -> None:
        second, hidden, other = (book.add_worksheet(n) for n in ("续", "隐藏", "说明"))
        for number, page in enumerate((first, second, hidden)):
            page.write_row(0, 0, NAMES)
            page.write_row(1, 0, [f"D{number}", "王", "138", "x"])
        other.write_row(0, 0, ["说明", "内容"])
        hidden.hide()

    outcome = read_file(DRIVES, write_book(tmp_path / "book.xlsx", fill))
    assert outcome.column("单号") == ["D0", "D1"]
    assert outcome.counted == 2
    assert {note.column for note in outcome.note("sheet_skipped")} == {"隐藏", "说明"}


def test_a_second_sheet_that_lost_a_column_rejects_the_workbook(tmp_path: Path) -> None:
    """Skipped, its rows would be in no count."""

    def fill(book: Any, first: Any) -> None:
        first.write_row(0, 0, NAMES)
        first.write_row(1, 0, ["D1", "王", "138", "x"])
        second = book.add_worksheet("续")
        second.write_row(0, 0, NAMES[1:])
        second.write_row(1, 0, ["王", "138", "x"])

    path = write_book(tmp_path / "book.xlsx", fill)
    with pytest.raises(FileRejected) as rejected:
        open_reader(DRIVES, path)
    assert rejected.value.rule == "required_column_missing"
    assert rejected.value.rows_in == 2


def test_repeated_and_added_columns_are_kept(tmp_path: Path) -> None:
    rows = [[*NAMES, "姓名", "备注"], ["D1", "王", "138", "x", "李", 5]]
    outcome = read_rows(tmp_path, rows)
    assert outcome.column("姓名") == ["王"]
    assert json.loads(outcome.rows[0]["_extra"]) == {"姓名#2": "李", "备注": "5"}


def test_a_repeated_header_is_refused(tmp_path: Path) -> None:
    rows = [NAMES, ["D1", "王", "138", "x"], NAMES, ["D2", "李", "139", "y"]]
    outcome = read_rows(tmp_path, rows)
    assert outcome.column("单号") == ["D1", "D2"]
    assert outcome.rules == ["repeated_header"]


@pytest.mark.parametrize("rows", [[], [NAMES]])
def test_a_workbook_without_rows_has_no_rows(tmp_path: Path, rows: list[list[str]]) -> None:
    assert read_rows(tmp_path, rows).counted == 0


def test_a_missing_required_column_rejects_the_workbook(tmp_path: Path) -> None:
    def fill(_: Any, page: Any) -> None:
        page.write_row(0, 0, NAMES[1:])
        page.write_row(1, 0, ["王", "138", "x"])

    path = write_book(tmp_path / "book.xlsx", fill)
    with pytest.raises(FileRejected) as rejected:
        open_reader(DRIVES, path)
    assert rejected.value.rule == "required_column_missing"
    assert rejected.value.rows_in == count_rows(DRIVES, path) == 1


def test_shared_texts_are_the_same_however_many_are_looked_at_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [NAMES, *([f"D{number}", "𠮷<&>", f" {number}", "<si>"] for number in range(50))]
    whole = read_rows(tmp_path, rows)
    assert whole.column("手机") == [f" {number}" for number in range(50)]
    parts = []

    def texts_of(data: bytes) -> Any:
        parts.append(len(data))
        return sheetparts_texts_of(data)

    sheetparts_texts_of = sheetparts._texts_of
    monkeypatch.setattr(sheetparts, "_texts_of", texts_of)
    monkeypatch.setattr(sheetparts, "_PART_BYTES", 100)
    assert read_rows(tmp_path, rows) == whole
    assert len(parts) > 10
    assert max(parts) < 200


def test_a_sheet_that_turns_unusual_is_read_on_by_the_other_way(tmp_path: Path) -> None:
    def fill(book: Any, page: Any) -> None:
        bold = book.add_format({"bold": True})
        page.write_row(0, 2, NAMES)
        for number in range(1, 60_000):
            page.write_row(number, 2, [f"D{number}", "王" * 20, number, "x"])
        page.write_row(60_000, 2, ["D60000", "王", 60_000])
        page.write_rich_string(60_000, 5, "a", bold, "b")

    path = write_book(tmp_path / "book.xlsx", fill, in_memory=True, constant_memory=False)
    outcome = read_file(DRIVES, path)
    assert outcome.column("手机") == [str(number) for number in range(1, 60_001)]
    assert outcome.rows[-1]["时间"] == "ab"


def test_workbooks_of_another_writer_are_read(tmp_path: Path) -> None:
    book = Workbook()
    page = book.active
    page.append(NAMES)
    page.append(["D1", "王", 138.5, NOON])
    page.append([None, None, None, None])
    page.append(["合计"])
    book.save(tmp_path / "book.xlsx")
    outcome = read_file(DRIVES, tmp_path / "book.xlsx")
    assert [outcome.rows[0][name] for name in NAMES] == ["D1", "王", "138.5", "2023-03-15 12:00:00"]
    assert len(outcome.rows) == 1


def test_text_under_the_name_of_a_workbook_is_read_as_text(tmp_path: Path) -> None:
    data = f"{','.join(NAMES)}\nD1,王,138,x\n".encode("gb18030")
    assert read_bytes(DRIVES, tmp_path, data, "book.xlsx").column("姓名") == ["王"]


def test_a_workbook_under_the_name_of_a_text_is_read_as_a_workbook(tmp_path: Path) -> None:
    contract = make_contract(" ".join(NAMES))
    path = write_book(tmp_path / "file.csv", lambda _, page: page.write_row(0, 0, NAMES))
    assert read_file(contract, path).rejects == []


def test_a_damaged_archive_is_rejected(tmp_path: Path) -> None:
    path = write_book(tmp_path / "book.xlsx", lambda _, page: page.write_row(0, 0, NAMES))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FileRejected) as rejected:
        open_reader(DRIVES, path)
    assert rejected.value.rule == "unreadable"
    assert count_rows(DRIVES, path) == 0


def test_an_archive_that_is_no_workbook_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(FileRejected) as rejected:
        open_reader(DRIVES, path)
    assert rejected.value.rule == "unreadable"


def test_a_zip_bomb_is_refused_unopened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "book.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (80 << 20))
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("the bomb was opened"))
    with pytest.raises(FileRejected) as rejected:
        workbook.check_workbook(path)
    assert rejected.value.rule == "too_large"


def test_orders_of_the_dealers_are_read_under_their_contract(tmp_path: Path) -> None:
    contract = CONTRACTS["dms.orders"]
    names = [column.delivered for column in contract.columns]

    def fill(_: Any, page: Any) -> None:
        page.write_row(0, 0, names)
        for row in range(1, 21):
            page.write_row(row, 0, [f"{name}{row}" for name in names])

    outcome = read_file(contract, write_book(tmp_path / "book.xlsx", fill))
    assert outcome.column("VIN") == [f"VIN{row}" for row in range(1, 21)]


cells = st.one_of(
    st.none(),
    st.sampled_from(["", " ", "合计", "小计:", "x", "\u3000", "单号", "=1+1", "a\nb", "<&>"]),
    st.integers(-5, 10**12),
    st.floats(-1e6, 1e6),
    st.booleans(),
)


@pytest.mark.parametrize("in_memory_strings", [True, False])
@given(
    rows=st.lists(st.lists(cells, max_size=5), max_size=12),
    above=st.integers(0, 3),
    block=st.integers(9, 3000),
)
@settings(max_examples=60, deadline=None)
def test_good_and_refused_rows_are_all_that_is_counted(
    tmp_path_factory: pytest.TempPathFactory,
    in_memory_strings: bool,
    rows: list[list[object]],
    above: int,
    block: int,
) -> None:
    def fill(_: Any, page: Any) -> None:
        page.write_row(above, 0, NAMES)
        for number, row in enumerate(rows, above + 1):
            for place, value in enumerate(row):
                if value == "" or isinstance(value, str):
                    page.write_string(number, place, value)
                elif value is not None:
                    page.write(number, place, value)

    path = tmp_path_factory.mktemp("sheets") / "book.xlsx"
    write_book(path, fill, constant_memory=not in_memory_strings)
    fast = read_file(DRIVES, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheetcount, "_BLOCK", block)
        patch.setattr(sheetxml, "_BLOCK", block + 200)
        assert read_file(DRIVES, path) == fast
        patch.setattr(sheet, "_open_archive", refuse)
        assert read_file(DRIVES, path) == fast
