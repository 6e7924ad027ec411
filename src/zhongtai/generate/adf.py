"""Leads of third parties in ADF XML (Auto-lead Data Format 1.0)."""

from html import escape

from zhongtai.generate.draws import Array
from zhongtai.generate.spelling import Spelled
from zhongtai.generate.timeline import LOCAL

OFFSETS = (("+08:00", LOCAL), ("-08:0", -LOCAL), ("", LOCAL), ("Z", 0))


def adf_bytes(spelled: Spelled, rows: Array) -> bytes:
    """Return one document with a prospect per row; both spellings of the instruction occur."""
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    head += '<?ADF VERSION="1.0"?>\n' if int(rows[0]) % 2 == 0 else '<?adf version="1.0"?>\n'
    names = list(spelled.frame.entity.columns)
    cells = {name: spelled.texts(name, rows).to_pylist() for name in names}
    seconds = spelled.frame.table.column("requestdate").cast("int64").to_pylist()
    late = {int(row) for row in rows if spelled.frame.fate[row]}
    prospects = []
    for place, row in enumerate(rows):
        record = {name: texts[place] for name, texts in cells.items()}
        if int(row) not in late:
            record["requestdate"] = _spell(seconds[int(row)], int(row))
        prospects.append(_prospect(record, int(row)))
    return (head + "<adf>\n" + "".join(prospects) + "</adf>\n").encode()


def _spell(seconds: int, number: int) -> str:
    from datetime import UTC, datetime

    offset, shift = OFFSETS[number % len(OFFSETS)]
    return datetime.fromtimestamp(seconds + shift, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S") + offset


def _prospect(record: dict[str, str], number: int) -> str:
    text = {name: escape(value, quote=False) for name, value in record.items()}
    name = f'<name part="full">{text["name"]}</name>'
    if number % 3 == 0:
        first, last = text["name"][1:], text["name"][:1]
        name = f'<name part="first">{first}</name><name part="last">{last}</name>'
    comments = f"<![CDATA[{record['comments']}]]>" if number % 2 else text["comments"]
    return (
        f'<prospect status="new"><id sequence="1" source="{text["source"]}">{text["id"]}</id>'
        f"<requestdate>{text['requestdate']}</requestdate>"
        f'<vehicle interest="{text["vehicle_interest"]}"><year>{text["vehicle_year"]}</year>'
        f"<make>{text['vehicle_make']}</make><model>{text['vehicle_model']}</model>"
        f"<trim>{text['vehicle_trim']}</trim></vehicle><customer><contact>{name}"
        f'<phone type="voice" time="day">{text["phone"]}</phone><email>{text["email"]}</email>'
        f'<address><street line="1">{text["address"]}</street><city>{text["city"]}</city>'
        f"<regioncode>{text['regioncode']}</regioncode><country>CN</country></address></contact>"
        f"<comments>{comments}</comments></customer>"
        f'<vendor><id sequence="1" source="dealer">{text["vendor_id"]}</id></vendor>'
        f"<provider><name>{text['provider_name']}</name></provider></prospect>\n"
    )


def xml_bomb() -> bytes:
    """Return a document whose entities expand to a thousand million characters."""
    entities = ['<!ENTITY a0 "笑笑笑笑笑笑笑笑笑笑">']
    entities += [f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 9)]
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE adf [\n' + "\n".join(entities) + "\n]>\n"
        "<adf><prospect><id>1</id><customer><comments>&a8;</comments></customer></prospect></adf>\n"
    ).encode()
