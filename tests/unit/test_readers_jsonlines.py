"""JSON Lines: every kind of dirt of a line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_cases import CONTRACTS, make_contract, read_bytes, read_file

from zhongtai.readers import FileRejected, count_rows, jsonlines, open_reader

EVENTS = CONTRACTS["app.events"]


def line(**fields: Any) -> bytes:
    event = {"type": "track", "event": "ViewSeries", "distinct_id": "d1", "time": 1772690700000}
    return json.dumps(event | fields, ensure_ascii=False).encode() + b"\n"


def test_fields_are_delivered_as_text_and_objects_as_json(tmp_path: Path) -> None:
    data = line(properties={"$os": "iOS", "n": [1, "中"]}, login_id=None, _track_id=123456789)
    row = read_bytes(EVENTS, tmp_path, data).rows[0]
    assert row["time"] == "1772690700000"
    assert row["_track_id"] == "123456789"
    assert json.loads(row["properties"]) == {"$os": "iOS", "n": [1, "中"]}
    assert row["login_id"] is None
    assert row["identities"] is None
    assert row["_extra"] is None
    assert row["_raw"] is None


@pytest.mark.parametrize("number", ["1772690700123", "9007199254740993", "18446744073709551616"])
def test_long_numbers_keep_every_digit(tmp_path: Path, number: str) -> None:
    data = b'{"type":"track","distinct_id":%b,"time":1}\n' % number.encode()
    assert read_bytes(EVENTS, tmp_path, data).column("distinct_id") == [number]


def test_nested_json_may_come_as_a_string(tmp_path: Path) -> None:
    properties = {"a": 'q"', "b": [1]}
    rows = read_bytes(EVENTS, tmp_path, line(properties=json.dumps(properties))).rows
    assert json.loads(rows[0]["properties"]) == properties


def test_undeclared_fields_are_kept(tmp_path: Path) -> None:
    data = line() + line(dtk="x", recv_time=1772690700001, nothing=None) + line()
    outcome = read_bytes(EVENTS, tmp_path, data)
    extras = outcome.column("_extra")
    assert extras[0] is None
    assert json.loads(extras[1]) == {"dtk": "x", "recv_time": 1772690700001, "nothing": None}
    assert [note.column for note in outcome.note("column_added")] == ["dtk", "nothing", "recv_time"]


def test_lines_are_the_same_however_many_are_looked_at_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [line(distinct_id=f"d{number}", dtk=number) for number in range(7)]
    data = b"".join([*good, b"[]\n", b"{\n", b"\n", b'{"event": "\xff"}\n', *good, b"1\n"])
    whole = read_bytes(EVENTS, tmp_path, data)
    assert len(whole.rows) == 15
    assert whole.rules == ["not_an_object", "broken_json", "not_an_object"]
    assert [place for place, raw in enumerate(whole.column("_raw")) if raw] == [7]
    monkeypatch.setattr(jsonlines, "_MOST_LINES", 3)
    assert read_bytes(EVENTS, tmp_path, data) == whole


def test_of_a_repeated_field_the_first_holds_and_the_others_are_kept(tmp_path: Path) -> None:
    data = b'{"type":"track","event":"A","distinct_id":"d","time":1,"event":"B","x":{"y":[1]}}\n'
    row = read_bytes(EVENTS, tmp_path, data).rows[0]
    assert row["event"] == "A"
    assert json.loads(row["_extra"]) == {"event#2": "B", "x": {"y": [1]}}


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (b'{"type":"track","event":"Vi\n', "broken_json"),
        (b'"distinct_id":"d"}\n', "broken_json"),
        (b'{"type":"track"} {"type":"track"}\n', "broken_json"),
        (b"{'type':'track'}\n", "broken_json"),
        (b"[1, 2]\n", "not_an_object"),
        (b'"text"\n', "not_an_object"),
        (b"null\n", "not_an_object"),
        (b"42\n", "not_an_object"),
    ],
)
def test_a_line_that_is_no_object_is_refused_with_its_text(
    tmp_path: Path, broken: bytes, rule: str
) -> None:
    outcome = read_bytes(EVENTS, tmp_path, line(event="A") + broken + line(event="B"))
    assert outcome.column("event") == ["A", "B"]
    assert [(r["line"], r["rule"], r["original"]) for r in outcome.rejects] == [
        (2, rule, broken.decode().rstrip("\n"))
    ]


def test_blank_lines_a_byte_order_mark_and_crlf_do_no_harm(tmp_path: Path) -> None:
    data = (
        b"\xef\xbb\xbf" + line(event="A") + b"\r\n  \n\t\n" + line(event="B").rstrip() + b"\r\n\n"
    )
    outcome = read_bytes(EVENTS, tmp_path, data)
    assert outcome.column("event") == ["A", "B"]
    assert outcome.column("_row_number") == [1, 5]


def test_an_empty_object_is_a_row_without_values(tmp_path: Path) -> None:
    outcome = read_bytes(EVENTS, tmp_path, b" {}\n")
    assert outcome.column("type") == [None]


def test_undecodable_bytes_and_nul_are_repaired(tmp_path: Path) -> None:
    data = (
        line(event="A")
        + line(event="X").replace(b"X", b"\xff\xfe")
        + line(event="Y\0").replace(b"\\u0000", b"\0")
    )
    outcome = read_bytes(EVENTS, tmp_path, data)
    assert outcome.column("event") == ["A", "\ufffd\ufffd", "Y"]
    raws = outcome.column("_raw")
    assert raws[0] is None
    assert "\\xff\\xfe" in raws[1]
    assert "Y\\x00" in raws[2]


def test_an_escaped_nul_is_no_nul(tmp_path: Path) -> None:
    """PostgreSQL keeps none: a value that differs in it would be two here and one there."""
    nested = json.dumps({"campaign_code": "HD\x001"})
    data = (
        line(event="A\0")
        + line(properties={"campaign_code": "HD\x001"})
        + line(properties=nested)
        + line(event="C:\\u0000")
        + line(event="B").replace(b'"B"', b'"B\\u00\x0000"')
    )
    outcome = read_bytes(EVENTS, tmp_path, data)
    assert not outcome.rejects
    # cleaning drops what has no width
    assert [outcome.column("event")[at] for at in (0, 3, 4)] == ["A\u200b", "C:\\u200b", "B\u200b"]
    assert [json.loads(p) for p in outcome.column("properties")[1:3]] == [
        {"campaign_code": "HD\u200b1"}, {"campaign_code": "HD\u200b1"},
    ]  # fmt: skip
    assert "HD\\u00001" in outcome.column("_raw")[1]


def test_a_broken_line_with_undecodable_bytes_keeps_its_original(tmp_path: Path) -> None:
    outcome = read_bytes(EVENTS, tmp_path, b'{"type":"\xff\n' + line())
    assert outcome.rejects[0]["original"] == '{"type":"\\xff'


def test_raw_control_characters_and_half_surrogates_are_repaired(tmp_path: Path) -> None:
    data = (
        b'{"type":"a\tb","distinct_id":"1","time":1}\n'
        b'{"type":"cut \\ud83d","distinct_id":"2","time":1}\n'
        b'{"type":"\\\\ud83d \\ud83d\\ude00","distinct_id":"3","time":1}\n'
    )
    outcome = read_bytes(EVENTS, tmp_path, data)
    assert outcome.column("type") == ["a\tb", "cut \ufffd", "\\ud83d 😀"]
    assert [raw is None for raw in outcome.column("_raw")] == [False, False, True]


def test_gzip_members_are_read_one_after_the_other(tmp_path: Path) -> None:
    data = gzip.compress(line(event="A")) + gzip.compress(line(event="B")) + b"\0" * 512
    assert read_bytes(EVENTS, tmp_path, data).column("event") == ["A", "B"]


def test_a_truncated_gzip_file_is_rejected_with_what_could_be_counted(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    lines = b"".join(line(_track_id=n * 7919 % 1000003) for n in range(20_000))
    path.write_bytes(gzip.compress(lines)[:-10_000])
    with pytest.raises(FileRejected) as rejected:
        list(open_reader(EVENTS, path).batches())
    assert rejected.value.rule == "truncated"
    assert 0 < rejected.value.rows_in < 20_000
    assert rejected.value.rows_in == count_rows(EVENTS, path)


def test_damaged_gzip_data_rejects_the_file(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    data = bytearray(gzip.compress(b"".join(line(_track_id=n * 7919) for n in range(1000))))
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(FileRejected) as rejected:
        list(open_reader(EVENTS, path).batches())
    assert rejected.value.rule == "unreadable"


def test_a_line_beyond_the_bound_costs_one_row(tmp_path: Path) -> None:
    long = line(event="x" * (17 << 20))
    outcome = read_bytes(EVENTS, tmp_path, gzip.compress(line(event="A") + long + line(event="B")))
    assert outcome.column("event") == ["A", "B"]
    assert outcome.rules == ["record_too_long"]
    assert outcome.column("_row_number") == [1, 3]


@pytest.mark.parametrize("data", [b"", b"\n \n"])
def test_a_file_without_lines_has_no_rows(tmp_path: Path, data: bytes) -> None:
    assert read_bytes(EVENTS, tmp_path, data).counted == 0


def test_order_and_numbers_hold_over_many_blocks(tmp_path: Path) -> None:
    lines = [line(_track_id=n, properties={"pad": "x" * 900}) for n in range(20_000)]
    outcome = read_bytes(EVENTS, tmp_path, b"".join(lines))
    assert outcome.column("_track_id") == [str(n) for n in range(20_000)]
    assert outcome.column("_row_number") == list(range(1, 20_001))


# NUL is dropped
texts = st.text(st.characters(exclude_characters="\0"), max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(st.sampled_from(["a", "b", "c", "x", "y "]), values, max_size=5)
pieces = st.one_of(
    objects.map(lambda o: json.dumps(o).encode()),
    st.binary(max_size=8),
    st.sampled_from([b"", b" ", b"\r", b"[]", b'{"a":', b'{"a":1,"a":2}', b"\0", b"\xef\xbb\xbf"]),
)


@given(lines=st.lists(pieces, max_size=12), ended=st.booleans())
@settings(max_examples=100, deadline=None)
def test_good_and_refused_lines_are_all_that_is_counted(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ended: bool
) -> None:
    contract = make_contract("a b c", format_="jsonl", encodings=("utf-8",))
    path = tmp_path_factory.mktemp("lines") / "file.jsonl"
    path.write_bytes(b"\n".join([b"{}", *lines]) + (b"\n" if ended else b""))
    read_file(contract, path)


@given(rows=st.lists(objects, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_every_field_of_an_object_arrives(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    contract = make_contract("a b c", format_="jsonl", encodings=("utf-8",))
    path = tmp_path_factory.mktemp("objects") / "file.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    outcome = read_file(contract, path)
    for row, delivered in zip(rows, outcome.rows, strict=True):
        for name in ("a", "b", "c"):
            value = row.get(name)
            text = delivered[name]
            assert text == value if isinstance(value, str | None) else json.loads(text) == value
        extra = {k: v for k, v in row.items() if k not in ("a", "b", "c")}
        assert json.loads(delivered["_extra"] or "{}") == extra
