"""ADF XML: every spelling and every dirt of a prospect."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_cases import CONTRACTS, Outcome, read_bytes, read_file

from zhongtai.readers import FileRejected, adf, count_rows, open_reader
from zhongtai.readers.markup import Tags

LEADS = CONTRACTS["crm.adf_leads"]
FULL = """<prospect status="new">
<id sequence="1" source="懂车帝">A1</id>
<requestdate>2026-03-05T15:30:20-08:0</requestdate>
<vehicle interest="buy"><year>2026</year><make>M</make><model>A7</model><trim>Pro</trim></vehicle>
<customer><contact>
<name part="first">小明</name><name part="last">王</name>
<email>a@example.com</email><phone type="cellphone">138 1234 5678</phone>
<address><street line="1">路1</street><street line="2">号2</street><city>深圳</city>
<regioncode>GD</regioncode><postalcode>518000</postalcode></address>
</contact><comments>想试驾</comments></customer>
<vendor><id>D001</id><vendorname>店</vendorname></vendor>
<provider><name part="full">平台</name></provider>
</prospect>"""


def read(
    tmp_path: Path, body: str, head: str = '<?ADF VERSION="1.0"?>', codec: str = "utf-8"
) -> Outcome:
    return read_bytes(LEADS, tmp_path, f"{head}\n<adf>{body}</adf>".encode(codec), "leads.xml")


def lead(inner: str, number: int = 1) -> str:
    return f'<prospect><id source="s">{number}</id>{inner}</prospect>'


def test_every_column_of_a_prospect_is_read(tmp_path: Path) -> None:
    row = read(tmp_path, FULL).rows[0]
    assert {name: row[name] for name in (c.delivered for c in LEADS.columns)} == {
        "id": "A1", "source": "懂车帝", "requestdate": "2026-03-05T15:30:20-08:0",
        "vehicle_interest": "buy", "vehicle_year": "2026", "vehicle_make": "M",
        "vehicle_model": "A7", "vehicle_trim": "Pro", "name": "王小明", "phone": "138 1234 5678",
        "email": "a@example.com", "address": "路1 号2", "city": "深圳", "regioncode": "GD",
        "comments": "想试驾", "vendor_id": "D001", "provider_name": "平台",
    }  # fmt: skip
    assert json.loads(row["_extra"]) == {
        "customer/contact/address/postalcode": "518000",
        "vendor/vendorname": "店",
    }
    assert row["_raw"] is None


@pytest.mark.parametrize(
    "head",
    [
        '<?ADF VERSION="1.0"?>',
        '<?xml version="1.0" encoding="UTF-8"?>\n<?adf version="1.0"?>',
        '<?adf version="1.0"?><?xml version="1.0"?>',
        "",
    ],
)
def test_both_spellings_of_the_instruction_occur(tmp_path: Path, head: str) -> None:
    assert read(tmp_path, FULL, head).column("id") == ["A1"]


@pytest.mark.parametrize(
    ("codec", "declared"),
    [
        ("gb18030", "GBK"),
        ("gb18030", "UTF-8"),
        ("utf-8", "gb2312"),
        ("utf-8-sig", ""),
        ("utf-16", "UTF-16"),
    ],
)
def test_the_bytes_decide_the_encoding(tmp_path: Path, codec: str, declared: str) -> None:
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    assert read(tmp_path, FULL, head, codec).column("name") == ["王小明"]


def test_a_declared_western_encoding_is_believed(tmp_path: Path) -> None:
    body = lead('<customer><contact><name part="full">José</name></contact></customer>')
    head = '<?xml version="1.0" encoding="ISO-8859-1"?>'
    assert read(tmp_path, body, head, "latin-1").column("name") == ["José"]


@pytest.mark.parametrize(
    ("names", "joined"),
    [
        ('<name part="full">王小明</name>', "王小明"),
        ("<name>王小明</name>", "王小明"),
        ('<name part="last">王</name><name part="first">小明</name>', "王小明"),
        ('<name part="first">Ann</name><name part="last">Lee</name>', "Ann Lee"),
        ('<name part="first"/><name part="last">Lee</name>', "Lee"),
    ],
)  # fmt: skip
def test_names_are_joined_as_they_are_said(tmp_path: Path, names: str, joined: str) -> None:
    outcome = read(tmp_path, lead(f"<customer><contact>{names}</contact></customer>"))
    assert outcome.column("name") == [joined]


@pytest.mark.parametrize(
    ("comments", "text"),
    [
        ("<![CDATA[<b>hi</b> & </prospect> bye]]>", "<b>hi</b> & </prospect> bye"),
        ("&lt;br&gt; a &amp; b", "<br> a & b"),
        ("hello<br>world <b>x</b>", "hello<br>world <b>x</b>"),
        ("a & b &nbsp; c", "a & b \xa0 c"),
    ],
)
def test_html_in_comments_is_text(tmp_path: Path, comments: str, text: str) -> None:
    body = lead(f"<customer><comments>{comments}</comments></customer>") + lead("", 2)
    outcome = read(tmp_path, body)
    assert outcome.column("comments") == [text, None]


def test_the_provider_stands_in_for_a_missing_source(tmp_path: Path) -> None:
    body = "<prospect><id>7</id><provider><name>平台</name></provider></prospect>"
    assert read(tmp_path, body).column("source") == ["平台"]


def test_the_wanted_vehicle_comes_before_the_one_given_away(tmp_path: Path) -> None:
    body = lead(
        '<vehicle interest="trade-in"><make>Old</make></vehicle>'
        '<vehicle interest="buy"><make>New</make></vehicle>'
    )
    row = read(tmp_path, body).rows[0]
    assert row["vehicle_make"] == "New"
    assert json.loads(row["_extra"]) == {"vehicle/make": "Old"}


def test_a_broken_prospect_costs_one_row(tmp_path: Path) -> None:
    outcome = read(tmp_path, lead("", 1) + lead("<vehicle>", 2) + lead("", 3))
    assert outcome.column("id") == ["1", "3"]
    assert [(r["line"], r["rule"]) for r in outcome.rejects] == [(2, "broken_xml")]
    assert outcome.rejects[0]["original"] == lead("<vehicle>", 2)


def test_undecodable_bytes_keep_the_original(tmp_path: Path) -> None:
    data = f"<adf>{FULL}</adf>".encode().replace("想试驾".encode(), "想".encode() + b"\xff")
    row = read_bytes(LEADS, tmp_path, data).rows[0]
    assert row["comments"] == "想\ufffd"
    assert "想\\xff" in row["_raw"]


def test_several_documents_may_follow_each_other(tmp_path: Path) -> None:
    data = f"<adf>{lead('', 1)}</adf>\n<?adf version='1.0'?><adf>{lead('', 2)}</adf>".encode()
    assert read_bytes(LEADS, tmp_path, data).column("id") == ["1", "2"]


def test_commented_prospects_are_no_rows(tmp_path: Path) -> None:
    outcome = read(tmp_path, f"<!-- {lead('', 1)} -->{lead('', 2)}")
    assert outcome.column("id") == ["2"]


@pytest.mark.parametrize("cut", [10, 40, 80])
def test_a_file_that_breaks_off_is_rejected_with_what_could_be_counted(
    tmp_path: Path, cut: int
) -> None:
    path = tmp_path / "leads.xml"
    path.write_text(f"<adf>{lead('', 1)}{lead('', 2)}{lead('', 3)}</adf>"[:-cut])
    with pytest.raises(FileRejected) as rejected:
        list(open_reader(LEADS, path).batches())
    assert rejected.value.rule == "truncated"
    assert rejected.value.rows_in == count_rows(LEADS, path) >= 2


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE adf [<!ENTITY a "x"><!ENTITY b "&a;&a;">]>',
        '<!DOCTYPE adf [<!ENTITY f SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_entities_are_refused(tmp_path: Path, head: str) -> None:
    path = tmp_path / "leads.xml"
    path.write_text(f"{head}<adf>{lead('<comments>&b;&f;</comments>')}</adf>")
    with pytest.raises(FileRejected) as rejected:
        list(open_reader(LEADS, path).batches())
    assert rejected.value.rule == "forbidden_xml"


def test_a_file_that_is_no_adf_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "leads.xml"
    path.write_text("<html><body>Service unavailable</body></html>")
    with pytest.raises(FileRejected) as rejected:
        list(open_reader(LEADS, path).batches())
    assert rejected.value.rule == "unreadable"


@pytest.mark.parametrize("data", [b"", b"<adf></adf>"])
def test_a_file_without_prospects_has_no_rows(tmp_path: Path, data: bytes) -> None:
    assert read_bytes(LEADS, tmp_path, data).counted == 0


LEADS_OF_A_FILE = [lead("", 1), lead("<x>", 2), lead("<!-- </prospect> -->", 3), "<prospect/>"]
BETWEEN_LEADS = [" ", "中", "&", "<![CDATA[<prospect>]]>", "<!-- <prospect> -->", "</adf><adf>"]
pieces = st.sampled_from([*LEADS_OF_A_FILE, *BETWEEN_LEADS])


@given(body=st.lists(pieces, max_size=12).map("".join), size=st.integers(3, 200))
@settings(max_examples=200, deadline=None)
def test_good_and_refused_prospects_are_all_that_is_counted(
    tmp_path_factory: pytest.TempPathFactory, body: str, size: int
) -> None:
    path = tmp_path_factory.mktemp("adf") / "leads.xml"
    path.write_text(f"<adf>{body}</adf>")
    read_file(LEADS, path)
    text = path.read_bytes()
    blocks = [text[i : i + size] for i in range(0, len(text), size)]
    assert cut(blocks) == cut([text])


def cut(blocks: list[bytes]) -> list[str]:
    """The texts of the prospects of a file that is read in these blocks."""
    markups = adf.cut_prospects(iter(blocks), Tags())
    return [markup.text(at) for markup in markups for at in range(len(markup.first))]


NAMES = [
    "<name>{1}</name>",
    '<name part="full">  Ann\u3000{1}\u00a0</name>',
    "<name/>",
    '<name part="last">{1}</name><name part="first">Lee</name>',
    '<name part="first">Ann</name><name part="last">{1}</name><name part="middle"> </name>',
    '<name part="first">Ann</name><Name PART="last">王</Name>',
]
PHONES = [
    "<phone>{1}</phone>",
    '<phone type="voice">2</phone><phone Type="CellPhone">{1}</phone>',
    '<phone type="cell"/><phone>4</phone>',
    "<phone>\n {1}</phone>",
    "<phone><a>6</a><b>{1}</b></phone>",
]
PLACES = [
    "<address>路1  号\t{1}</address>",
    "<address>\n <city>{1}</city>\n</address>",
    '<address><street line="1">路 1</street><street line="2">{1}</street></address>',
    "<address><street>a</street><street></street><country>{1}</country></address>",
    "<address>x<city>y</city></address>",
]
COMMENTS = [
    "<comments>a &amp; b</comments>",
    "<comments>b\r\nc</comments>",
    "<comments><![CDATA[<b>]]></comments>",
    "<comments>x<![CDATA[ & ]]>y<!-- no --></comments>",
    "<comments>a<br/>b</comments>",
    "<comments>1 < 2 > 0</comments>",
    "<comments>&nbsp;&#20013;&#0;</comments>",
    "<comments> \u2003</comments>",
    '<comments a="&gt;">\ufffd</comments>',
    "<comments>\ue0001\ue001</comments>",
    "<comments>\x01\uffff</comments>",
]
IDS = [
    '<id source="s">{0}</id>',
    '<id sequence="{0}" SOURCE="平台">{0}</id>',
    "<id>{0}</id>",
    '<id source="">{0}</id>',
    "<ID source='s{0}'>{0}</ID>",
    '<id source="a&amp;b">{0}</id>',
    "<id source=s>{0}</id>",
    "<x:id>{0}</x:id>",
    "<id source='>'>{0}</id>",
]
OTHERS = [
    "<vehicle interest='sell'><make>O</make></vehicle><vehicle><make>N</make></vehicle>",
    '<vehicle interest="Buy"><make>N"\\\n</make><trim/></vehicle>',
    "<note>a</note>" * 2,
    '<vendor><id>D1</id><vendorname>店 "1"\\</vendorname></vendor>',
    "<odd>",
    "text",
    "<?pi a?>",
    "<a><b>1</b><b>2</b></a>",
    "<provider><name>P</name></provider>",
]


def some(parts: list[str], least: int = 0, most: int = 1) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(parts), min_size=least, max_size=most).map("".join)


contacts = st.tuples(some(NAMES), some(PHONES), some(PLACES)).map("".join)
customers = st.tuples(contacts, some(COMMENTS)).map(
    lambda parts: f"<customer><contact>{parts[0]}</contact>{parts[1]}</customer>"
)
bodies = st.tuples(some(IDS, 1), customers, some(OTHERS, 0, 2)).map("".join)
openings = st.sampled_from(["<prospect>", "<prospect>", '<Prospect status="new">'])


@given(
    shapes=st.lists(st.tuples(openings, bodies), min_size=1, max_size=4),
    order=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["", " ", "王", "Ann", "&lt;", "\u200b"])),
        min_size=1,
        max_size=20,
    ),
    gap=st.sampled_from(["", "\n  ", "\u3000"]),
)
@settings(max_examples=300, deadline=None)
def test_prospects_read_together_come_out_as_one_by_one(
    tmp_path_factory: pytest.TempPathFactory,
    shapes: list[tuple[str, str]],
    order: list[tuple[int, str]],
    gap: str,
) -> None:
    path = tmp_path_factory.mktemp("adf") / "leads.xml"
    texts = []
    for number, (which, word) in enumerate(order):
        opening, body = shapes[which % len(shapes)]
        inner = body.replace("{0}", str(number)).replace("{1}", word).replace("><", f">{gap}<")
        texts.append(f"{opening}{inner}{opening[:9].replace('<', '</')}>")
    path.write_text(f"<adf>{''.join(texts)}</adf>")
    together = read_both_ways(path, is_alone=False)
    assert together == read_both_ways(path, is_alone=True)


def read_both_ways(path: Path, *, is_alone: bool) -> tuple[object, ...]:
    """Everything that is read, or why nothing is; `is_alone` lets no shape be learnt."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zhongtai.readers.prospects._FEWEST", 1)
        if is_alone:
            patch.setattr("zhongtai.readers.prospects.learn_shape", lambda *_: None)
        try:
            outcome = read_file(LEADS, path)
        except FileRejected as rejected:
            return rejected.rule, rejected.rows_in
    return outcome.rows, outcome.rejects, outcome.counted
