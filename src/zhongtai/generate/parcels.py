"""Files to be delivered: which rows each holds, how it is written, and when it arrives."""

from dataclasses import dataclass, field, replace

import numpy as np

from zhongtai.generate import adf, sheets
from zhongtai.generate.catalogue import Entity
from zhongtai.generate.draws import Array
from zhongtai.generate.sensors import sensors_bytes
from zhongtai.generate.spelling import Spelled
from zhongtai.generate.timeline import Timeline
from zhongtai.generate.writers import Style, csv_bytes, growing_bytes

SUFFIXES = {"jsonl": "jsonl.gz", "growing": "csv.gz", "csv": "csv", "xlsx": "xlsx", "adf": "xml"}


@dataclass(frozen=True)
class Parcel:
    """One file. `day` is the day of its rows, `delivered` the day of its arrival.

    `damage` spoils the whole file, or its manifest; `copies` is the parcel whose bytes it repeats;
    `stale_manifest` puts an older, wrong manifest beside the right one; `group` names a manifest
    that several files share.
    """

    spelled: Spelled
    rows: Array
    day: int
    delivered: int
    folder: str
    name: str
    style: Style = field(default_factory=Style)
    damage: str = ""
    stale_manifest: bool = False
    group: str = ""

    @property
    def entity(self) -> Entity:
        """The entity of the rows."""
        return self.spelled.frame.entity

    @property
    def path(self) -> str:
        """The path below the landing folder."""
        return f"{self.entity.source}/{self.entity.name}/{self.folder}/{self.name}"

    def renamed(self, mark: str) -> str:
        """Return the name with a mark before its suffixes."""
        stem, _, suffix = self.name.partition(".")
        return f"{stem}{mark}.{suffix}"


def plain_parcels(spelled: Spelled, timeline: Timeline) -> list[Parcel]:
    """Return the files of an entity without any trouble: one per export that has rows."""
    frame = spelled.frame
    order = np.argsort(frame.batch, kind="stable")
    days, starts = np.unique(frame.batch[order], return_index=True)
    parcels = []
    for place, (day, rows) in enumerate(zip(days, np.split(order, starts[1:]), strict=True)):
        date = timeline.date_of(day)
        suffix = SUFFIXES[frame.entity.format]
        if suffix == "jsonl.gz" and place % 2:
            suffix = "jsonl"
        parcels.append(
            Parcel(
                spelled=spelled,
                rows=rows,
                day=int(day),
                delivered=int(day),
                folder=f"{date:%Y-%m-%d}",
                name=f"{frame.entity.name}_{date:%Y%m%d}.{suffix}",
                style=usual_style(frame.entity, place),
            )
        )
    return parcels


def usual_style(entity: Entity, place: int) -> Style:
    """Return how the place-th file of an entity is written by default."""
    if entity.source == "crm":
        return Style(encoding="gb18030") if place % 2 == 0 else Style(bom=True)
    if entity.source == "dms":
        return Style(encoding="gb18030")
    renamed = (("loginUserId", "loginUserID"),) if place % 2 and entity.format == "growing" else ()
    return Style(renamed=renamed, bom=entity.format == "csv" and place % 3 == 1)


def render(parcel: Parcel) -> bytes:
    """Return the bytes of a parcel."""
    spelled, rows, style, damage = parcel.spelled, parcel.rows, parcel.style, parcel.damage
    if damage in ("zip_bomb", "xml_bomb"):
        return sheets.zip_bomb() if damage == "zip_bomb" else adf.xml_bomb()
    if damage == "empty":
        return b""
    if damage == "wrong_delimiter":
        style = replace(style, delimiter=";")
    if damage == "missing_column":
        style = replace(style, dropped=(lost_column(parcel.entity),))
    form = parcel.entity.format
    if form == "jsonl":
        data = sensors_bytes(spelled.frame, rows, style, is_zipped=parcel.name.endswith(".gz"))
    elif form == "growing":
        data = growing_bytes(spelled, rows, style)
    elif form == "xlsx":
        data = sheets.xlsx_bytes(spelled, rows, style)
    else:
        data = adf.adf_bytes(spelled, rows) if form == "adf" else csv_bytes(spelled, rows, style)
    return data[: len(data) * 2 // 3] if damage == "truncated_gzip" else data


def lost_column(entity: Entity) -> str:
    """Return the required column that a damaged file of the entity lacks."""
    return entity.version or entity.event_time or entity.key[0]
