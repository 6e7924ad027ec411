"""XLSX workbooks, with all that people do to them."""

import io
import re
import zipfile
from datetime import UTC, datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from zhongtai.generate.draws import Array
from zhongtai.generate.spelling import Spelled
from zhongtai.generate.writers import Style, columns_of, deflated_zeros, headers_of

SERIAL = re.compile(r"\d{5}\.\d+")
DAYS_TO_1904 = 1462
STAMP = (2026, 1, 1, 0, 0, 0)
BOMB_SIZE = 1 << 30


def xlsx_bytes(spelled: Spelled, rows: Array, style: Style) -> bytes:
    """Return a workbook of these rows.

    Frills: `title_rows` (two, the first merged), `merged_header`, `totals_row`, `empty_rows`,
    `hidden_sheet`, `formulas`, `epoch_1904`.
    """
    book = Workbook(write_only=not style.frills & {"title_rows", "merged_header"})
    if "epoch_1904" in style.frills:
        book.epoch = CALENDAR_MAC_1904
    sheet = book.active if not book.write_only else book.create_sheet("Sheet1")
    names = columns_of(spelled, style)
    headers = headers_of(names, style)
    _write_head(sheet, spelled, headers, style)
    columns = [_cells(spelled, name, rows, style) for name in names]
    columns += [[text] * len(rows) for _, text in style.extra]
    for number, row in enumerate(zip(*columns, strict=True)):
        sheet.append(row)
        if "empty_rows" in style.frills and number % 9 == 8:
            sheet.append([None] * len(headers))
    if "totals_row" in style.frills:
        formula = f"=SUM(H1:H{len(rows)})" if "formulas" in style.frills else len(rows)
        sheet.append(["合计", *[None] * (len(headers) - 2), formula])
    if "hidden_sheet" in style.frills:
        _hide_copy(book, headers, columns)
    return _settled(book)


def _cells(spelled: Spelled, name: str, rows: Array, style: Style) -> list[Any]:
    """Return the cells of a column; times written as bare serials count from the book's epoch."""
    cells = spelled.cells(name, rows)
    if spelled.frame.entity.columns[name] != "ts":
        return cells
    shift = DAYS_TO_1904 if "epoch_1904" in style.frills else 0
    return [
        float(cell) - shift if isinstance(cell, str) and SERIAL.fullmatch(cell) else cell
        for cell in cells
    ]


def _write_head(sheet: Any, spelled: Spelled, headers: list[str], style: Style) -> None:
    if "title_rows" in style.frills:
        sheet.append([f"{spelled.frame.entity.name} 导出报表"])
        sheet.append(["制表人：系统", None, "单位：元"])
        sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=len(headers))
    if "merged_header" in style.frills:
        row = sheet.max_row + 1 if "title_rows" in style.frills else 1
        sheet.append(["基本信息", *[None] * (len(headers) - 1)])
        sheet.merge_cells(start_row=row, end_row=row, start_column=1, end_column=len(headers))
    sheet.append(headers)


def _hide_copy(book: Any, headers: list[str], columns: list[list[Any]]) -> None:
    """Add a hidden sheet with older rows: it holds nothing that counts."""
    hidden = book.create_sheet("备份")
    hidden.sheet_state = "hidden"
    hidden.append(headers)
    for row in list(zip(*columns, strict=True))[:3]:
        hidden.append(row)


def _settled(book: Any) -> bytes:
    """Return the workbook's bytes without the time of their making."""
    made = io.BytesIO()
    book.properties.created = datetime(*STAMP, tzinfo=UTC).replace(tzinfo=None)
    book.save(made)
    settled = io.BytesIO()
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(settled, "w") as target:
        for item in source.infolist():
            data = source.read(item)
            if item.filename == "docProps/core.xml":
                data = _without_modified(data)
            entry = zipfile.ZipInfo(item.filename, STAMP)
            target.writestr(entry, data, zipfile.ZIP_DEFLATED, 6)
    return settled.getvalue()


def _without_modified(data: bytes) -> bytes:
    start, end = data.find(b"<dcterms:modified"), data.find(b"</dcterms:modified>")
    return data if start < 0 else data[:start] + data[end + len(b"</dcterms:modified>") :]


def zip_bomb() -> bytes:
    """Return a workbook of about a megabyte whose only sheet unpacks to a gigabyte of blanks."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        for name, text in BOMB_PARTS.items():
            target.writestr(zipfile.ZipInfo(name, STAMP), text, zipfile.ZIP_DEFLATED)
    packed, checksum = deflated_zeros(BOMB_SIZE)
    return _with_packed(made.getvalue(), b"xl/worksheets/sheet1.xml", packed, checksum)


def _with_packed(archive: bytes, name: bytes, packed: bytes, checksum: int) -> bytes:
    """Return the ZIP archive with one more entry of bytes that are deflated already."""
    end = archive.rfind(b"PK\x05\x06")
    count = int.from_bytes(archive[end + 10 : end + 12], "little")
    start = int.from_bytes(archive[end + 16 : end + 20], "little")
    sizes = b"".join(size.to_bytes(4, "little") for size in (checksum, len(packed), BOMB_SIZE))
    common = (
        b"\x14\x00\x00\x00\x08\x00" + b"\x00\x00\x21\x5c" + sizes + len(name).to_bytes(2, "little")
    )
    local = b"PK\x03\x04" + common + b"\x00\x00" + name + packed
    entry = b"PK\x01\x02\x14\x00" + common + bytes(12) + start.to_bytes(4, "little") + name
    directory = archive[start:end] + entry
    total = (count + 1).to_bytes(2, "little")
    tail = b"PK\x05\x06" + bytes(4) + total * 2 + len(directory).to_bytes(4, "little")
    tail += (start + len(local)).to_bytes(4, "little") + bytes(2)
    return archive[:start] + local + directory + tail


_TYPES = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
BOMB_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_TYPES}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEET_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SHEET_TYPE}.worksheet+xml"/>'
    "</Types>",
    "_rels/.rels": f'<Relationships xmlns="{_TYPES}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_TYPES}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    "</Relationships>",
}
