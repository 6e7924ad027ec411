"""The semantic layer: MetricFlow's semantic models and metrics, written from the marts' documents.

A model whose document says `meta: {is_semantic: true}` gets a semantic model: its grain are the
dimensions, its counts and sums the measures (a column that is the same in several rows says
`is_additive: false` and is none), each ratio a metric over its two parts. A metric is
named as its column; where several tables have the column, the table comes first.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path("dbt_project/models/marts/metrics")
FILE = Path("dbt_project/models/_semantic_models.yml")
_HEAD = "# Written by `zhongtai generate semantics` from the documents of the marts; do not edit.\n"
_GRANULARITIES = {"date": "day", "week": "week", "month": "month"}
_SUMMED = ("bigint", "hugeint")


@dataclass(frozen=True)
class SemanticTable:
    """A metrics table as MetricFlow is to see it; descriptions by column."""

    name: str
    description: str
    grain: tuple[str, ...]
    measures: dict[str, str]
    ratios: dict[str, str]

    @property
    def short_name(self) -> str:
        """The table without `metrics_`."""
        return self.name.removeprefix("metrics_")

    @property
    def period(self) -> str:
        """The dimension of time."""
        return next(column for column in self.grain if column in _GRANULARITIES)


def generate_semantics(project_dir: Path) -> list[Path]:
    """Write the semantic models of all tables that ask for one; the files that changed."""
    file = project_dir / FILE
    text = semantics_document(list_semantic_tables(project_dir))
    if file.exists() and file.read_text("utf-8") == text:
        return []
    file.write_text(text, "utf-8")
    return [file]


def list_semantic_tables(project_dir: Path) -> list[SemanticTable]:
    """The tables whose documents ask for a semantic model, in name order."""
    found = []
    for file in sorted((project_dir / FOLDER).glob("metrics_*.yml")):
        (model,) = yaml.safe_load(file.read_text("utf-8"))["models"]
        meta = model.get("config", {}).get("meta", {})
        if not meta.get("is_semantic"):
            continue
        columns = {column["name"]: column for column in model["columns"]}
        told = {name: " ".join(column["description"].split()) for name, column in columns.items()}
        summed = [n for n, c in columns.items() if _is_summed(c)]
        found.append(
            SemanticTable(
                name=model["name"],
                description=" ".join(model["description"].split()),
                grain=tuple(meta["grain"]),
                measures={n: told[n] for n in summed if n not in meta["grain"]},
                ratios={n: told[n] for n in columns if {f"{n}_num", f"{n}_den"} <= set(summed)},
            )
        )
    return found


def _is_summed(column: Mapping[str, Any]) -> bool:
    """Whether the column may be added up over rows; one that may not says `is_additive: false`."""
    meta = column.get("config", {}).get("meta", {})
    return column["data_type"] in _SUMMED and meta.get("is_additive", True)


def semantics_document(tables: Sequence[SemanticTable]) -> str:
    """The YAML of all semantic models and metrics."""
    names = Counter(c for table in tables for c in (*table.measures, *table.ratios))
    document = {
        "version": 2,
        "semantic_models": [_semantic_model(table) for table in tables],
        "metrics": [metric for table in tables for metric in _metrics(table, names)],
    }
    return _HEAD + yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=110)


def metric_name(table: SemanticTable, column: str, names: Counter[str]) -> str:
    """What the metric of a column is called; `names` counts the tables that have the column."""
    return column if names[column] == 1 else f"{table.short_name}_{column}"


def _semantic_model(table: SemanticTable) -> dict[str, Any]:
    return {
        "name": table.short_name,
        "description": table.description,
        "model": f"ref('{table.name}')",
        "defaults": {"agg_time_dimension": _dimension(table.period)["name"]},
        "primary_entity": f"{table.short_name}_row",
        "dimensions": [_dimension(column) for column in table.grain],
        "measures": [
            {
                "name": f"{table.short_name}_{column}",
                "agg": "sum",
                "expr": column,
                "description": told,
            }
            for column, told in table.measures.items()
        ],
    }


def _dimension(column: str) -> dict[str, Any]:
    if column in _GRANULARITIES:
        granularity = {"time_granularity": _GRANULARITIES[column]}
        # MetricFlow keeps the names of granularities to itself
        name = f"{column}_start" if column == granularity["time_granularity"] else column
        return {"name": name, "expr": column, "type": "time", "type_params": granularity}
    return {"name": column, "type": "categorical"}


def _metrics(table: SemanticTable, names: Counter[str]) -> Iterator[dict[str, Any]]:
    for column, told in table.measures.items():
        yield {
            "name": metric_name(table, column, names),
            "label": metric_name(table, column, names),
            "description": told,
            "type": "simple",
            "type_params": {"measure": f"{table.short_name}_{column}"},
        }
    for column, told in table.ratios.items():
        yield {
            "name": metric_name(table, column, names),
            "label": metric_name(table, column, names),
            "description": told,
            "type": "ratio",
            "type_params": {
                "numerator": metric_name(table, f"{column}_num", names),
                "denominator": metric_name(table, f"{column}_den", names),
            },
        }
