"""Trouble with whole files and their delivery, each kind at entities of its own."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zhongtai.generate.dirt_values import DirtLog, keep_survivors
from zhongtai.generate.mangling import FORMULA
from zhongtai.generate.parcels import Parcel
from zhongtai.generate.timeline import Timeline
from zhongtai.generate.writers import Style

Parcels = list[Parcel]

SHEET_FRILLS: tuple[tuple[str, ...], ...] = (
    ("title_rows", "totals_row"),
    ("empty_rows", "hidden_sheet"),
    ("epoch_1904",),
    ("merged_header", "formulas", "totals_row"),
)
HEADER_VARIANTS: dict[str, tuple[tuple[str, str], ...]] = {
    "crm.contacts": (("微信UnionID", "微信UNIONID"), ("手机号", "手机号(脱敏)")),
    "crm.leads": (("inquiry_id", "INQUIRY_ID"), ("手机号", "手机号（脱敏）")),
    "crm.complaints": (("VIN", "vin"),),
    "dms.store_visits": (("手机", "手机（脱敏）"),),
    "partner.referrals": (("inquiry_id", "Inquiry_ID"),),
    "website.visits": (("visitUserId", "VisitUserId"),),
}
REORDERED = ("crm.surveys", "dms.vehicles", "workforce.targets", "website.pages")
WIDENED = ("crm.contacts", "dms.service_orders", "partner.members", "dms.orders")
UTF16 = ("crm.owner_contacts", "partner.rewards", "dms.dealers")
TOTALS = ("dms.addon_sales",)
OPTIONAL = ("mobile", "unionid")  # of workforce.staff
FIRST_FRILLS = {"dms.test_drives": 0, "dms.orders": 2, "dms.deliveries": 1}


def disturb(parcels: Parcels, timeline: Timeline, log: DirtLog) -> Parcels:
    """Return the files of one entity with the trouble that befalls it."""
    entity = parcels[0].entity.full_name
    for vary in (_vary_headers, _vary_sheets, _vary_text):
        parcels = vary(parcels, log)
    for name, (kind, change) in TROUBLES.items():
        if name.split("#")[0] == entity:
            parcels = change(parcels, timeline, log, kind)
    return parcels


def _restyle(parcels: Parcels, place: int, log: DirtLog, kind: str, style: Style) -> Parcels:
    """Return the parcels with another style for one of them."""
    place = min(place, len(parcels) - 1)
    parcel = parcels[place]
    log.note(kind, parcel.entity, ("", "", parcel.path), "loaded")
    return [*parcels[:place], replace(parcel, style=style), *parcels[place + 1 :]]


def _vary_headers(parcels: Parcels, log: DirtLog) -> Parcels:
    name = parcels[0].entity.full_name
    for place, pair in enumerate(HEADER_VARIANTS.get(name, ())):
        spot = min(place + 1, len(parcels) - 1)
        style = parcels[spot].style
        style = replace(style, renamed=(*style.renamed, pair))
        parcels = _restyle(parcels, spot, log, "header_variant", style)
    if name in REORDERED:
        parcels = _restyle(
            parcels, 0, log, "columns_reordered", replace(parcels[0].style, reverse=True)
        )
    if name in WIDENED:
        extra = (("备注", "VIP"), ("备注", "回访"), ("数据来源", FORMULA))
        parcels = _restyle(parcels, 0, log, "columns_added", replace(parcels[0].style, extra=extra))
        log.note("duplicate_headers", parcels[0].entity, ("备注", "", parcels[0].path), "loaded")
    if name == "workforce.staff":
        parcels = _remove_columns(parcels, log)
    return parcels


def _remove_columns(parcels: Parcels, log: DirtLog) -> Parcels:
    """Leave the optional columns out of the last file: its rows lose their values everywhere."""
    last = parcels[-1]
    for name in OPTIONAL:
        lost = [None] * len(last.rows)
        keep_survivors(last.spelled.frame, name, last.rows, lost)
        last.spelled.write_differently(name, last.rows, [""] * len(last.rows))
    style = replace(last.style, dropped=OPTIONAL)
    return _restyle(parcels, len(parcels) - 1, log, "optional_columns_removed", style)


def _vary_sheets(parcels: Parcels, log: DirtLog) -> Parcels:
    if parcels[0].entity.format != "xlsx":
        return parcels
    for place in range(len(parcels)):
        start = FIRST_FRILLS[parcels[place].entity.full_name]
        frills = SHEET_FRILLS[(start + place) % len(SHEET_FRILLS)]
        for frill in frills:
            log.note(frill, parcels[place].entity, ("", "", parcels[place].path), "loaded")
        style = parcels[place].style.including(*frills)
        parcels = _restyle(parcels, place, log, "sheet", style)
    return parcels


def _vary_text(parcels: Parcels, log: DirtLog) -> Parcels:
    name = parcels[0].entity.full_name
    if name in UTF16:
        style = Style(encoding="utf-16-le", bom=True, extra=parcels[-1].style.extra)
        parcels = _restyle(parcels, len(parcels) - 1, log, "utf16", style)
    if name in TOTALS:
        style = parcels[0].style.including("totals_row", "empty_rows")
        parcels = _restyle(parcels, 0, log, "totals_row", style)
    if parcels[0].entity.format == "jsonl":
        style = replace(parcels[0].style, bom=True).including("blank_lines", "broken_lines")
        parcels = _restyle(parcels, 0, log, "broken_json", style)
        log.note("time_in_seconds", parcels[0].entity, ("time", "", ""), "cleaned")
        log.note("clock_skew", parcels[0].entity, ("time", "", ""), "loaded")
        log.note("json_in_string", parcels[0].entity, ("properties", "", ""), "cleaned")
        log.note("event_in_future", parcels[0].entity, ("time", "", ""), "row_quarantined")
    return parcels


def _middle(parcels: Parcels) -> Parcel:
    return parcels[len(parcels) // 2]


def _note(log: DirtLog, kind: str, parcel: Parcel, outcome: str) -> Parcel:
    log.note(kind, parcel.entity, ("", "", parcel.path), outcome)
    return parcel


def _copy_bytes(parcels: Parcels, timeline: Timeline, log: DirtLog, kind: str) -> Parcels:
    """Deliver the same bytes again, a day later, under another name."""
    first = parcels[len(parcels) // 3]
    day = min(first.delivered + 1, timeline.days - 1)
    folder = f"{timeline.date_of(day):%Y-%m-%d}"
    again = replace(first, delivered=day, folder=folder, name=first.renamed("_副本"))
    return [*parcels, _note(log, kind, again, "file_duplicate")]


def _resend(parcels: Parcels, timeline: Timeline, log: DirtLog, kind: str) -> Parcels:
    """Send a failed batch again: the same lines with another `_flush_time`."""
    first = _middle(parcels)
    day = min(first.delivered + 1, timeline.days - 1)
    rows = first.rows[: max(1, len(first.rows) // 5)]
    style = replace(first.style, bom=False, frills=frozenset({"resent"}))
    name = f"events_{timeline.date_of(day):%Y%m%d}_resend.jsonl.gz"
    folder = f"{timeline.date_of(day):%Y-%m-%d}"
    again = replace(first, delivered=day, folder=folder, name=name, rows=rows, style=style)
    return [*parcels, _note(log, kind, again, "rows_duplicate")]


def _overlap(parcels: Parcels, timeline: Timeline, log: DirtLog, kind: str) -> Parcels:  # noqa: ARG001
    """Let an export begin with the last rows of the one before."""
    if len(parcels) < 2:
        return parcels
    place = max(1, len(parcels) // 2)
    before, parcel = parcels[place - 1], parcels[place]
    rows = np.concatenate([before.rows[-max(1, len(before.rows) // 4) :], parcel.rows])
    longer = _note(log, kind, replace(parcel, rows=rows), "rows_repeated")
    return [*parcels[:place], longer, *parcels[place + 1 :]]


def _delay(parcels: Parcels, timeline: Timeline, log: DirtLog, kind: str) -> Parcels:
    """Deliver a file days late, after younger ones."""
    place = min(1, len(parcels) - 1)
    parcel = parcels[place]
    day = min(parcel.delivered + max(timeline.days // 2, 2), timeline.days - 1)
    late = _note(log, kind, replace(parcel, delivered=day), "loaded")
    return [*parcels[:place], late, *parcels[place + 1 :]]


def _damage(parcels: Parcels, timeline: Timeline, log: DirtLog, kind: str) -> Parcels:  # noqa: ARG001
    """Add a re-export of rows whose file is spoilt as a whole."""
    source = _middle(parcels)
    name = source.renamed(f"_{kind}")
    if kind == "truncated_gzip" and not name.endswith(".gz"):
        name += ".gz"
    rows = source.rows[: min(len(source.rows), 200)]
    style = replace(source.style, frills=frozenset(), bom=False, dropped=())
    spoilt = replace(source, name=name, damage=kind, rows=rows, style=style)
    outcome = {"no_marker": "not_complete", "header_only": "loaded"}.get(kind, "file_quarantined")
    if kind == "header_only":
        spoilt = replace(spoilt, rows=rows[:0])
    return [*parcels, _note(log, kind, spoilt, outcome)]


def _correct_manifest(parcels: Parcels, timeline: Timeline, log: DirtLog, kind: str) -> Parcels:  # noqa: ARG001
    """Put a wrong manifest beside a file, and later a right one that names it too."""
    place = len(parcels) // 2
    parcel = _note(log, kind, replace(parcels[place], stale_manifest=True), "loaded")
    return [*parcels[:place], parcel, *parcels[place + 1 :]]


def _correct_later(parcels: Parcels, timeline: Timeline, log: DirtLog, kind: str) -> Parcels:
    """Deliver a file under a wrong manifest, and in the last wave again under a right one."""
    parcel, last = parcels[0], timeline.days - 1
    if timeline.wave_of(parcel.delivered) == timeline.wave_of(last):
        return parcels
    wrong = replace(parcel, damage="manifest_sha256")
    right = _note(log, kind, replace(parcel, delivered=last), "loaded")
    return [wrong, right, *parcels[1:]]


def _share_manifest(parcels: Parcels, timeline: Timeline, log: DirtLog, kind: str) -> Parcels:  # noqa: ARG001
    """Split an export into two files under one manifest."""
    first = parcels[0]
    if len(first.rows) < 2:
        return parcels
    half = len(first.rows) // 2
    parts = [
        replace(first, rows=rows, name=first.renamed(f"_part{number}"), group=first.renamed("_all"))
        for number, rows in enumerate((first.rows[:half], first.rows[half:]), start=1)
    ]
    _note(log, kind, parts[1], "loaded")
    return [*parts, *parcels[1:]]


def _rewrite(parcels: Parcels, timeline: Timeline, log: DirtLog, kind: str) -> Parcels:
    """Add a full export under a fixed name, which a later wave overwrites with other bytes."""
    every = np.sort(np.concatenate([parcel.rows for parcel in parcels]))
    first, last = parcels[0].day, timeline.days - 1
    is_same_wave = timeline.wave_of(first) == timeline.wave_of(last)
    for day in (last,) if is_same_wave else (first, last):
        rows = every[parcels[0].spelled.frame.batch[every] <= day]
        name = f"{parcels[0].entity.name}_latest.csv"
        style = replace(parcels[0].style, frills=frozenset(), extra=())
        full = replace(parcels[0], rows=rows, folder="full", name=name, delivered=day, style=style)
        full = replace(full, style=replace(style, dropped=()))
        parcels = [*parcels, _note(log, kind, full, "loaded")]
    return parcels


def _odd_path(parcels: Parcels, timeline: Timeline, log: DirtLog, kind: str) -> Parcels:  # noqa: ARG001
    """Deliver into a folder with blanks and Chinese characters."""
    place = len(parcels) - 1
    parcel = replace(parcels[place], folder=f"华东 一区/{parcels[place].folder}（补）")
    return [*parcels[:place], _note(log, kind, parcel, "loaded")]


Trouble = Callable[[Parcels, Timeline, DirtLog, str], Parcels]
# entity (with a mark where it has several): kind of dirt, what does it
TROUBLES: dict[str, tuple[str, Trouble]] = {
    "app.events": ("late_file", _delay),
    "app.events#2": ("resent_batch", _resend),
    "app.events#3": ("same_bytes", _copy_bytes),
    "app.events#4": ("no_marker", _damage),
    "app.events#5": ("truncated_gzip", _damage),
    "miniprogram.events": ("resent_batch", _resend),
    "website.visits": ("late_file", _delay),
    "website.pages": ("overlap", _overlap),
    "website.custom_events": ("truncated_gzip", _damage),
    "crm.contacts": ("two_manifests", _correct_manifest),
    "crm.leads": ("shared_manifest", _share_manifest),
    "crm.leads#2": ("two_manifests", _correct_manifest),
    "crm.leads#3": ("overlap", _overlap),
    "crm.follow_ups": ("overlap", _overlap),
    "crm.follow_ups#2": ("late_file", _delay),
    "crm.complaints": ("manifest_sha256", _damage),
    "crm.surveys": ("same_bytes", _copy_bytes),
    "crm.owner_contacts": ("wrong_delimiter", _damage),
    "crm.wecom_contacts": ("manifest_bytes", _damage),
    "crm.campaigns": ("rewritten_file", _rewrite),
    "crm.adf_leads": ("xml_bomb", _damage),
    "dms.dealers": ("empty", _damage),
    "dms.customers": ("late_file", _delay),
    "dms.store_visits": ("overlap", _overlap),
    "dms.store_visits#2": ("odd_path", _odd_path),
    "dms.test_drives": ("zip_bomb", _damage),
    "dms.orders": ("same_bytes", _copy_bytes),
    "dms.deliveries": ("missing_column", _damage),
    "dms.vehicles": ("header_only", _damage),
    "dms.service_orders": ("late_file", _delay),
    "dms.addon_sales": ("missing_column", _damage),
    "partner.referrals": ("corrected_manifest", _correct_later),
    "partner.members": ("manifest_rows", _damage),
    "workforce.staff": ("rewritten_file", _rewrite),
    "workforce.training_records": ("manifest_rows", _damage),
}
