"""docs/metrics.md: what every shared metrics table means, written from the models and seeds."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

_HEAD = """\
# Shared metrics

Written by `zhongtai generate docs` from the models; do not edit. The words stand in the YAML of the
models and in `seeds/metric_catalogue.csv`, which `metrics.meta_metric_catalogue` publishes.

How to read every table:

- A ratio is one line here and three columns: `<name>_num` and `<name>_den` are integers that may be
  added over rows, `<name>` is their quotient, null (never 0) over an empty denominator. Add the
  parts, then divide; never average ratios.
- Dates are local (Asia/Shanghai). Windows are half-open, `[t0, t0 + N d)`, and an anchor is in a
  denominator only when its window has fully elapsed at as-of.
- Money is in fen. An unknown key is an empty text. Persons are counted as the snapshot knows them.
- Percentiles cannot be added or averaged. Where there is a `_sketch`, add the counts of its buckets
  over rows and find the quantile there: bucket b stands for `exp((b + 0.5) * ln(1.05)) - 1`.
"""


def write_metric_page(project_dir: Path) -> list[Path]:
    """Write docs/metrics.md; returns the file where its content changed, else nothing."""
    page = project_dir / "docs" / "metrics.md"
    text = metric_page(project_dir)
    if page.exists() and page.read_text("utf-8") == text:
        return []
    page.write_text(text, "utf-8")
    return [page]


def metric_page(project_dir: Path) -> str:
    """The page as text: a table of the tables, then each with its columns."""
    folder = project_dir / "dbt_project" / "models" / "marts" / "metrics"
    questions = {
        row["table_name"]: row["question"] for row in _seed(project_dir, "published_tables")
    }
    catalogue = _seed(project_dir, "metric_catalogue")
    models = [_model(file) for file in sorted(folder.glob("metrics_*.yml"))]
    lines = [_HEAD, "| table | one row per | answers |", "| --- | --- | --- |"]
    for model in models:
        name, grain = model["name"], _said(folder, model["name"], "Grain: one row per")
        lines.append(f"| [{name}](#{name}) | {grain} | {questions.get(name, '')} |")
    for model in models:
        name = model["name"]
        measures = [row for row in catalogue if row["table_name"] == name]
        lines += ["", *_section(model, _said(folder, name, "Why:"), measures)]
    return "\n".join(lines) + "\n"


def _model(file: Path) -> dict[str, Any]:
    (model,) = yaml.safe_load(file.read_text("utf-8"))["models"]
    return dict(model)


def _seed(project_dir: Path, name: str) -> list[dict[str, str]]:
    with (project_dir / "seeds" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _said(folder: Path, name: str, word: str) -> str:
    """What the comment above a model's query says after the word, without the full stop."""
    query = (folder / f"{name}.sql").read_text("utf-8")
    found = re.search(rf"^-- {word} ([^.]+)", query, flags=re.MULTILINE)
    return " ".join(found[1].replace("\n-- ", " ").split()) if found else ""


def _section(
    model: Mapping[str, Any], purpose: str, measures: Sequence[Mapping[str, str]]
) -> list[str]:
    columns = {column["name"]: column for column in model["columns"]}
    lines = [f"## {model['name']}", "", _line(model["description"])]
    if purpose:
        lines += ["", f"Why: {purpose}."]
    if named := ", ".join(sorted({measure["owner"] for measure in measures})):
        lines += ["", f"Owner: {named}."]
    lines += ["", "| column | 中文 | unit | meaning |", "| --- | --- | --- | --- |"]
    units = {measure["column_name"]: measure["unit"] for measure in measures}
    parts = {f"{name}_{part}" for name in columns for part in ("num", "den")}
    for name, column in columns.items():
        if name not in parts:
            lines.append(_row(name, column, columns, units.get(name, "")))
    return lines


def _row(
    name: str, column: Mapping[str, Any], columns: Mapping[str, Mapping[str, Any]], unit: str
) -> str:
    meta = column.get("config", {}).get("meta", {})
    meaning = _line(column["description"])
    for part in ("num", "den"):
        if f"{name}_{part}" in columns:
            meaning += f"<br>`_{part}`: " + _part(columns[f"{name}_{part}"]["description"])
    label = meta.get("label") or _chinese(meaning)
    return f"| `{name}` | {label} | {meta.get('unit', unit)} | {meaning} |"


def _chinese(meaning: str) -> str:
    """The first Chinese name in brackets, for a column without a label of its own."""
    found = re.search(r"\(([\u4e00-\u9fff]{2,12})[,)]", meaning)
    return found[1] if found else ""


def _part(description: str) -> str:
    return re.sub(r"^(Numerator|Denominator) of \w+(:| -) ", "", _line(description))


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
