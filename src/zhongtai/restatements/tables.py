"""The metrics tables as dbt knows them: grain, measures, and what they are made from."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zhongtai.errors import ZhongtaiError
from zhongtai.publish import arrival
from zhongtai.restatements.settling import Settling, load_settling
from zhongtai.settings import Settings

# period column of the grain -> how long a period is, as DuckDB says it
PERIODS: Mapping[str, str] = {
    "date": "interval 1 day",
    "week": "interval 7 day",
    "month": "interval 1 month",
    "year": "interval 1 year",
}
_NUMBERS = frozenset({"bigint", "integer", "double", "hugeint"})
_IDENTITY = "source.zhongtai.identity.record_map"
_RAW = "source.zhongtai.raw."


@dataclass(frozen=True)
class Measure:
    """A number of a table that is compared. `settles` are days after the end of the period."""

    name: str
    type: str
    settles: int


@dataclass(frozen=True)
class MetricsTable:
    """A metrics table with a period in its grain.

    `entities` (`crm__leads`) are read for it outside of identity; `definition` is the hash of all
    models, macros and seeds that make it.
    """

    name: str
    grain: tuple[str, ...]
    types: Mapping[str, str]
    measures: tuple[Measure, ...]
    entities: frozenset[str]
    uses_identity: bool
    definition: str

    @property
    def period(self) -> str:
        """The column of the grain that names the period."""
        return next(column for column in self.grain if column in PERIODS)


def list_tables(settings: Settings) -> tuple[MetricsTable, ...]:
    """Every published metrics table with a period in its grain, in name order.

    Read from the manifest that the build left. Raises ZhongtaiError where there is none.
    """
    file = settings.path("dbt", "target", "manifest.json")
    if not file.exists():
        raise ZhongtaiError(
            f"there is no {file}, which says what the metrics are made from",
            hint="run `zhongtai build` first",
        )
    lineage = _Lineage(file)
    settling = load_settling(settings.project_dir)
    return tuple(_read_table(name, lineage, settling) for name in sorted(lineage.published))


def _read_table(name: str, lineage: "_Lineage", settling: Settling) -> MetricsTable:
    node = lineage.published[name]
    grain = tuple(node["config"]["meta"]["grain"])
    types = {c: str(spec["data_type"]).lower() for c, spec in node["columns"].items()}
    above = lineage.above(node["unique_id"])
    return MetricsTable(
        name=name,
        grain=grain,
        types=types,
        measures=tuple(_list_measures(name, grain, types, settling)),
        entities=frozenset(n.removeprefix(_RAW) for n in above if n.startswith(_RAW)),
        uses_identity=_IDENTITY in above,
        definition=lineage.hash(above),
    )


def _list_measures(
    table: str, grain: tuple[str, ...], types: Mapping[str, str], settling: Settling
) -> Iterator[Measure]:
    for column, kind in types.items():
        is_ratio = f"{column}_num" in types and f"{column}_den" in types
        is_told = arrival.is_content(f"metrics.{table}", column)
        if column in grain or kind not in _NUMBERS or is_ratio or not is_told:
            continue
        settles = settling.days(table, column)
        if settles is not None:
            yield Measure(column, kind, settles)


class _Lineage:
    """The graph of a manifest: what stands above a node, and one hash of all that text."""

    def __init__(self, file: Path) -> None:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        self._nodes: dict[str, Any] = manifest["nodes"]
        self._macros: dict[str, Any] = manifest["macros"]

    @cached_property
    def published(self) -> dict[str, Any]:
        """The nodes of metrics tables with a period, by name."""
        return {
            node["name"]: node
            for node in self._nodes.values()
            if node["resource_type"] == "model"
            and node["name"].startswith("metrics_")
            and set(node["config"]["meta"].get("grain", ())) & set(PERIODS)
        }

    def above(self, unique_id: str) -> frozenset[str]:
        """The node itself and everything that it is made from, sources and macros included."""
        found: set[str] = set()
        waiting = [unique_id]
        while waiting:
            current = waiting.pop()
            if current in found:
                continue
            found.add(current)
            node = self._nodes.get(current) or self._macros.get(current) or {}
            reads = node.get("depends_on", {})
            waiting += [*reads.get("nodes", ()), *reads.get("macros", ())]
        return frozenset(found)

    def hash(self, ids: frozenset[str]) -> str:
        """One hash of the text of these models, seeds and macros of ours."""
        digest = hashlib.sha256()
        for unique_id in sorted(ids):
            if unique_id in self._nodes:
                digest.update(f"{unique_id} {self._nodes[unique_id]['checksum']}".encode())
            elif unique_id.startswith("macro.zhongtai."):
                digest.update(f"{unique_id} {self._macros[unique_id]['macro_sql']}".encode())
        return digest.hexdigest()
