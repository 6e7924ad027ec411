"""The array scanner, the counter and a plain state machine agree on what a record is."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reader_cases import make_contract, read_file

from zhongtai.contracts import Dialect
from zhongtai.readers import bytestream, counting, structure
from zhongtai.readers.quoted import split_quoted
from zhongtai.readers.structure import MAX_RECORD_BYTES, Grammar, split_records

QUOTES_DOUBLED = Dialect()
QUOTES_ESCAPED = Dialect(escapechar="\\")


def parse_plainly(text: str, escape: str | None, columns: int) -> list[tuple[str, list[str]]]:
    """The grammar, one character at a time: a record's text and fields, none if broken."""
    records = []
    position = 0
    while position < len(text):
        end, fields = parse_record(text, position, escape)
        lines = text[position:end].splitlines()
        swallows = columns >= structure.SWALLOW_COLUMNS and any(
            line.count(",") == columns - 1 for line in lines[1:-1]
        )
        if fields is None or (len(lines) > 1 and swallows):
            end, fields = line_end(text, position), []
        records.append((text[position:end], fields))
        position = end
    return records


def parse_record(text: str, position: int, escape: str | None) -> tuple[int, list[str] | None]:
    fields = []
    while True:
        if text[position : position + 1] == '"':
            value, position = parse_quoted(text, position + 1, escape)
            if value is None or text[position : position + 1] not in ("", ",", "\r", "\n"):
                return position, None
        else:
            value, position = parse_unquoted(text, position, escape)
        fields.append(value)
        if text[position : position + 1] != ",":
            return line_end(text, position), fields
        position += 1


def parse_quoted(text: str, position: int, escape: str | None) -> tuple[str | None, int]:
    value = ""
    while position < len(text):
        pair = text[position : position + 2]
        if (escape is None and pair == '""') or is_escape(pair, escape):
            value, position = value + pair[1], position + 2
        elif pair[0] == '"':
            return value, position + 1
        else:
            value, position = value + pair[0], position + 1
    return None, position


def parse_unquoted(text: str, position: int, escape: str | None) -> tuple[str, int]:
    value = ""
    while position < len(text) and text[position] not in ",\r\n":
        pair = text[position : position + 2]
        step = 2 if is_escape(pair, escape) else 1
        value, position = value + pair[step - 1], position + step
    return value, position


def is_escape(pair: str, escape: str | None) -> bool:
    return (
        escape is not None
        and len(pair) == 2
        and pair[0] == escape
        and pair[1] in (escape, '"', ",")
    )


def line_end(text: str, position: int) -> int:
    while position < len(text) and text[position] not in "\r\n":
        position += 1
    return min(len(text), position + (2 if text[position : position + 2] == "\r\n" else 1))


def scan(text: str, grammar: Grammar, blocks: int) -> list[tuple[str, list[str]]]:
    """The records that the scanner finds when the text arrives in blocks of whole lines."""
    data = text.encode()
    lines = data.splitlines(keepends=True)
    step = max(1, len(lines) // blocks)
    pieces = [b"".join(lines[i : i + step]) for i in range(0, len(lines), step)]
    found, rest = [], b""
    for index, piece in enumerate([*pieces, b""]):
        rest += piece
        is_last = index == len(pieces)
        if is_last or rest.endswith((b"\n", b"\r")):
            records = split_records(rest, grammar, is_last=is_last)
            found += spell(records)
            rest = rest[records.consumed :]
    return found


def spell(records: structure.Records, escape: str = "") -> list[tuple[str, list[str]]]:
    content = bytes(records.content)
    found = []
    for number in range(len(records.first)):
        text = records.data[records.start[number] : records.end[number]].decode()
        first = records.first[number]
        fields = range(first, first + (0 if records.is_broken[number] else records.width[number]))
        cells = [content[records.field_start[i] : records.field_end[i]].decode() for i in fields]
        if records.escape is not None:
            cells = [c.replace(f'{escape}"', '"').replace(f"{escape},", ",") for c in cells]
        found.append((text, cells))
    return found


MARKS = ["a", "b", ",", ",", '"', '"', '""', ',"', '",', "\\", "中", "合计"]
LINE_ENDS = ["\n", "\n", "\r\n", "\r", " ", "a,b,c,d\n", '\n"']
pieces = st.sampled_from([*MARKS, *LINE_ENDS])
texts = st.lists(pieces, max_size=40).map("".join)


@pytest.mark.parametrize("escape", [None, "\\"])
@given(text=texts, blocks=st.integers(1, 5))
@example(text='a,"b\nc,d', blocks=2)
@example(text='1,"x\n2,b,c,d\n3,d,e"', blocks=1)
@example(text='"a\r\n"', blocks=1)
@settings(max_examples=600, deadline=None)
def test_the_scanner_follows_the_grammar(escape: str | None, text: str, blocks: int) -> None:
    grammar = Grammar(ord(","), ord('"'), ord(escape) if escape else None, 4)
    expected = [
        (
            record.rstrip("\n").removesuffix("\r")
            if record.endswith("\n")
            else record.removesuffix("\r"),
            fields,
        )
        for record, fields in parse_plainly(text, escape, 4)
    ]
    if "\r\n" in text or "\r" in text:
        # a block never ends within a CRLF, so lone returns are only cut with the text
        blocks = 1
    assert scan(text, grammar, blocks) == expected


quoted = st.lists(st.sampled_from([*MARKS, "\\,", '\\"', "\\\\", ""]), max_size=3).map(
    lambda marks: f'"{"".join(marks)}"'
)
tidy = st.sampled_from(['"a"', '""', '"b c"', '"\\""', '"中,"', '","'])
rows = st.lists(st.one_of(tidy, tidy, tidy, quoted), min_size=1, max_size=5).map(",".join)


@pytest.mark.parametrize("escape", [None, "\\"])
@given(lines=st.lists(rows, min_size=1, max_size=6), end=st.sampled_from(["\n", "\n", "\r\n"]))
@settings(max_examples=1000, deadline=None)
def test_what_is_plainly_quoted_is_cut_as_the_scanner_cuts_it(
    escape: str | None, lines: list[str], end: str
) -> None:
    data = "".join(line + end for line in lines).encode()
    grammar = Grammar(ord(","), ord('"'), ord(escape) if escape else None, 4)
    found = split_quoted(data, grammar)
    if found:
        expected = split_records(data, grammar, is_last=False)
        assert spell(found, escape or "") == spell(expected)
        for name in ("first", "width", "start", "end", "line", "is_broken"):
            assert getattr(found, name).tolist() == getattr(expected, name).tolist()
        assert (found.consumed, found.line_ends) == (expected.consumed, expected.line_ends)


@pytest.mark.parametrize("escape", [None, "\\"])
def test_tidy_files_are_plainly_quoted(escape: str | None) -> None:
    grammar = Grammar(ord(","), ord('"'), ord(escape) if escape else None, 4)
    cell = '\\"x\\,' if escape else "x, y"
    data = f'"a","","{cell}",""\r\n"b","c","d","e"\r\n'.encode()
    assert split_quoted(data, grammar)


@pytest.mark.parametrize("dialect", [QUOTES_DOUBLED, QUOTES_ESCAPED])
@given(body=texts, blank=st.booleans(), block=st.integers(12, 60))
@example(body='""\n', blank=False, block=60)
@example(body='合计,""a\n', blank=False, block=12)
@example(body='\\,","\n"', blank=False, block=12)
@example(body="a,b\\\nc,d\n", blank=False, block=12)
@example(body='合计,""a"\n', blank=False, block=12)
@example(body='"合计",1\n', blank=False, block=60)
@example(body='"合计",,\n', blank=False, block=60)
@example(body=' ,"\n",\n', blank=False, block=60)
@settings(max_examples=600, deadline=None)
def test_good_and_refused_records_are_all_that_is_counted(
    tmp_path_factory: pytest.TempPathFactory, dialect: Dialect, body: str, blank: bool, block: int
) -> None:
    contract = make_contract("k v w x", dialect=dialect)
    path = tmp_path_factory.mktemp("grammar") / "file.csv"
    path.write_text(("\n\n" if blank else "") + "k,v,w,x\n" + body, newline="")
    whole = read_file(contract, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytestream, "BLOCK_BYTES", block)
        patch.setattr(counting, "_CHUNK_BYTES", 72 - block)
        assert read_file(contract, path) == whole


@example(body=b"\\u0000", encoding="utf-8")
@given(body=st.binary(max_size=60), encoding=st.sampled_from(["utf-8", "gb18030"]))
@settings(max_examples=400, deadline=None)
def test_any_bytes_at_all_balance(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, encoding: str
) -> None:
    contract = make_contract("客户ID 姓名", encodings=("gb18030", "utf-8"))
    path = tmp_path_factory.mktemp("bytes") / "file.csv"
    path.write_bytes(
        "客户ID,姓名\n1,王小明\n2,李雷\n3,韩梅梅\n4,诸葛孔明\n5,上官婉儿\n".encode(encoding) + body
    )
    read_file(contract, path)


def test_a_quote_that_never_closes_costs_one_record_however_long_the_file(tmp_path: Path) -> None:
    rest = "".join(f"{n},b,c,d\n" for n in range(MAX_RECORD_BYTES // 4))
    path = tmp_path / "file.csv"
    path.write_text('k,v,w,x\n0,"b,c,d\n' + rest)
    outcome = read_file(make_contract("k v w x"), path)
    assert outcome.rules == ["broken_quote"]
    assert outcome.rejects[0]["original"] == '0,"b,c,d'
    assert len(outcome.rows) == MAX_RECORD_BYTES // 4
