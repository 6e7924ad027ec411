"""Workbooks: cells, sheets and archives that no program should have written."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from corpus import BOOKS, CONTRACTS, Bad, book, fault, good_row, packed, table, whole
from fault_parts import IS_FULL

SHEET = "xl/worksheets/sheet1.xml"
SHARED = "xl/sharedStrings.xml"
BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY i SYSTEM "file:///etc/passwd">]>'
QUADRATIC = f'<!DOCTYPE x [<!ENTITY i "{"x" * 100_000}">]>'


def rewrite(data: bytes, member: str, change: Callable[[bytes], bytes]) -> bytes:
    """The archive with one member changed; an empty result leaves it out."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", 8) as new:
        for item in old.infolist():
            content = old.read(item)
            if item.filename == member:
                content = change(content)
            if content:
                new.writestr(item.filename, content)
    return target.getvalue()


def swap(data: bytes, member: str, old: str, new: str) -> bytes:
    """The archive with a text replaced in one member, once."""

    def change(content: bytes) -> bytes:
        assert old.encode() in content
        return content.replace(old.encode(), new.encode(), 1)

    return rewrite(data, member, change)


def add(data: bytes, **members: bytes) -> bytes:
    """The archive with more members."""
    target = io.BytesIO(data)
    with zipfile.ZipFile(target, "a", 8) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target.getvalue()


def damaged(entity: str, data: bytes, says: str = "workbook", rule: str = "unreadable") -> Bad:
    """A workbook that must be set aside; how many rows it had is anybody's guess."""
    return whole(entity, data, rule, says, -1)


def filled(entity: str, fill: Callable[[Any, Any], None], rows: int = 3, **more: Any) -> Bad:
    """A workbook with something added that must not keep its rows from loading."""
    return Bad(entity, book(entity, rows, fill), more.pop("total", rows), **more)


@fault
def formula_cells() -> Iterator[Bad]:
    def fill(_: Any, page: Any) -> None:
        page.write_formula(1, 60, "=1/0", None, "#DIV/0!")
        page.write_formula(2, 60, "=cmd|'/c calc'!A0", None, "=cmd")
        page.write_formula(3, 60, '=HYPERLINK("http://x","y")')

    for entity in BOOKS:
        yield filled(entity, fill)


@fault
def error_cells() -> Iterator[Bad]:
    for entity in BOOKS:
        for error in ("#N/A", "#REF!", "#VALUE!"):
            data = book(entity, 3, lambda _, page: page.write_number(2, 60, 1))
            old, new = '<v>1</v></c></row><row r="4"', f'<v>{error}</v></c></row><row r="4"'
            changed = swap(data, SHEET, old, new)
            yield Bad(entity, swap(changed, SHEET, '<c r="BI3"', '<c r="BI3" t="e"'), 3)


@fault
def hidden_sheets() -> Iterator[Bad]:
    def fill(made: Any, page: Any, how: str) -> None:
        other = made.add_worksheet("秘密")
        other.write_row(0, 0, ["订单号", "更新时间"])
        other.write_row(1, 0, ["X", "2026-03-01 10:00:00"])
        getattr(other, how)()
        page.activate()

    for entity in BOOKS:
        yield filled(entity, lambda made, page: fill(made, page, "hide"))
        yield filled(entity, lambda made, page: fill(made, page, "very_hidden"))


@fault
def merged_cells_and_titles() -> Iterator[Bad]:
    for entity in BOOKS:
        yield filled(entity, lambda _, page: page.merge_range(2, 61, 3, 62, "x"))


@fault
def workbooks_that_count_from_1904() -> Iterator[Bad]:
    for entity in BOOKS:
        yield Bad(entity, book(entity, 3, date_1904=True), 3)


@fault
def a_workbook_without_a_sheet() -> Iterator[Bad]:
    for entity in BOOKS:
        data = rewrite(book(entity), "xl/workbook.xml", lambda c: re.sub(rb"<sheet .*?/>", b"", c))
        yield damaged(entity, data, "no worksheet")
        rels = "xl/_rels/workbook.xml.rels"
        data = rewrite(book(entity), rels, lambda c: c.replace(b'/worksheet"', b'/chartsheet"'))
        yield damaged(entity, data, "no worksheet")


@fault
def a_workbook_whose_sheets_are_all_hidden() -> Iterator[Bad]:
    for entity in BOOKS:
        data = book(entity)
        yield Bad(entity, swap(data, "xl/workbook.xml", "<sheet ", '<sheet state="hidden" '))


@fault
def a_password() -> Iterator[Bad]:
    container = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    for name in ("EncryptedPackage", "EncryptionInfo\0EncryptedPackage"):
        for entity in BOOKS:
            data = container + name.encode("utf-16-le") + bytes(2000)
            yield whole(entity, data, "encrypted", "password")
    for entity in BOOKS:
        data = bytearray(book(entity))
        central = data.index(b"PK\x01\x02")
        data[central + 8] |= 1
        data[6] |= 1
        yield whole(entity, bytes(data), "encrypted", "password")


@fault
def another_format_under_the_name_of_a_workbook() -> Iterator[Bad]:
    for entity in BOOKS:
        yield Bad(entity, table(entity).bytes("utf-8"), 3, name="plain.xlsx")
        yield Bad(entity, packed(table(entity).bytes("utf-8")), 3, name="packed.xlsx")
        html = b"<html><table><tr><td>x</td></tr></table></html>\n"
        yield whole(entity, html, "required_column_missing", "is a header", -1, name="page.xls")
    yield whole(
        "dms.orders", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 900, "unreadable", "readable"
    )


@fault
def a_workbook_under_the_name_of_a_text() -> Iterator[Bad]:
    for entity in ("dms.dealers", "crm.follow_ups", "partner.members"):
        yield Bad(entity, book(entity), 3, name="book.csv")


@fault
def a_corrupt_archive() -> Iterator[Bad]:
    for entity in BOOKS:
        data = book(entity, 200)
        central = data.index(b"PK\x01\x02")
        yield damaged(entity, data[:central])
        yield damaged(entity, data[: len(data) // 2])
        yield damaged(entity, data[:central] + bytes(40) + data[central + 40 :])
        yield damaged(entity, data[:-22] + data[-22:].replace(b"PK\x05\x06", b"PK\x05\x07"))


@fault
def a_member_that_is_damaged_or_gone() -> Iterator[Bad]:
    for entity in BOOKS:
        data = bytearray(book(entity, 200))
        for place in range(data.index(SHEET.encode()) + 400, data.index(SHEET.encode()) + 480):
            data[place] ^= 0x55
        yield damaged(entity, bytes(data))
        yield damaged(entity, rewrite(book(entity), SHEET, lambda _: b""))
        yield damaged(entity, rewrite(book(entity), "xl/_rels/workbook.xml.rels", lambda _: b""))
        yield damaged(entity, rewrite(book(entity), SHARED, lambda c: c[: c.rindex(b"<t>") + 4]))
        gone = rewrite(book(entity), "xl/workbook.xml", lambda _: b"")
        yield damaged(entity, gone, "no .xlsx in it")


@fault
def an_encoding_that_nobody_knows() -> Iterator[Bad]:
    for entity in BOOKS:
        for member in ("xl/workbook.xml", "xl/styles.xml", "xl/_rels/workbook.xml.rels"):
            yield Bad(entity, swap(book(entity), member, 'encoding="UTF-8"', 'encoding="XTF-8"'), 3)


@fault
def references_that_lead_nowhere() -> Iterator[Bad]:
    value = '<c r="A2" t="s"><v>'

    def point(content: bytes, wrong: str) -> bytes:
        return re.sub(f"{value}[0-9]+".encode(), f"{value}{wrong}".encode(), content)

    for entity in BOOKS:
        for wrong in ("99999", "-1", "x", "1.5", "9" * 30):
            changed = rewrite(book(entity), SHEET, partial(point, wrong=wrong))
            yield Bad(entity, changed, -1, -1, status="terminal")


@fault
def archives_that_claim_what_is_not_so() -> Iterator[Bad]:
    for entity in BOOKS:
        yield Bad(entity, add(book(entity), **{"../../evil.csv": b"x", "/etc/evil": b"x"}), 3)
        yield damaged(
            entity, add(book(entity), **{"xl/media/bomb": bytes(90 << 20)}), "unpacks", "too_large"
        )


FAR = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'


@fault
def a_stray_cell_in_the_far_corner() -> Iterator[Bad]:
    for entity in BOOKS:
        yield filled(entity, lambda _, page: page.write(1, 16_383, "x"))
        corner = swap(book(entity), SHEET, "</sheetData>", FAR)
        rule = "key_missing event_time_unreadable"
        yield Bad(entity, corner, 4, 1, rule=rule)
        # in a form that only the library reads, which would need 500 GB for it
        odd = rewrite(corner, SHEET, lambda c: c.replace(b"<row ", b"<!-- --><row "))
        yield damaged(entity, odd, "stray cell")


@fault
def entities_in_a_workbook() -> Iterator[Bad]:
    for entity in BOOKS:
        for head in (BOMB, OUTSIDE, QUADRATIC):
            for member, tag in ((SHEET, "<worksheet"), ("xl/workbook.xml", "<workbook")):
                data = swap(book(entity), member, tag, head + tag)
                yield damaged(entity, data, "declares entities", "forbidden_xml")
            text = book(entity, 3, lambda _, page: page.write(1, 60, "STRAY"))
            data = swap(text, SHARED, "<sst", f"{head}<sst")
            data = swap(data, SHARED, "STRAY", "&i;" * 1000)
            yield damaged(entity, data, "declares entities", "forbidden_xml")


@fault
def workbook_xml_that_never_ends() -> Iterator[Bad]:
    many = 200_000 if IS_FULL else 20_000
    flood = b'<row r="9"><c r="A9">' * many
    for entity in BOOKS:
        data = book(entity)
        for member, old, new in (
            (SHEET, b"</sheetData>", flood + b"</sheetData>"),
            (SHARED, b"</sst>", b"<si><rPh>" * many + b"</si></sst>"),
            (SHARED, b"</sst>", b"<si><t>" * many + b"</sst>"),
            ("xl/workbook.xml", b"<sheets>", b"<a>" * many + b"<sheets>"),
            ("xl/workbook.xml", b"<sheets>", b"<sheet " * many + b"<sheets>"),
            ("xl/styles.xml", b"<fonts", b'<numFmt formatCode="' + b"[" * many + b"<fonts"),
        ):
            changed = rewrite(data, member, lambda c, o=old, n=new: c.replace(o, n, 1))  # type: ignore[misc]
            yield Bad(entity, changed, -1, -1, status="terminal")


@fault
def rows_out_of_order_or_twice() -> Iterator[Bad]:
    for entity in BOOKS:
        data = book(entity, 4)
        twice = rewrite(data, SHEET, lambda c: c.replace(b'<row r="4"', b'<row r="3"'))
        yield Bad(entity, twice, -1, -1, status="terminal")
        falling = rewrite(data, SHEET, lambda c: c.replace(b'<row r="4"', b'<row r="2"'))
        yield Bad(entity, falling, -1, -1, status="terminal")


@fault
def many_sheets() -> Iterator[Bad]:
    def fill(made: Any, _: Any) -> None:
        for number in range(120):
            page = made.add_worksheet(f"说明{number}")
            page.write(0, 0, "no header")

    yield filled("dms.orders", fill)


@fault
def a_header_row_again_and_a_totals_row() -> Iterator[Bad]:
    for entity in BOOKS:
        names = [c.delivered for c in CONTRACTS[entity].columns]

        def fill(_: Any, page: Any, entity: str = entity, names: list[str] = names) -> None:
            page.write_row(4, 0, names)
            page.write_row(5, 0, list(good_row(CONTRACTS[entity]).values()))
            page.write_row(6, 0, ["合计", 3])

        yield filled(entity, fill, 3, total=5, refused=1, rule="repeated_header", says="again")


@fault
def a_required_column_gone_from_a_workbook() -> Iterator[Bad]:
    for entity in BOOKS:
        name = CONTRACTS[entity].required_columns[0].delivered
        data = swap(book(entity), SHARED, f"<t>{name}</t>", "<t>x</t>")
        yield whole(entity, data, "required_column_missing", f"expected {name}", 3)


@fault
def cells_of_megabytes() -> Iterator[Bad]:
    for entity in BOOKS:
        data = book(entity, 3, lambda _, page: page.write(1, 60, "STRAY"))
        yield Bad(entity, swap(data, SHARED, "STRAY", "长" * 1_000_000), 3)
