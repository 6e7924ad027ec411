"""The results: a table on the terminal, and docs/benchmarks.md with machine and versions.

A part that was measured takes the place of its earlier results in docs/benchmarks.json, the other
parts stay; the page is written from that file and says of each part when and where it was measured.
"""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.measurements import Breakdown, Measurement

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
STORE = PAGE.with_suffix(".json")
HEADS = ("what", "seconds", "floor", "floor s", "ratio", "budget", "peak MB", "verdict", "note")
_LIBRARIES = (
    "duckdb",
    "dbt-core",
    "dbt-duckdb",
    "great-expectations",
    "apache-airflow",
    "pyarrow",
    "scipy",
)


@dataclass(frozen=True)
class Circumstances:
    """Where and when was measured."""

    machine: str
    load: float
    versions: str
    command: str
    reduced: tuple[str, ...]
    began_at: datetime


def describe_circumstances(command: str, reduced: Sequence[str]) -> Circumstances:
    """Look at the machine and the libraries; call it before anything is measured.

    `reduced` says which sizes differ from their defaults.
    """
    memory = psutil.virtual_memory().total / 2**30
    machine = f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GB, {platform.system()}"
    versions = [f"Python {platform.python_version()}"]
    versions += [f"{library} {version(library)}" for library in _LIBRARIES]
    now = datetime.now(UTC)
    load = psutil.getloadavg()[0]
    return Circumstances(machine, load, ", ".join(versions), command, tuple(reduced), now)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def cells(row: Measurement) -> tuple[str, ...]:
    """A measurement as text, one cell per head."""
    budgets = [f"≤ {row.budget_ratio:g}×"] if row.budget_ratio is not None else []
    budgets += [f"≤ {row.budget_mb:,.0f} MB"] if row.budget_mb is not None else []
    return (
        row.name,
        f"{row.seconds:.2f}",
        row.floor,
        f"{row.floor_seconds:.2f}",
        f"{row.ratio:.2f}×",
        ", ".join(budgets) or "—",
        f"{row.peak_mb:,.0f}" if row.peak_mb is not None else "—",
        row.verdict,
        row.note,
    )


def print_table(rows: Sequence[Measurement], console: Console) -> None:
    """Show the results on the terminal."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    for head in HEADS:
        table.add_column(head, justify="left" if head in {"what", "floor", "note"} else "right")
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)


def _markdown_table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *lines)]


def _render_breakdown(part: Breakdown) -> list[str]:
    total = sum(seconds for _, seconds in part.steps)
    steps = [(step, f"{s:.2f}", f"{s / total:.0%}") for step, s in part.steps]
    nodes = [(f"`{node}`", f"{seconds:.2f}") for node, seconds in part.nodes]
    lines = [
        f"### {part.name}",
        "",
        *_markdown_table(("step", "seconds", "share"), steps),
        "",
    ]
    if nodes:
        lines += [
            f"dbt ran {part.node_count} nodes, {part.node_seconds:.1f} s on their threads together;"
            " the slowest:",
            "",
            *_markdown_table(("node", "seconds"), nodes),
            "",
        ]
    return lines


def keep_part(
    store: Path,
    name: str,
    rows: Sequence[Measurement],
    parts: Sequence[Breakdown],
    where: Circumstances,
) -> None:
    """Put what was measured of a part into the place of its earlier results."""
    kept = json.loads(store.read_text("utf-8")) if store.exists() else {}
    kept[name] = {
        "where": {**asdict(where), "began_at": where.began_at.isoformat()},
        "rows": [asdict(row) for row in rows],
        "breakdowns": [asdict(part) for part in parts],
    }
    store.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", "utf-8")


def render_page(kept: dict[str, Any], names: Sequence[str]) -> str:
    """docs/benchmarks.md: nothing in it that was not measured or looked up in its run.

    `kept` is what `keep_part` has stored, `names` the parts in the order of the page.
    """
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench` from docs/benchmarks.json; do not edit. Each entry stands beside"
        " its floor, measured in the same run: compare ratios, not seconds. A ratio above its"
        " budget is OVER.",
        "",
    ]
    for name in names:
        if name in kept:
            lines += _render_part(name, kept[name])
    return "\n".join(lines).rstrip() + "\n"


def _render_part(name: str, part: dict[str, Any]) -> list[str]:
    where = Circumstances(
        **{**part["where"], "began_at": datetime.fromisoformat(part["where"]["began_at"])}
    )
    lines = [
        f"## {name.capitalize()}",
        "",
        *_markdown_table(HEADS, [cells(Measurement(**row)) for row in part["rows"]]),
        "",
        f"- `{where.command}`, {where.began_at:%Y-%m-%d %H:%M} UTC; sizes that differ from the"
        f" defaults: {', '.join(where.reduced) or 'none'}",
        f"- {where.machine}; load {where.load:.1f} when it began",
        f"- {where.versions}",
        "",
    ]
    for kept in part["breakdowns"]:
        lines += _render_breakdown(Breakdown(**kept))
    return lines
