"""Puts dirt into cells and rows, and keeps the truth in step with what survives it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.catalogue import Entity
from zhongtai.generate.draws import Array, Generator, draw_from
from zhongtai.generate.frames import TYPES, Frame
from zhongtai.generate.mangling import MANGLINGS, Mangling, null_word
from zhongtai.generate.names import PLACEHOLDER_PHONES
from zhongtai.generate.spelling import Spelled

# Columns whose bad texts would make the truth ambiguous rather than dirty.
SPARED = {
    "开始时间",
    "结束时间",
    "到期时间",
    "下次跟进时间",
    "due_at",
    "buy_expire_time",
    "left_on",
}
SPARED_ENTITIES = {"app.events", "miniprogram.events"}
# Only remarks lose their meaning: in a code or a channel the loss would be one more value.
FREE_TEXT = {"地址", "评论", "跟进结果", "职业", "承诺权益", "产品名称", "预算区间", "address"}
SPOILING = {"formula", "undecodable_bytes", "cut_at_30"}
UNKNOWN_WORDS = {
    "dms.store_visits": ("到店方式", "直播团购"),
    "crm.complaints": ("来源", "微博"),
    "workforce.content_posts": ("platform", "快手"),
    "partner.members": ("kind", "供应商"),
}
OUTCOMES = {"formula": "no_formula_published", "undecodable_bytes": "loaded"}
FUTURE = "2099-01-01 08:00:00"


@dataclass
class DirtLog:
    """What dirt was put where: one entry per cell, row or file."""

    entries: list[tuple[str, str, str, str, str, str, str]] = field(default_factory=list)
    covered: set[str] = field(default_factory=set)

    def note(self, kind: str, entity: Entity, place: tuple[str, str, str], outcome: str) -> None:
        """Record a kind of dirt at `place` (column, record key, file) with what must come of it."""
        self.entries.append((kind, entity.source, entity.name, *place, outcome))
        self.covered.add(kind)


def soil(frame: Frame, seed: int, share: float, log: DirtLog) -> Spelled:
    """Return the frame with dirt in about `share` of the cells of every column.

    Each kind of dirt that no earlier frame could carry is put in at least once.
    """
    spelled = Spelled(frame)
    if frame.entity.full_name in SPARED_ENTITIES:
        return spelled
    if not len(frame):
        return spelled
    rng = draw_from(seed, f"dirt {frame.entity.full_name}")
    _lose_placeholders(spelled)
    keys = record_keys(frame)
    for column, kind in frame.entity.columns.items():
        _soil_column(spelled, rng, (column, kind), share, (keys, log))
    _soil_nulls(spelled, rng, share, log)
    _put_unknown_words(spelled, rng, log)
    _put_into_future(spelled, rng, share, (keys, log))
    for column, texts in frame.spelt.items():
        rows = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
        spelled.write_differently(column, rows, texts.take(pa.array(rows)).to_pylist())
    return spelled


def _lose_placeholders(spelled: Spelled) -> None:
    """Take the invented numbers of test leads out of the truth, not out of the file."""
    for name, kind in spelled.frame.entity.columns.items():
        if kind != "mobile":
            continue
        values = spelled.frame.table.column(name).combine_chunks()
        invented = pc.is_in(values, pa.array(PLACEHOLDER_PHONES)).to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(invented)
        spelled.write_differently(name, rows, values.take(pa.array(rows)).to_pylist())
        keep_survivors(spelled.frame, name, rows, [None] * len(rows))


def record_keys(frame: Frame) -> pa.Array:
    """Return the key of each row: the key columns joined by `|`."""
    columns = [
        frame.table.column(name).combine_chunks().cast(pa.string()) for name in frame.entity.key
    ]
    return pc.binary_join_element_wise(*columns, "|", null_handling="replace", null_replacement="")


def _applicable(entity: Entity, column: str, kind: str) -> list[Mangling]:
    if column in entity.key:
        plain = entity.format != "growing" and column not in ("id", "source")
        return [mangling for mangling in MANGLINGS if mangling.name == "blanks" and plain]
    if column in SPARED or kind in ("key", "ms", "json") or entity.format == "growing":
        return []
    fitting = [mangling for mangling in MANGLINGS if kind in mangling.kinds]
    if column in (entity.version, entity.event_time):
        fitting = [mangling for mangling in fitting if not mangling.lossy]
    if entity.format != "csv":
        fitting = [mangling for mangling in fitting if mangling.name != "undecodable_bytes"]
    if column not in FREE_TEXT:
        fitting = [mangling for mangling in fitting if mangling.name not in SPOILING]
    return fitting


def _soil_column(
    spelled: Spelled,
    rng: Generator,
    column: tuple[str, str],
    share: float,
    notes: tuple[Any, DirtLog],
) -> None:
    frame, (name, kind), (keys, log) = spelled.frame, column, notes
    manglings = _applicable(frame.entity, name, kind)
    if not manglings:
        return
    known = np.flatnonzero(frame.table.column(name).combine_chunks().is_valid().to_numpy(False))
    wanted = [mangling for mangling in manglings if mangling.name not in log.covered]
    rate = share / 10 if name in frame.entity.key else share
    count = min(int(rng.binomial(len(known), rate)) + 3 * len(wanted), len(known))
    rows = np.sort(rng.choice(known, count, replace=False))
    weights = np.array([0.4 if mangling.lossy else 1.0 for mangling in manglings])
    kinds = rng.choice(len(manglings), count, p=weights / weights.sum())
    forced = [
        place for place, mangling in enumerate(manglings) for _ in range(3) if mangling in wanted
    ]
    kinds[: len(forced)] = forced[:count]
    _write(
        spelled,
        name,
        [(int(row), manglings[at]) for row, at in zip(rows, kinds, strict=True)],
        (keys, log),
    )


def _write(
    spelled: Spelled, name: str, choices: list[tuple[int, Mangling]], notes: tuple[Any, DirtLog]
) -> None:
    frame, (keys, log) = spelled.frame, notes
    values = numbers_of(frame.table.column(name).combine_chunks())
    changed, texts, survivors = [], [], []
    for number, (row, mangling) in enumerate(choices):
        written = mangling.write(values[row].as_py(), number)
        if written is None:
            continue
        changed.append(row)
        texts.append(written[0])
        survivors.append(written[1])
        outcome = OUTCOMES.get(mangling.name, "value_lost" if written[1] is None else "cleaned")
        log.note(mangling.name, frame.entity, (name, keys[row].as_py(), ""), outcome)
    rows = np.array(changed, dtype=np.int64)
    spelled.write_differently(name, rows, texts)
    _remember_masks(frame, name, rows, texts)
    keep_survivors(frame, name, rows, survivors)


def _remember_masks(frame: Frame, name: str, rows: Array, texts: list[str]) -> None:
    """Keep masked phones beside the lost values: half a phone still says something."""
    if frame.entity.columns[name] != "mobile" or not len(rows):
        return
    count = len(frame)
    shown: Array = np.full(count, None, dtype=object)
    shown[rows] = [text if "****" in text else None for text in texts]
    known = frame.spelt.get(name, pa.nulls(count, pa.string()))
    frame.spelt[name] = pc.coalesce(known, pa.array(shown, pa.string()))


def numbers_of(values: pa.Array) -> pa.Array:
    """Return times as UTC seconds and dates as days, so that dirt works on plain numbers."""
    if pa.types.is_timestamp(values.type):
        return values.cast(pa.int64())
    return values.cast(pa.int32()) if pa.types.is_date(values.type) else values


def keep_survivors(frame: Frame, name: str, rows: Array, survivors: list[Any]) -> None:
    """Put what is left of the values into the truth."""
    if not len(rows):
        return
    mask = np.zeros(len(frame), dtype=bool)
    mask[rows] = True
    values = numbers_of(frame.table.column(name).combine_chunks())
    order = np.argsort(rows)
    left = pa.array([survivors[place] for place in order], type=values.type)
    replaced = pc.replace_with_mask(values, pa.array(mask), left)
    frame.replace_column(name, replaced.cast(TYPES.get(frame.entity.columns[name], pa.string())))


def _soil_nulls(spelled: Spelled, rng: Generator, share: float, log: DirtLog) -> None:
    """Write words for nothing into some empty cells."""
    frame = spelled.frame
    if frame.entity.format in ("growing", "adf"):
        return
    for name, kind in frame.entity.columns.items():
        if name in frame.entity.key or kind in ("bool", "num", "int") or name in SPARED:
            continue
        empty = np.flatnonzero(frame.table.column(name).combine_chunks().is_null().to_numpy(False))
        if not len(empty):
            continue
        count = max(1, int(rng.binomial(len(empty), share)))
        rows = np.sort(rng.choice(empty, count, replace=False))
        spelled.write_differently(name, rows, [null_word(number) for number in range(count)])
        log.note("null_words", frame.entity, (name, "", ""), "cleaned")


def _put_unknown_words(spelled: Spelled, rng: Generator, log: DirtLog) -> None:
    """Use a word outside the known vocabulary: it loads as it is."""
    frame = spelled.frame
    if frame.entity.full_name not in UNKNOWN_WORDS:
        return
    name, word = UNKNOWN_WORDS[frame.entity.full_name]
    keys = record_keys(frame)
    key = keys[int(rng.integers(0, len(frame)))]
    rows = np.flatnonzero(pc.equal(keys, key).to_numpy(zero_copy_only=False))
    keep_survivors(frame, name, rows, [word] * len(rows))
    spelled.write_differently(name, rows, [word] * len(rows))
    log.note("unknown_word", frame.entity, (name, key.as_py(), ""), "loaded")


def _put_into_future(
    spelled: Spelled, rng: Generator, share: float, notes: tuple[Any, DirtLog]
) -> None:
    """Date a few rows long after the export: they are to be quarantined."""
    frame, (keys, log) = spelled.frame, notes
    name = frame.entity.event_time
    if name is None or frame.entity.columns[name] != "ts" or name == frame.entity.version:
        return
    count = max(1, int(len(frame) * share / 60))
    rows = np.sort(rng.choice(len(frame), count, replace=False))
    spelled.write_differently(name, rows, [FUTURE] * count)
    frame.fate[rows] = "event_in_future"
    for row in rows:
        log.note(
            "event_in_future", frame.entity, (name, keys[int(row)].as_py(), ""), "row_quarantined"
        )
