"""Good files of every format with bytes flipped, cut, doubled and spliced: always a verdict."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from corpus import BOOKS, CONTRACTS, LEADS, NOW, adf, book, packed, prospect, table
from corpus_books import SHARED, SHEET, rewrite
from corpus_events import lines
from fault_parts import IS_FULL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhongtai.ingest.drain import open_duckdb
from zhongtai.ingest.judgement import Bench, Judgement, judge_content
from zhongtai.landing import Delivery, LandedFile, LandingZone
from zhongtai.settings import load_settings

EXAMPLES = 1000 if IS_FULL else 20
OLD_BOOK = Path(__file__).parents[1] / "reference" / "workbooks" / "drives_1900.xls"

TOKENS = (
    b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\\", b"'", b";",
    b"<", b">", b"&", b"<!--", b"]]>", b"<![CDATA[", b"</row>", b"<row>", b"<c ", b"</prospect>",
    b"<prospect>", b"<!ENTITY", b"{", b"}", b"[", b"]", b"\\u0000", b"\\ud800", b"1e999", b"-1",
    b"null", b"\x81\x30", "合计".encode(), "合计".encode("gb18030"), b" " * 40, b"9" * 25,
)  # fmt: skip

spans = st.tuples(st.floats(0, 1), st.integers(1, 24))
mutations = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), spans, st.binary(min_size=1, max_size=3)),
        st.tuples(st.just("insert"), spans, st.sampled_from(TOKENS)),
        st.tuples(st.just("cut"), spans, st.just(b"")),
        st.tuples(st.just("double"), spans, st.just(b"")),
        st.tuples(st.just("end"), spans, st.just(b"")),
    ),
    min_size=1,
    max_size=6,
)
Mutation = tuple[str, tuple[float, int], bytes]


def mutate(data: bytes, changes: list[Mutation]) -> bytes:
    """The bytes after each of the changes."""
    for kind, (share, size), text in changes:
        at = int(share * len(data))
        if kind == "flip":
            data = data[:at] + text + data[at + len(text) :]
        elif kind == "insert":
            data = data[:at] + text + data[at:]
        elif kind == "cut":
            data = data[:at] + data[at + size :]
        elif kind == "double":
            data = data[: at + size] + data[at:]
        elif share > 0.5:
            data = data[:at]
    return data


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """What judges files, without a landing zone or a ledger."""
    home = tmp_path_factory.mktemp("fuzz")
    with open_duckdb(load_settings(home=home, database_url="postgresql://none")) as duck:
        yield Bench(LandingZone(str(home)), home, duck, NOW, frozenset())


def judged(bench: Bench, entity: str, data: bytes, name: str) -> Judgement:
    """What becomes of a file of these bytes."""
    path = bench.folder / name
    path.write_bytes(data)
    file = LandedFile(f"x/{name}", str(path), len(data), NOW)
    judgement = Judgement(Delivery(CONTRACTS[entity], file, ""), "0" * 64, NOW, path)
    judge_content(bench, judgement)
    return judgement


SEEDS = {
    "text": ("partner.members", table("partner.members", 6).bytes()),
    "text_in_gbk": ("dms.dealers", table("dms.dealers", 6).bytes()),
    "text_with_escapes": ("website.visits", table("website.visits", 6).bytes()),
    "text_in_utf16": ("crm.follow_ups", table("crm.follow_ups", 6).bytes("utf-16")),
    "gzip": ("website.visits", packed(table("website.visits", 60).bytes())),
    "events": ("app.events", lines(6)),
    "leads": (LEADS, adf(*(prospect("<comments>x &amp; y</comments>") for _ in range(4)))),
    "workbook": (BOOKS[0], book(BOOKS[0], 6)),
    "old_workbook": (BOOKS[1], OLD_BOOK.read_bytes()),
}
PLAIN = ("text", "text_in_gbk", "text_with_escapes", "text_in_utf16", "gzip", "events", "leads")
fuzzing = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("seed", SEEDS)
@given(changes=mutations)
@fuzzing
def test_a_mutated_file_is_judged(bench: Bench, seed: str, changes: list[Mutation]) -> None:
    entity, data = SEEDS[seed]
    judgement = judged(bench, entity, mutate(data, changes), seed)
    assert "the reader failed" not in (judgement.reason or "")
    out = judgement.rows_loaded + judgement.rows_quarantined
    assert judgement.rows_in == out
    # text can be read in one way only; a workbook may contradict itself
    assert seed not in PLAIN or judgement.rule != "unbalanced"


MEMBERS = (SHEET, SHARED, "xl/workbook.xml", "xl/styles.xml", "xl/_rels/workbook.xml.rels")


@pytest.mark.parametrize("member", MEMBERS)
@given(changes=mutations)
@fuzzing
def test_a_workbook_with_mutated_xml_is_judged(
    bench: Bench, member: str, changes: list[Mutation]
) -> None:
    entity, data = SEEDS["workbook"]
    changed = rewrite(data, member, lambda content: mutate(content, changes))
    judgement = judged(bench, entity, changed, "xml")
    assert "the reader failed" not in (judgement.reason or "")
    assert judgement.rows_in == judgement.rows_loaded + judgement.rows_quarantined
