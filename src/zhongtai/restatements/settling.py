"""When a number of the past has settled: from then on, a change of it is a restatement.

A rate within 30 days of a lead goes on growing for 30 days, and a share of closed leads for as long
as there are open ones. Neither is a restatement.
"""

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from zhongtai.errors import ConfigurationError

FILE = "metric_settling.csv"
_PART = re.compile(r"_(num|den)$")
_WINDOW = re.compile(r"_(\d+)([dh])(?=_|$)")


@dataclass(frozen=True)
class Settling:
    """The declared days by (table, metric); a metric may be a pattern with `*`."""

    declared: Mapping[tuple[str, str], int | None]

    def days(self, table: str, column: str) -> int | None:
        """Days after the end of the period from which a measure stands still; None if never.

        Declared first; else the window in the name (`visit_rate_7d`: 7, `resolved_1d`: 1), else
        0: it stands when its period is over.
        """
        metric = _PART.sub("", column)
        for (its_table, pattern), days in self.declared.items():
            if its_table == table and fnmatchcase(metric, pattern):
                return days
        window = _WINDOW.search(metric)
        if window is None:
            return 0
        length, unit = int(window[1]), window[2]
        return length if unit == "d" else math.ceil(length / 24)


def load_settling(project_dir: Path) -> Settling:
    """Read seeds/metric_settling.csv; the first row that fits a metric counts.

    Raises ConfigurationError that names the line of a number of days that is none.
    """
    file = project_dir / "seeds" / FILE
    declared: dict[tuple[str, str], int | None] = {}
    with file.open(encoding="utf-8-sig", newline="") as stream:
        for line, row in enumerate(csv.DictReader(stream), start=2):
            days = row["settles_days"].strip()
            if days and not days.isdecimal():
                raise ConfigurationError(
                    f"seeds/{FILE}, line {line}: settles_days is {days!r}",
                    hint="write whole days, or nothing for a metric that never settles",
                )
            declared[row["table_name"], row["metric"]] = int(days) if days else None
    return Settling(declared)
