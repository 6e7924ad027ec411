"""Delimited text that is wrong in its bytes, its lines, its quotes or its columns."""

from collections.abc import Iterator

from corpus import LEADS, TEXTS, Bad, fault, packed, table, tables, whole

NO_HEADER = "none of the first 20 records is a header"


@fault
def nul_bytes() -> Iterator[Bad]:
    for t in tables():
        t.rows[1][t.free] = "a\0b\0"
        yield Bad(t.entity, t.bytes(), 3)
        yield Bad(t.entity, table(t.entity).bytes().replace(b"\n", b"\n\0\0"), 3)


@fault
def nothing_but_zeros() -> Iterator[Bad]:
    for entity in (*TEXTS, "app.events", "dms.orders", LEADS):
        yield whole(entity, bytes(70_000), "wrong_format", "nothing but zero bytes")


@fault
def an_unclosed_quote() -> Iterator[Bad]:
    for t in tables():
        t.rows[1][t.free] = '"never closed'
        yield Bad(t.entity, t.bytes(), 3, 1, rule="broken_quote", says="not closed")


@fault
def a_quote_closed_in_the_middle() -> Iterator[Bad]:
    for t in tables():
        t.rows[1][t.free] = '"closed" too early'
        yield Bad(t.entity, t.bytes(), 3, 1, rule="broken_quote", says="not closed")


@fault
def mixed_line_ends() -> Iterator[Bad]:
    for t in tables(4):
        ends = ("\r\n", "\n", "\r", "\r\n", "")
        text = "".join(line + end for line, end in zip(t.lines(), ends, strict=True))
        yield Bad(t.entity, text.encode(t.contract.encodings[0]), 4)


@fault
def lone_returns() -> Iterator[Bad]:
    for t in tables():
        yield Bad(t.entity, t.bytes(end="\r"), 3)


@fault
def a_header_in_the_middle() -> Iterator[Bad]:
    for t in tables(4):
        t.rows.insert(2, t.header)
        yield Bad(t.entity, t.bytes(), 5, 1, rule="repeated_header", says="the header again")


@fault
def a_header_alone() -> Iterator[Bad]:
    for t in tables(0):
        yield Bad(t.entity, t.bytes())


@fault
def an_empty_file() -> Iterator[Bad]:
    for entity in (*TEXTS, "app.events", LEADS, "dms.orders"):
        yield Bad(entity, b"")
    yield Bad("app.events", packed(b""))


@fault
def blank_lines_alone() -> Iterator[Bad]:
    for entity in TEXTS:
        yield Bad(entity, b"\n \r\n\t\n\r\n")


@fault
def a_mark_of_the_encoding_alone() -> Iterator[Bad]:
    for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        yield Bad("partner.members", mark)
        yield Bad("app.events", mark)


@fault
def a_mark_of_another_encoding() -> Iterator[Bad]:
    for t in tables():
        yield whole(t.entity, b"\xff\xfe" + t.bytes(), "required_column_missing", "expected")
    for entity in ("dms.dealers", "crm.follow_ups"):
        yield Bad(entity, b"\xef\xbb\xbf" + table(entity).bytes("gb18030"), 3)


@fault
def two_encodings() -> Iterator[Bad]:
    for entity in ("partner.members", "dms.dealers", "crm.follow_ups"):
        t = table(entity, 4)
        for row in t.rows:
            row[t.free] = "王小明和李雷"
        codecs = ("utf-8", "utf-8", "gb18030", "utf-8", "gb18030")
        lines = zip(t.lines(), codecs, strict=True)
        yield Bad(t.entity, b"".join(f"{line}\n".encode(codec) for line, codec in lines), 4)


@fault
def bytes_that_no_encoding_has() -> Iterator[Bad]:
    for bad in (b"\xff\xff", b"\x81 ", b"\x81\x30\x81", b"\xc3\x28", b"\xed\xa0\x80"):
        for entity in ("partner.members", "dms.dealers", "crm.follow_ups"):
            t = table(entity)
            t.rows[1][t.free] = "王@@明"
            yield Bad(t.entity, t.bytes().replace(b"@@", bad), 3)


@fault
def utf16_with_an_odd_byte() -> Iterator[Bad]:
    for t in tables():
        data = b"\xff\xfe" + t.bytes("utf-16-le") + b"\x0a"
        yield Bad(t.entity, data, 4, 1, rule="field_count", says="fields as the header")


@fault
def utf16_in_either_order_without_a_mark() -> Iterator[Bad]:
    for entity in ("website.visits", "partner.members"):
        for codec in ("utf-16-le", "utf-16-be"):
            yield Bad(entity, table(entity, 30).bytes(codec), 30)


@fault
def encodings_of_no_contract() -> Iterator[Bad]:
    for entity in ("dms.dealers", "crm.follow_ups", "dms.store_visits"):
        data = table(entity).bytes("utf-32-be")
        yield whole(entity, data, "required_column_missing", "expected", -1)
    for entity in ("partner.members", "website.visits"):
        # of plain English nothing is lost when the zero bytes go
        yield Bad(entity, table(entity).bytes("utf-32-be"), 3)
    for entity, codec in (("website.visits", "cp037"), ("crm.follow_ups", "utf-7")):
        yield whole(entity, table(entity).bytes(codec), "required_column_missing", "expected", -1)


@fault
def mojibake() -> Iterator[Bad]:
    for entity in ("dms.dealers", "crm.follow_ups", "dms.store_visits"):
        data = table(entity).bytes("utf-8").decode("latin-1").encode("utf-8")
        yield whole(entity, data, "required_column_missing", NO_HEADER, 3)


@fault
def another_delimiter() -> Iterator[Bad]:
    for t in tables():
        for delimiter in ";\t|":
            data = t.bytes().replace(b",", delimiter.encode())
            yield whole(t.entity, data, "wrong_delimiter", f"separated by {delimiter!r}", 3)


@fault
def another_quote() -> Iterator[Bad]:
    for t in tables():
        t.rows[0][t.free] = "'plain'"
        t.rows[1][t.free] = "'one, two'"
        # where the last cell is empty, the surplus field is not seen, but what it shifts
        yield Bad(t.entity, t.bytes(), 3, 1, rule="field_count event_time_unreadable")


@fault
def ragged_rows() -> Iterator[Bad]:
    for t in tables(5):
        t.rows[1].pop()
        t.rows[2].append("surplus")
        t.rows[3] = ["alone"]
        yield Bad(t.entity, t.bytes(), 5, 3, rule="field_count", says="fields as the header")


@fault
def surplus_empty_fields() -> Iterator[Bad]:
    for t in tables():
        t.rows[1] += ["", "", ""]
        yield Bad(t.entity, t.bytes(), 3)


@fault
def a_column_twice() -> Iterator[Bad]:
    for t in tables():
        for row, text in zip((t.header, *t.rows), (t.header[0], "x", "y", "z"), strict=True):
            row += [text, text]
        yield Bad(t.entity, t.bytes(), 3)


@fault
def thousands_of_columns() -> Iterator[Bad]:
    for entity in TEXTS:
        t = table(entity)
        for place, row in enumerate((t.header, *t.rows)):
            row += [f"{place}c{n}" for n in range(500)]
        yield Bad(entity, t.bytes(), 3)
        t = table(entity)
        for row in (t.header, *t.rows):
            row.extend(["a"] * 20_000)
        says = f"the header has {len(t.header)} columns"
        yield whole(entity, t.bytes(), "too_many_columns", says, 3)


@fault
def a_header_longer_than_any() -> Iterator[Bad]:
    for entity in TEXTS[:3]:
        t = table(entity)
        for row in (t.header, *t.rows):
            row.extend(["x" * 100_000] * 4)
        yield whole(entity, t.bytes(), "header_too_long", "longer than 256 KiB")


@fault
def a_cell_of_megabytes() -> Iterator[Bad]:
    for t in tables():
        t.rows[1][t.free] = "长" * 700_000
        yield Bad(t.entity, t.bytes(), 3)
        t.rows[1][t.free] = '"' + ("long" * 20 + "\n") * 20_000 + '"'
        # of a record that is longer than any the lines are records of their own
        yield Bad(
            t.entity, t.bytes(), 20_003, 20_001, rule="broken_quote field_count", says="quoted"
        )
        break


@fault
def a_line_beyond_the_bound() -> Iterator[Bad]:
    for entity in TEXTS[:2]:
        t = table(entity)
        t.rows[1][t.free] = "x" * (17 << 20)
        yield Bad(entity, t.bytes(), 3, 1, rule="record_too_long", says="too long")


@fault
def sql_in_values() -> Iterator[Bad]:
    for t in tables():
        t.rows[0][t.free] = "'; drop schema ledger cascade; --"
        t.rows[1][t.free] = "$1 %s {0} :name ?"
        t.rows[2][t.free] = "x') union select * from read_text('/etc/passwd') --"
        yield Bad(t.entity, t.bytes(), 3)


@fault
def sql_in_headers() -> Iterator[Bad]:
    for t in tables():
        for name in ("x'); drop schema ledger cascade; --", "$1", "%s", "'' or ''=''", "a\\"):
            t.header.append(f'"{name}"' if "website" not in t.entity else name)
            for row in t.rows:
                row.append("v")
        yield Bad(t.entity, t.bytes(), 3)


@fault
def a_required_column_is_gone() -> Iterator[Bad]:
    for t in tables():
        wanted = t.contract.required_columns[0].delivered
        place = t.header.index(wanted)
        for row in (t.header, *t.rows):
            del row[place]
        yield whole(t.entity, t.bytes(), "required_column_missing", f"expected {wanted}", 3)


@fault
def no_header_at_all() -> Iterator[Bad]:
    for t in tables():
        data = t.bytes().split(b"\n", 1)[1]
        yield whole(t.entity, data, "required_column_missing", NO_HEADER, 2)


@fault
def keys_without_a_value() -> Iterator[Bad]:
    for t in tables():
        key = next(c for c in t.contract.required_columns if c.delivered in t.contract.key)
        t.rows[1][t.header.index(key.delivered)] = " \u3000"
        yield Bad(t.entity, t.bytes(), 3, 1, rule="key_missing", says="key column")


@fault
def times_that_are_none() -> Iterator[Bad]:
    for entity in ("crm.follow_ups", "dms.store_visits", "website.visits"):
        t = table(entity, 5)
        assert t.contract.event_time
        place = t.header.index(t.contract.event_time)
        for row, text in zip(
            t.rows, ("soon", "0000-00-00", "", "2026-02-30 10:00:00"), strict=False
        ):
            row[place] = text
        yield Bad(entity, t.bytes(), 5, 4, rule="event_time_unreadable", says="event time")


@fault
def times_that_lie_ahead() -> Iterator[Bad]:
    for entity in (
        "crm.follow_ups", "dms.store_visits", "website.visits", "crm.leads", "crm.complaints",
        "dms.addon_sales", "workforce.quality_issues", "workforce.content_posts",
    ):  # fmt: skip
        t = table(entity)
        assert t.contract.event_time
        t.rows[1][t.header.index(t.contract.event_time)] = "2999-01-01 00:00:00"
        yield Bad(entity, t.bytes(), 3, 1, rule="event_time_in_future", says="event time")


@fault
def control_characters() -> Iterator[Bad]:
    for t in tables():
        t.rows[1][t.free] = "\x1b[31mred\x07\x7f\x01"
        yield Bad(t.entity, t.bytes(), 3)


@fault
def formulas() -> Iterator[Bad]:
    for t in tables(5):
        for row, cell in zip(t.rows, ("=cmd|'/c calc'!A0", "+1+1", "-2", "@SUM(A1)"), strict=False):
            row[t.free] = cell
        yield Bad(t.entity, t.bytes(), 5)


@fault
def an_end_of_file_mark_of_old_systems() -> Iterator[Bad]:
    for t in tables():
        yield Bad(t.entity, t.bytes() + b"\x1a", 4, 1, rule="field_count", says="as the header")


@fault
def separators_of_lines_within_cells() -> Iterator[Bad]:
    for entity in ("partner.members", "crm.follow_ups"):
        t = table(entity)
        t.rows[1][t.free] = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg"
        yield Bad(entity, t.bytes(), 3)


@fault
def totals_and_blank_rows() -> Iterator[Bad]:
    for t in tables():
        blank = [""] * len(t.header)
        t.rows[1:1] = [blank, ["合计", *blank[1:]]]
        t.rows.append(["总计：", *blank[1:]])
        yield Bad(t.entity, t.bytes(), 3)


@fault
def a_page_or_a_document_instead_of_data() -> Iterator[Bad]:
    page = b"<!DOCTYPE html>\n<html><body>\n<h1>502 Bad Gateway</h1>\n</body></html>\n"
    for entity in TEXTS:
        yield whole(entity, page, "required_column_missing", NO_HEADER, 3)
        yield whole(entity, b'[{"a": 1},\n {"a": 2}]\n', "required_column_missing", NO_HEADER, 1)
