"""ADF XML: bombs, broken elements, declarations that lie."""

from collections.abc import Iterator

from corpus import LEADS, Bad, adf, fault, prospect, whole
from corpus_books import BOMB, OUTSIDE, QUADRATIC


def among(bad: str) -> bytes:
    """A prospect between two good ones."""
    return adf(prospect(), bad, prospect())


@fault
def xml_bombs() -> Iterator[Bad]:
    for head in (BOMB, OUTSIDE, QUADRATIC):
        text = adf(prospect("<comments>&i;</comments>"), head=head)
        yield whole(LEADS, text, "forbidden_xml", "declares entities", -1)
        yield whole(LEADS, b'<?xml version="1.0"?>\n' + text, "forbidden_xml", "entities", -1)
        late = adf(prospect(), head, prospect())
        yield whole(LEADS, late, "forbidden_xml", "entities", -1)
        wide = text.decode().encode("utf-16")
        yield whole(LEADS, wide, "forbidden_xml", "entities", -1)
    for head in (
        '<!DOCTYPE adf [<!ENTITY % p SYSTEM "http://127.0.0.1:1/x"> %p;]>',
        "<!DOCTYPE adf [ <!ELEMENT a ANY> ]>",
    ):
        yield whole(LEADS, adf(prospect(), head=head), "forbidden_xml", "entities", -1)


@fault
def a_document_type_without_entities() -> Iterator[Bad]:
    for head in ('<!DOCTYPE adf SYSTEM "http://127.0.0.1:1/adf.dtd">', "<!DOCTYPE adf>"):
        yield Bad(LEADS, adf(prospect(), head=head), 1)


@fault
def xml_nested_to_the_sky() -> Iterator[Bad]:
    for depth in (100, 5_000, 400_000):
        bad = prospect("<a>" * depth + "</a>" * depth)
        yield Bad(LEADS, among(bad), 3, 1, rule="broken_xml", says="nested too deeply")


@fault
def a_broken_prospect() -> Iterator[Bad]:
    for inner in (
        "<open>", "</close>", "<a b=c/>", "<a b='1' b='2'/>", "<a:b/>", "<1/>", "<a", "&#0;<b>",
        "<![CDATA[", "<x><y></x></y>", f"<a>&#{'9' * 5000};</a>",
    ):  # fmt: skip
        bad = prospect(inner)
        rule = "broken_xml"
        if inner == "<![CDATA[":
            yield whole(LEADS, among(bad), "truncated", "ends before </adf>", -1)
        else:
            yield Bad(LEADS, among(bad), 3, 1, rule=rule, says="not well-formed")


@fault
def a_prospect_without_an_end() -> Iterator[Bad]:
    for bad in (prospect().removesuffix("</prospect>"), "<prospect>", "<prospect><id>"):
        yield Bad(LEADS, among(bad), 3, 1, rule="broken_xml", says="not well-formed")
        twice = adf(prospect(), bad, bad, prospect(), bad, prospect())
        yield Bad(LEADS, twice, 6, 3, rule="broken_xml", says="not well-formed")


@fault
def prospects_that_can_be_mended() -> Iterator[Bad]:
    for inner in (
        "<comments>a & b</comments>", "<comments>&nbsp;&copy;</comments>", "<a>\x01\x0b</a>",
        "<comments><b>bold</comments>", "<a>\ufffe</a>", "<comments>&unknown;</comments>",
    ):  # fmt: skip
        yield Bad(LEADS, among(prospect(inner)), 3)


@fault
def xml_with_bytes_of_no_text() -> Iterator[Bad]:
    for bad in (b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"\x81\x30"):
        data = among(prospect("<comments>@@</comments>"))
        yield Bad(LEADS, data.replace(b"@@", bad), 3)


@fault
def xml_that_declares_another_encoding() -> Iterator[Bad]:
    for name in ("utf-7", "rot13", "zlib", "idna", "punycode", "unicode_escape", "cp037", "x" * 999,
                 "UTF-16", "gb2312", "undefined", "mbcs"):  # fmt: skip
        head = f'<?xml version="1.0" encoding="{name}"?>'
        yield Bad(LEADS, adf(prospect(), prospect(), head=head), 2)


@fault
def xml_that_breaks_off() -> Iterator[Bad]:
    data = adf(prospect(), prospect())
    for cut in (3, 40, 200):
        yield whole(LEADS, data[:-cut], "truncated", "ends before </adf>", -1)
    yield whole(LEADS, data[:-6] + b"<!-- </adf>", "truncated", "", -1)


@fault
def something_else_than_leads() -> Iterator[Bad]:
    for data in (b"<html><body>Bad Gateway</body></html>", b'{"adf": []}', b"id,name\n1,x\n", b"<"):
        yield whole(LEADS, data, "unreadable", "no <adf> element", -1)


@fault
def prospects_in_comments() -> Iterator[Bad]:
    hidden = f"<!-- {prospect()} --><![CDATA[{prospect()}]]>"
    yield Bad(LEADS, among(hidden), 2)
    yield Bad(LEADS, adf("<!--" * 20_000 + "-->", prospect()), 1)


@fault
def a_flood_of_tags() -> Iterator[Bad]:
    for flood in ("<a>" * 200_000, "<?x?>" * 200_000, "<a b='1'/>" * 100_000):
        yield Bad(LEADS, adf(prospect(), flood, prospect()), -1, -1, status="terminal")


@fault
def a_prospect_larger_than_any() -> Iterator[Bad]:
    bad = prospect(f"<comments>{'x' * (24 << 20)}</comments>")
    yield whole(LEADS, among(bad), "too_large", "larger than 16 MiB", -1)
