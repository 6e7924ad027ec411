"""JSON Lines whose lines are no objects, or objects that few parsers survive."""

import json
from collections.abc import Iterator

from corpus import CONTRACTS, EVENTS, Bad, fault, good_row
from fault_parts import IS_FULL


def line(**changes: object) -> bytes:
    """A good event, changed."""
    row = good_row(CONTRACTS["app.events"]) | changes
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def lines(count: int) -> bytes:
    """So many good events."""
    return b"".join(line() for _ in range(count))


def among(bad: bytes) -> bytes:
    """A line between two good ones."""
    return line() + bad + b"\n" + line()


def with_value(text: bytes, name: bytes = b"x") -> bytes:
    """A good event with one more field, its value as it is."""
    return line().removesuffix(b"}\n") + b', "' + name + b'": ' + text + b"}"


def refused(bad: bytes, rule: str = "broken_json", says: str = "not valid JSON") -> Iterator[Bad]:
    """A line that costs itself, in each source of events."""
    for entity in EVENTS:
        yield Bad(entity, among(bad), 3, 1, rule=rule, says=says)


def survived(good: bytes, rows: int = 1) -> Iterator[Bad]:
    """A line that loads, in each source of events."""
    for entity in EVENTS:
        yield Bad(entity, among(good), rows + 2)


@fault
def json_nested_to_the_sky() -> Iterator[Bad]:
    for depth in (600, 20_000, 300_000, *([2_000_000] * IS_FULL)):
        for opened, closed in ((b"[", b"]"), (b'{"a":', b"}")):
            value = opened * depth + b"1" + closed * depth
            yield from refused(with_value(value), "nested_too_deep", "more than 512 deep")
    yield from refused(b"[" * 1_000_000, "nested_too_deep", "more than 512 deep")


@fault
def json_nested_within_reason() -> Iterator[Bad]:
    for value in (
        b"[" * 400 + b"]" * 400,
        b"[" + b"{}," * 2000 + b"{}]",
        b'"' + b"[{" * 900 + b'"',
    ):
        yield from survived(with_value(value))


@fault
def json_repeated_names() -> Iterator[Bad]:
    yield from survived(line(a=1).removesuffix(b"}\n") + b', "a": 2, "type": "other", "a": 3}')
    # longer and deeper than Python reads
    for value in (b"9" * 5000, b"[" * 500 + b"]" * 500):
        yield from survived(with_value(value).removesuffix(b"}") + b', "type": "other"}')


@fault
def json_numbers_of_no_machine() -> Iterator[Bad]:
    for value in (b"1e999", b"-1e999", b"9" * 400, b"0." + b"0" * 400 + b"1", b"1E-999"):
        yield from survived(with_value(value))
    for value in (b"0x1F", b"01", b"1.", b".5", b"+1", b"1e", b"1_000"):
        yield from refused(with_value(value))


@fault
def json_not_a_number() -> Iterator[Bad]:
    for value in (b"NaN", b"Infinity", b"-Infinity"):
        yield from survived(with_value(value))


@fault
def json_lone_surrogates() -> Iterator[Bad]:
    for value in (rb'"\ud800"', rb'"\udc00\ud800"', rb'"\ud83d"', rb'"a\ud83dz"'):
        yield from survived(with_value(value))
    yield from survived(with_value(b"1", rb"\ud800"))


@fault
def json_names_that_bite() -> Iterator[Bad]:
    names = (
        rb"\u0000", rb"a\u0000b", b"", b"k" * 10_000, b"'; drop schema ledger cascade; --",
        b"$.a", b'\\"', rb"\\", rb"\n\r\u001b[31m", "\u202e漢".encode(), b"#2", b"_extra",
    )  # fmt: skip
    for name in names:
        yield from survived(with_value(b"1", name))


@fault
def json_of_ten_thousand_names() -> Iterator[Bad]:
    names = b", ".join(b'"n%d": %d' % (n, n) for n in range(10_000))
    yield from survived(line().removesuffix(b"}\n") + b", " + names + b"}")


@fault
def json_that_is_no_object() -> Iterator[Bad]:
    for value in (b"[]", b"[1, 2]", b"1", b'"text"', b"null", b"true", b'[{"a": 1}]'):
        yield from refused(value, "not_an_object", "no JSON object")


@fault
def a_document_over_many_lines() -> Iterator[Bad]:
    text = json.dumps([good_row(CONTRACTS["app.events"]) for _ in range(3)], indent=2).encode()
    rows = len(text.splitlines())
    for entity in EVENTS:
        rule = "broken_json not_an_object"
        yield Bad(entity, text, rows, rows, rule=rule, says="JSON")


@fault
def json_as_no_standard_writes_it() -> Iterator[Bad]:
    bad = (
        b"{'type': 'track'}", b'{a: 1}', b'{"a": undefined}',
        b'{"a": 1}{"a": 2}', b'{"a": 1}, ', b'{"a" 1}', b'{"a": "', b'{"a": "\\x"}', b"}", b"{",
        b'{"a": "\\u12"}', b'{"a": tru}', b'{"a": 1', b'"type": "track"}',
    )  # fmt: skip
    for value in bad:
        yield from refused(value)


@fault
def json_with_bytes_of_no_text() -> Iterator[Bad]:
    for value in (b'"\x00\x01\x1f"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\xc0\xaf"', b'"\t"'):
        yield from survived(with_value(value))


@fault
def json_in_another_encoding() -> Iterator[Bad]:
    for codec in ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"):
        for entity in EVENTS:
            yield Bad(entity, lines(5).decode().encode(codec), 5)


@fault
def a_value_of_megabytes() -> Iterator[Bad]:
    yield from survived(with_value(b'"' + b"x" * (10 << 20) + b'"'))
    for entity in EVENTS[:1]:
        bad = with_value(b'"' + b"x" * (17 << 20) + b'"')
        yield Bad(entity, among(bad), 3, 1, rule="record_too_long", says="too long")


@fault
def a_line_that_breaks_off() -> Iterator[Bad]:
    for entity in EVENTS:
        whole_line = line().rstrip()
        for cut in (1, 10, len(whole_line) - 1):
            yield Bad(
                entity, line() + whole_line[:cut], 2, 1, rule="broken_json", says="not valid JSON"
            )


@fault
def marks_and_blanks_between_lines() -> Iterator[Bad]:
    for entity in EVENTS:
        data = b"\xef\xbb\xbf" + line() + b"\n \r\n\t\n" + line().replace(b"\n", b"\r\n") + b"\0\n"
        yield Bad(entity, data, 2)
        yield Bad(entity, line() + b"\xef\xbb\xbf" + line(), 2)
