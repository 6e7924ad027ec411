"""Lines of Sensors Analytics JSON."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.draws import Array, chosen, digits, filled, joined, only, padded, pick
from zhongtai.generate.frames import Frame
from zhongtai.generate.places import CITIES
from zhongtai.generate.writers import Style, compress, text_of

MODELS = (
    ("Apple", "iPhone15,2", "iOS"),
    ("HUAWEI", "ALN-AL00", "HarmonyOS"),
    ("Xiaomi", "2304FPN6DC", "Android"),
)
LIBRARIES = {
    "app.events": ("iOS", "4.5.12", "3.2.0"),
    "miniprogram.events": ("MiniProgram", "3.18.1", "2.9.0"),
}
SECONDS_EVERY, STRING_EVERY = 211, 307  # rows with a time in seconds, with JSON in a string


def spoil_times(frame: Frame, as_of: int) -> Frame:
    """Return the frame with its odd times: seconds for milliseconds, skewed clocks, the future.

    `as_of` is in UTC seconds. A time in seconds has lost its milliseconds.
    """
    at = frame.table.column("time").to_numpy().copy()
    row = np.arange(len(frame))
    is_track = pc.equal(frame.table.column("type"), "track").to_numpy()
    calm = (
        is_track
        & pc.is_in(
            frame.table.column("event"), pa.array(["$AppEnd", "$MPHide", "ViewContent"])
        ).to_numpy()
    )
    whole = row % SECONDS_EVERY == SECONDS_EVERY - 1
    at[whole] = at[whole] // 1000 * 1000
    skewed = calm & (row % 401 == 400)
    at[skewed] += 3 * 3_600_000
    future = np.flatnonzero(calm)[:: max(500, len(frame) // 40)][:40]
    at[future] = (as_of + 900 * 86_400) * 1000
    frame.replace_column("time", pa.array(at))
    frame.fate[future] = "event_in_future"
    return frame


def sensors_bytes(frame: Frame, rows: Array, style: Style, *, is_zipped: bool) -> bytes:
    """Return the JSON lines of these rows.

    Frills: `resent` (another `_flush_time`), `broken_lines` (two lines cut in the middle, after
    the rows), `blank_lines`.
    """
    lines = _lines(frame, rows, style)
    text = text_of(lines)
    if "broken_lines" in style.frills:
        half = lines[0].as_py().rstrip("\n")
        text = text + half[: len(half) // 2] + "\n" + half[: len(half) // 3] + "\n"
    if "blank_lines" in style.frills:
        text = "\n" + text + "\n\n"
    data = ("\ufeff" + text if style.bom else text).encode()
    return compress(data) if is_zipped else data


BROKEN_LINES = 2


def _lines(frame: Frame, rows: Array, style: Style) -> pa.Array:
    place = pa.array(rows)
    column = {
        name: frame.table.column(name).take(place).combine_chunks()
        for name in frame.table.column_names
    }
    at = column["time"].to_numpy()
    whole = rows % SECONDS_EVERY == SECONDS_EVERY - 1
    flush = column["_flush_time"].to_numpy() + (86_400_000 if "resent" in style.frills else 0)
    parts: list[object] = ['{"type":"', column["type"], '"']
    ids = ("event", "distinct_id", "original_id", "anonymous_id", "login_id")
    parts += [filled(joined(f',"{name}":"', column[name], '"')) for name in ids]
    parts += [',"time":', digits(np.where(whole, at // 1000, at))]
    parts.append(filled(joined(',"_track_id":', column["_track_id"])))
    parts += [',"_flush_time":', digits(flush)]
    parts.append(filled(joined(',"identities":', column["identities"])))
    system, version, app_version = LIBRARIES[frame.entity.full_name]
    lib = f'{{"$lib":"{system}","$lib_version":"{version}","$app_version":"{app_version}"}}'
    parts.append(f',"project":"production","lib":{lib},"properties":')
    parts += [_properties(frame, rows, column["properties"]), "}\n"]
    return joined(*parts)


def _properties(frame: Frame, rows: Array, own: pa.Array) -> pa.Array:
    """Return the properties with the presets of the person's device; now and then as a string."""
    person = frame.person[rows]
    model = person % len(MODELS)
    city = (person * 7) % len(CITIES)
    is_first = chosen(rows % 29 == 0, "true", "false")
    presets = joined(
        '"$os":"', pick([item[2] for item in MODELS], model),
        '","$os_version":"', digits(12 + person % 6),
        '","$model":"', pick([item[1] for item in MODELS], model),
        '","$manufacturer":"', pick([item[0] for item in MODELS], model),
        '","$network_type":"', pick(["WIFI", "5G", "4G"], (rows % 3)),
        '","$ip":"10.', digits(person % 250), ".", digits(rows % 250), '.9","$province":"',
        pick([item[1] for item in CITIES], city),
        '","$city":"', pick([item[2] for item in CITIES], city),
        '","$is_first_day":', is_first, ',"$app_version":"3.2.', padded(person % 10, 1), '"',
    )  # fmt: skip
    utm = only(
        rows % 23 == 0, joined(',"$latest_utm_source":"', pick(["douyin", "baidu"], rows % 2), '"')
    )
    middle = filled(joined(",", only(pc.greater(pc.utf8_length(own), 0).to_numpy(False), own)))
    plain = joined("{", presets, filled(utm), middle, "}")
    is_profile = pc.starts_with(
        frame.table.column("type").take(pa.array(rows)).combine_chunks(), "profile"
    )
    plain = pc.if_else(is_profile, joined("{", own, "}"), plain)
    escaped = joined('"', pc.replace_substring(plain, '"', '\\"'), '"')
    return chosen(rows % STRING_EVERY == STRING_EVERY - 1, escaped, plain)
