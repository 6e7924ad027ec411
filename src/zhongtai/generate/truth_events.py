"""What people did on app, mini-program and website, as a faultless reader has it.

One row per event that is loaded: source, entity and record_key of its subject, the event as it was
delivered, its time, and the series and campaign that it names.
"""

import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.draws import Array
from zhongtai.generate.frames import Frame

_NAMES = {"website.visits": "visit", "website.pages": "view_page"}
_SCHEMA = pa.schema(
    {
        **dict.fromkeys(("source", "entity", "record_key", "event"), pa.string()),
        "at": pa.timestamp("us"),
        **dict.fromkeys(("series_code", "campaign_code"), pa.string()),
    }
)


def behaviours_of(frame: Frame) -> pa.Table | None:
    """Return the events of a frame after its dirt; None where it holds none."""
    name = frame.entity.full_name
    if name in {"app.events", "miniprogram.events"}:
        is_track = pc.equal(frame.table.column("type"), "track").to_numpy()
        return _rows(frame, frame.is_good & is_track, "distinct_id", "event", "properties")
    if name == "website.custom_events":
        return _rows(frame, frame.is_good, "visitUserId", "eventName", "eventVariable")
    if name in _NAMES:
        return _rows(frame, frame.is_good, "visitUserId", "", "")
    return None


def no_behaviours() -> pa.Table:
    """Return the empty table."""
    return _SCHEMA.empty_table()


def _rows(frame: Frame, kept: Array, subject: str, event: str, details: str) -> pa.Table:
    table = frame.table.filter(pa.array(kept))
    source = frame.entity.source
    count = table.num_rows
    told = table.column(details) if details else pa.nulls(count, pa.string())
    named = table.column(event) if event else pa.repeat(_NAMES[frame.entity.full_name], count)
    return pa.table(
        {
            "source": pa.repeat(source, count),
            "entity": pa.repeat("visits" if source == "website" else "events", count),
            "record_key": table.column(subject),
            "event": named,
            "at": pc.multiply(table.column("time"), 1000).cast(pa.timestamp("us")),
            "series_code": _told(told, "series_code"),
            "campaign_code": _told(told, "campaign_code"),
        },
        schema=_SCHEMA,
    )


def _told(details: pa.ChunkedArray | pa.Array, name: str) -> pa.Array:
    """Return a text of the properties, which are written as `"name":"value"` without blanks."""
    found = pc.extract_regex(details, f'"{name}":"(?P<value>[^"]*)"')
    return pc.struct_field(found, "value").cast(pa.string())
