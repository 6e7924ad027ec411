"""Workbooks of the old kind (.xls, BIFF8), as spreadsheet programs before 2007 wrote them.

The two files hold the same sheet, one per date base: a title, the header in row 3, a time cell, a
serial without a date format, an empty row, a totals row, and a hidden sheet. A name of the first
ends with the six bytes that are the record of the other date base.
"""

from pathlib import Path

import pytest
from reader_cases import make_contract, read_file

from zhongtai.readers.workbook import check_workbook

BOOKS = Path(__file__).parents[1] / "reference" / "workbooks"
DRIVES = make_contract("单号 姓名 手机 时间", format_="xlsx", types={"时间": "ts"})


@pytest.mark.parametrize("name", ["drives_1900.xls", "drives_1904.xls"])
def test_an_old_workbook_is_read_like_a_new_one(name: str) -> None:
    outcome = read_file(DRIVES, BOOKS / name)
    assert outcome.column("单号") == ["D1", "D2"]
    assert outcome.column("手机") == ["13812345678", "138****1234"]
    assert outcome.column("时间") == ["2023-03-15 12:00:00"] * 2
    assert outcome.column("姓名")[1] == "=cmd|x"
    assert {note.rule for note in outcome.notes} == {"sheet_skipped", "totals_row"}


def test_the_date_base_of_an_old_workbook_is_its_record_not_a_cell_like_it() -> None:
    assert not check_workbook(BOOKS / "drives_1900.xls").is_1904
    assert check_workbook(BOOKS / "drives_1904.xls").is_1904


def test_an_old_workbook_cut_anywhere_has_a_date_base(tmp_path: Path) -> None:
    whole = (BOOKS / "drives_1904.xls").read_bytes()
    cut = tmp_path / "cut.xls"
    known = whole.index(b"\x22\x00\x02\x00\x01\x00") + 6
    for size in range(known - 700, known + 8):
        cut.write_bytes(whole[:size])
        assert check_workbook(cut).is_1904 == (size >= known)
