"""Exports of a home from which somebody is erased: made-up people, and contacts who are silent.

Most profiles of a carmaker are of persons of whom it knows little: a contact that somebody typed
once. They are cheap to make, and an erasure has to go past them as past anybody else.
"""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from zhongtai.generate.draws import draw_from, joined, padded, pick
from zhongtai.generate.people import person_names, phones
from zhongtai.generate.places import CITIES

_SEED = 7
_COLUMNS = (
    *("客户ID", "姓名", "性别", "出生日期", "手机号", "备用手机号", "邮箱", "微信UnionID"),
    *("企微ExternalUserID", "省", "市", "地址", "职业", "家庭人口", "是否允许营销", "同意时间"),
    *("是否注销", "创建时间", "更新时间"),
)
_DAY = 86_400


def write_silent(landing: Path, numbers: range, people: int, as_of: datetime) -> None:
    """Deliver a contact for each of the numbers, none of whom is one of the made-up `people`."""
    count, number = len(numbers), np.arange(numbers.start, numbers.stop)
    rng = draw_from(_SEED, f"silent contacts from {numbers.start}")
    place = rng.integers(0, len(CITIES), count)
    # the generator gives its own people and shops numbers below seven times their count
    mobile = phones(_SEED, number + 8 * people)
    days = rng.integers(30, 900, count) * _DAY
    told = pa.array(int(as_of.timestamp()) - days, pa.timestamp("s"))
    born = pa.array(rng.integers(-3_600, 13_000, count).astype(np.int32)).cast(pa.date32())
    values = {
        "客户ID": joined("C9", padded(number, 8)),
        "姓名": person_names(rng, count),
        "性别": pick(["女", "男"], rng.integers(0, 2, count)),
        "出生日期": born.cast(pa.string()),
        "手机号": mobile,
        "省": pick([city[1] for city in CITIES], place),
        "市": pick([city[2] for city in CITIES], place),
        "是否允许营销": pick(["0", "1"], rng.integers(0, 2, count)),
        "是否注销": pick(["0"], np.zeros(count, np.int64)),
        "创建时间": pc.strftime(told, "%Y-%m-%d %H:%M:%S"),
        "更新时间": pc.strftime(told, "%Y-%m-%d %H:%M:%S"),
    }
    nothing = pa.nulls(count, pa.string())
    table = pa.table({name: values.get(name, nothing) for name in _COLUMNS})
    _deliver(landing / "crm" / "contacts" / "silent", f"silent_{numbers.start}.csv", table, as_of)


def _deliver(folder: Path, name: str, table: pa.Table, as_of: datetime) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pa_csv.write_csv(table, folder / name)
    content = (folder / name).read_bytes()
    entry = {
        "name": name,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "rows": table.num_rows,
    }
    manifest = {
        "source": "crm",
        "entity": "contacts",
        "exported_at": as_of.astimezone(UTC).isoformat(),
        "files": [entry],
    }
    file = folder / f"{Path(name).stem}.manifest.json"
    file.write_text(json.dumps(manifest, ensure_ascii=False, indent=1), "utf-8")
