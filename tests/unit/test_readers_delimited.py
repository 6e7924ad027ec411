"""Every kind of dirt that a delimited file may have: read, repaired or refused with a reason."""

import gzip
import json
from pathlib import Path

import pytest
from reader_cases import CONTRACTS, make_contract, read_bytes

from zhongtai.contracts import Dialect
from zhongtai.readers import FileRejected, count_rows, open_reader

LEADS = "线索唯一ID 客户姓名 手机号"
HEADER = "线索唯一ID,客户姓名,手机号\n"


def leads() -> object:
    return make_contract(LEADS)


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-8", "王小明"), ("utf-8-sig", "王小明"), ("gbk", "王小明"), ("gb18030", "㐂"),
        ("gb18030", "𠮷野家"), ("utf-16", "王小明"), ("utf-16-le", "𠮷"), ("utf-16-be", "王小明"),
    ],
)  # fmt: skip
def test_every_listed_encoding_is_read(tmp_path: Path, codec: str, name: str) -> None:
    data = (HEADER + f"1,{name},138\n2,李雷,139\n").encode(codec)
    outcome = read_bytes(leads(), tmp_path, data)
    assert outcome.column("客户姓名") == [name, "李雷"]
    assert outcome.column("线索唯一ID") == ["1", "2"]
    assert outcome.column("_raw") == [None, None]


def test_a_tab_separated_spreadsheet_export_in_utf16_is_read(tmp_path: Path) -> None:
    data = (HEADER + "1,王小明,138\n").replace(",", "\t").replace("\n", "\r\n").encode("utf-16")
    assert read_bytes(leads(), tmp_path, data).column("手机号") == ["138"]


def test_an_encoding_shows_although_the_first_megabytes_are_ascii(tmp_path: Path) -> None:
    contract = make_contract("id name")
    rows = "".join(f"{n},ann\n" for n in range(200_000))
    data = ("id,name\n" + rows + "x,王小明\n").encode("gb18030")
    assert read_bytes(contract, tmp_path, data).rows[-1]["name"] == "王小明"


def test_undecodable_bytes_cost_a_character_and_keep_the_original(tmp_path: Path) -> None:
    data = HEADER.encode() + "1,王".encode() + b"\xff\xe7" + ",138\n2,李雷,139\n".encode()
    outcome = read_bytes(leads(), tmp_path, data)
    assert outcome.column("客户姓名") == ["王\ufffd\ufffd", "李雷"]
    assert outcome.column("_raw") == ["1,王\\xff\\xe7,138", None]


def test_undecodable_bytes_in_a_gbk_file_do_not_touch_other_rows(tmp_path: Path) -> None:
    data = (
        (HEADER + "1,王小明,138\n2,").encode("gbk") + b"\xff" + ",139\n3,李雷,137\n".encode("gbk")
    )
    outcome = read_bytes(leads(), tmp_path, data)
    assert outcome.column("客户姓名") == ["王小明", "\ufffd", "李雷"]
    assert outcome.column("_raw") == [None, "2,\\xff,139", None]


def test_a_gbk_line_within_a_utf8_file_is_decoded_as_such(tmp_path: Path) -> None:
    data = (HEADER + "1,王小明,138\n").encode() + "2,李雷,139\n".encode("gbk")
    outcome = read_bytes(leads(), tmp_path, data)
    assert outcome.column("客户姓名") == ["王小明", "李雷"]
    assert outcome.column("_raw")[0] is None
    assert outcome.column("_raw")[1].startswith("2,\\x")


def test_the_original_of_a_repaired_record_is_all_of_its_lines(tmp_path: Path) -> None:
    data = HEADER.encode() + b'1,"a\nb\xff\nc",138\n2,"x\xff\n3,y,139\n'
    outcome = read_bytes(leads(), tmp_path, data)
    assert outcome.column("客户姓名") == ["a\nb\ufffd\nc", "y"]
    assert outcome.rows[0]["_raw"] == '1,"a\nb\\xff\nc",138'
    assert outcome.rejects[0]["original"] == '2,"x\\xff'


def test_nul_bytes_are_dropped_and_the_row_marked(tmp_path: Path) -> None:
    outcome = read_bytes(leads(), tmp_path, HEADER.encode() + b"1,a\0b,138\n\0\0\0")
    assert outcome.column("客户姓名") == ["ab"]
    assert outcome.column("_raw") == ["1,a\\x00b,138"]


def test_backslashes_escape_where_the_contract_says_so(tmp_path: Path) -> None:
    contract = CONTRACTS["website.custom_events"]
    names = [column.delivered for column in contract.columns]
    values = dict.fromkeys(names, "x") | {"eventVariable": '{"n":"a \\"q\\", \\\\ b"}'}
    variables = values["eventVariable"].replace("\\", "\\\\").replace('"', '\\"')
    line = ",".join(f'"{variables if n == "eventVariable" else values[n]}"' for n in names)
    bare = ",".join('{\\"a\\": 1}' if n == "eventVariable" else "y" for n in names)
    data = gzip.compress(f"{','.join(names)}\n{line}\n{bare}\n".encode())
    outcome = read_bytes(contract, tmp_path, data)
    assert outcome.column("eventVariable") == [values["eventVariable"], '{"a": 1}']
    assert json.loads(outcome.rows[0]["eventVariable"]) == {"n": 'a "q", \\ b'}


def test_doubled_quotes_and_newlines_stand_within_quoted_fields(tmp_path: Path) -> None:
    data = HEADER + '1,"a ""b"", c\r\nd",138\n"2","","139"\n3,5" x 7",137\n'
    outcome = read_bytes(leads(), tmp_path, data.encode())
    assert outcome.column("客户姓名") == ['a "b", c\r\nd', "", '5" x 7"']
    assert outcome.column("_row_number") == [2, 4, 5]


@pytest.mark.parametrize("broken", ['2,"b,139', '2,"b"x,139', '2,b,"139'])
def test_an_unclosed_quote_costs_its_own_line_only(tmp_path: Path, broken: str) -> None:
    data = HEADER + f'1,a,138\n{broken}\n3,"c, d",137\n4,e,136\n'
    outcome = read_bytes(leads(), tmp_path, data.encode())
    assert outcome.column("线索唯一ID") == ["1", "3", "4"]
    assert [(r["line"], r["rule"], r["original"]) for r in outcome.rejects] == [
        (3, "broken_quote", broken)
    ]


def test_two_stray_quotes_do_not_swallow_the_records_between_them(tmp_path: Path) -> None:
    contract = make_contract("a b c d")
    data = 'a,b,c,d\n1,x,y,"open\n2,x,y,z\n3,x,y,z"\n4,x,y,z\n'
    outcome = read_bytes(contract, tmp_path, data.encode())
    assert outcome.column("a") == ["2", "3", "4"]
    assert outcome.rules == ["broken_quote"]


def test_line_ends_may_be_mixed(tmp_path: Path) -> None:
    data = HEADER.replace("\n", "\r\n") + "1,a,138\n2,b,139\r\n3,c,137\r4,d,136"
    assert read_bytes(leads(), tmp_path, data.encode()).column("手机号") == [
        "138", "139", "137", "136",
    ]  # fmt: skip


def test_line_ends_may_all_be_returns(tmp_path: Path) -> None:
    data = (HEADER + "1,a,138\n2,b,139\n").replace("\n", "\r")
    assert read_bytes(leads(), tmp_path, data.encode()).column("手机号") == ["138", "139"]


def test_surplus_empty_fields_do_no_harm_but_surplus_values_do(tmp_path: Path) -> None:
    data = HEADER + "1,a,138,,\n2,b,139,x\n3,c\n4,d,137\n"
    outcome = read_bytes(leads(), tmp_path, data.encode())
    assert outcome.column("线索唯一ID") == ["1", "4"]
    assert outcome.rules == ["field_count", "field_count"]
    assert [r["original"] for r in outcome.rejects] == ["2,b,139,x", "3,c"]


def test_empty_records_and_totals_rows_are_no_rows(tmp_path: Path) -> None:
    data = HEADER + '\n1,a,138\n,,\n" ",\u3000,\n2,合计,139\n合计,,277\n, 总计：,\n小计\n'
    outcome = read_bytes(leads(), tmp_path, data.encode())
    assert outcome.column("线索唯一ID") == ["1", "2"]
    assert outcome.counted == 2
    assert outcome.note("totals_row")[0].rows == 3


def test_marks_that_separate_nothing_fill_a_field(tmp_path: Path) -> None:
    outcome = read_bytes(leads(), tmp_path, (HEADER + ',;,|\n,",",\n,"""",\n').encode())
    assert outcome.column("客户姓名") == [";", ",", '"']


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_another_delimiter_rejects_the_file(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "file.csv"
    path.write_text((HEADER + "1,a,138\n2,b,139\n").replace(",", delimiter))
    with pytest.raises(FileRejected) as rejected:
        open_reader(leads(), path)
    assert rejected.value.rule == "wrong_delimiter"
    assert rejected.value.rows_in == count_rows(leads(), path) == 2
    assert repr(delimiter) in rejected.value.reason


def test_headers_match_whatever_their_case_brackets_and_invisible_characters(
    tmp_path: Path,
) -> None:
    contract = CONTRACTS["crm.leads"]
    names = [column.delivered for column in contract.columns]
    shown = [
        {
            "手机号": "\u200b手机号（脱敏） ",
            "微信UnionID": "微信unionid",
            "inquiry_id": "INQUIRY_ID",
        }.get(n, n)
        for n in reversed(names)
    ]
    line = ",".join(f"v{n}" for n in range(len(names)))
    outcome = read_bytes(contract, tmp_path, f"{','.join(shown)}\n{line}\n".encode())
    assert outcome.rows[0]["手机号"] == f"v{len(names) - 1 - names.index('手机号')}"
    assert outcome.rows[0]["_extra"] is None
    assert [outcome.rows[0][name] for name in names] == [
        f"v{n}" for n in reversed(range(len(names)))
    ]


def test_a_column_of_its_own_name_comes_before_one_under_an_alias(tmp_path: Path) -> None:
    contract = CONTRACTS["crm.owner_contacts"]
    names = [column.delivered for column in contract.columns]
    header = ",".join(["手机号(脱敏)", *names])
    outcome = read_bytes(
        contract, tmp_path, f"{header}\nmasked,{','.join(f'v {n}' for n in names)}\n".encode()
    )
    assert outcome.rows[0]["手机号"] == "v 手机号"
    assert json.loads(outcome.rows[0]["_extra"]) == {"手机号(脱敏)": "masked"}


def test_added_columns_are_kept_and_missing_ones_are_null(tmp_path: Path) -> None:
    data = '线索唯一ID,新列,客户姓名,新列\n1,"x ""y""",王,z\n'
    outcome = read_bytes(leads(), tmp_path, data.encode())
    assert outcome.rows[0]["手机号"] is None
    assert json.loads(outcome.rows[0]["_extra"]) == {"新列": 'x "y"', "新列#2": "z"}
    assert [n.column for n in outcome.note("column_added")] == ["新列", "新列#2"]
    assert [n.column for n in outcome.note("column_missing")] == ["手机号"]


def test_a_repeated_header_name_keeps_the_first_column(tmp_path: Path) -> None:
    outcome = read_bytes(leads(), tmp_path, "线索唯一ID,客户姓名,客户姓名\n1,a,b\n".encode())
    assert outcome.rows[0]["客户姓名"] == "a"
    assert json.loads(outcome.rows[0]["_extra"]) == {"客户姓名#2": "b"}


def test_a_missing_required_column_rejects_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("客户姓名,手机号,备注\n王,138,x\n李,139,y\n")
    with pytest.raises(FileRejected) as rejected:
        open_reader(leads(), path)
    assert rejected.value.rule == "required_column_missing"
    assert rejected.value.rows_in == 2
    assert "线索唯一ID" in rejected.value.reason
    assert "备注" in rejected.value.reason


@pytest.mark.parametrize("size", [300 << 10, 17 << 20])
def test_a_first_line_without_an_end_is_said_to_be_no_header(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"a," * (size // 2))
    with pytest.raises(FileRejected) as rejected:
        open_reader(leads(), path)
    assert rejected.value.rule == "header_too_long"


def test_a_file_without_a_header_is_rejected_without_showing_its_values(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("1,王小明,13912345678\n2,李雷,13912345679\n")
    with pytest.raises(FileRejected) as rejected:
        open_reader(leads(), path)
    assert rejected.value.rule == "required_column_missing"
    assert "王小明" not in str(rejected.value)


def test_titles_may_stand_above_the_header(tmp_path: Path) -> None:
    data = "线索明细表,,\n导出时间：2026-03-05,,\n\n" + HEADER + "1,a,138\n"
    outcome = read_bytes(leads(), tmp_path, data.encode())
    assert outcome.column("线索唯一ID") == ["1"]
    assert outcome.column("_row_number") == [5]


def test_a_header_in_the_middle_is_refused(tmp_path: Path) -> None:
    outcome = read_bytes(leads(), tmp_path, (HEADER + "1,a,138\n" + HEADER + "2,b,139\n").encode())
    assert outcome.column("线索唯一ID") == ["1", "2"]
    assert outcome.rules == ["repeated_header"]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", HEADER.encode()])
def test_files_without_rows_have_no_rows(tmp_path: Path, data: bytes) -> None:
    outcome = read_bytes(leads(), tmp_path, data)
    assert outcome.rows == []
    assert bool(outcome.note("empty_file")) == (data.strip() != HEADER.strip().encode())


def test_a_truncated_gzip_file_is_rejected_with_what_could_be_counted(tmp_path: Path) -> None:
    rows = "".join(f"{n},{'abcdefgh'[n % 8] * (n % 40)},{n * 7919}\n" for n in range(50_000))
    path = tmp_path / "file.csv.gz"
    path.write_bytes(gzip.compress((HEADER + rows).encode())[:-60_000])
    with pytest.raises(FileRejected) as rejected:
        list(open_reader(leads(), path).batches())
    assert rejected.value.rule == "truncated"
    assert 0 < rejected.value.rows_in < 50_000
    assert rejected.value.rows_in == count_rows(leads(), path)


def test_several_gzip_members_are_one_file(tmp_path: Path) -> None:
    data = (
        gzip.compress(HEADER.encode()) + gzip.compress(b"1,a,138\n2,b") + gzip.compress(b",139\n")
    )
    assert read_bytes(leads(), tmp_path, data).column("手机号") == ["138", "139"]


def test_a_line_beyond_the_bound_costs_one_row(tmp_path: Path) -> None:
    data = HEADER.encode() + b"1,a,138\n2," + b"x" * (17 << 20) + b",139\n3,c,137\n"
    outcome = read_bytes(leads(), tmp_path, data)
    assert outcome.column("线索唯一ID") == ["1", "3"]
    assert outcome.rules == ["record_too_long"]
    assert len(outcome.rejects[0]["original"]) < 1 << 20


def test_text_that_looks_like_anything_stays_text(tmp_path: Path) -> None:
    values = [
        "007",
        "1.38E+10",
        "=cmd|' /C calc'!A0",
        "null",
        "-",
        " x ",
        "'138",
        "2026/3/5",
        "１３８",
    ]
    data = HEADER + "".join(f"{n},{value},x\n" for n, value in enumerate(values))
    assert read_bytes(leads(), tmp_path, data.encode()).column("客户姓名") == values


def test_a_path_with_blanks_and_chinese_characters_is_read(tmp_path: Path) -> None:
    outcome = read_bytes(leads(), tmp_path, (HEADER + "1,a,138\n").encode(), "线索 明细 (1).csv")
    assert len(outcome.rows) == 1


def test_records_survive_block_borders(tmp_path: Path) -> None:
    long = "字" * 3000
    rows = "".join(f'{n},"{long}\n{n}",{n}\n' for n in range(2500))
    outcome = read_bytes(leads(), tmp_path, (HEADER + rows).encode("gb18030"))
    assert outcome.column("手机号") == [str(n) for n in range(2500)]
    assert outcome.column("客户姓名") == [f"{long}\n{n}" for n in range(2500)]


def test_a_foreign_dialect_is_taken_from_the_contract(tmp_path: Path) -> None:
    contract = make_contract(LEADS, dialect=Dialect(delimiter="|", quotechar="'"))
    data = (HEADER + "1,'a,b',138\n").replace(",", "|").replace("a|b", "a|,b")
    assert read_bytes(contract, tmp_path, data.encode("gb18030")).column("客户姓名") == ["a|,b"]


@pytest.mark.parametrize("left", [0, 12, 20])
def test_a_gzip_file_that_breaks_off_before_its_header_is_rejected(
    tmp_path: Path, left: int
) -> None:
    path = tmp_path / "leads.csv.gz"
    path.write_bytes(gzip.compress(HEADER.encode())[:left] or gzip.compress(b"")[:10])
    assert count_rows(leads(), path) == 0
    with pytest.raises(FileRejected) as rejected:
        open_reader(leads(), path)
    assert rejected.value.rule == "truncated"
