"""Figures that tests tell, and tallies that they add to, shown at the end."""

from collections import defaultdict
from collections.abc import Callable

import pytest

_FIGURE, _TALLY = "figure", "tally"


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Tell a line at the end."""
    return lambda line: record_property(_FIGURE, line)


@pytest.fixture
def tally(record_property: Callable[[str, object], None]) -> Callable[[str, bool], None]:
    """Count a trial of a kind, and whether it went well."""
    return lambda kind, is_good: record_property(_TALLY, (kind, is_good))


def write_figures(reporter: pytest.TerminalReporter) -> None:
    """Write what was told by tests that ran to their end, failed ones included."""
    lines: list[str] = []
    tallies: dict[str, list[bool]] = defaultdict(list)
    for reports in reporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for name, value in report.user_properties:
                    if name == _FIGURE:
                        lines.append(str(value))
                    elif name == _TALLY:
                        tallies[value[0]].append(value[1])
    lines += [f"{kind}: {len(t)} tried, {t.count(False)} bad" for kind, t in tallies.items()]
    if lines:
        reporter.section("figures")
        for line in sorted(lines):
            reporter.write_line(line)
