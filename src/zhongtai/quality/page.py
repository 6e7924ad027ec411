"""The page of a gate run: every check with its outcome, for people. Counts only, no values."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

from zhongtai.quality.results import OUTCOMES, SEVERITIES, CheckResult

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;table-layout:fixed;width:100%}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
td{overflow-wrap:anywhere}.word{width:6rem}
.passed{color:#17692f}.failed,.raised,.missing{color:#a11212;font-weight:600}
.warning .failed{color:#8a5a00}.info .failed{color:#555}small{color:#666}
"""
_PAGE = Template(
    """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Quality gate of $run</title><style>$style</style>
<h1>Quality gate of run $run</h1>
<p>As of $as_of. $counts.</p>
$docs
$troubles
$sections
</html>
"""
)


def write_page(folder: Path, run_id: str, as_of: str, results: Sequence[CheckResult]) -> Path:
    """Write index.html below `folder` and return its path; troubles stand first."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(results, key=_rank)
    suites: dict[str, list[CheckResult]] = {}
    for result in sorted(ordered, key=lambda r: r.suite):
        suites.setdefault(result.suite, []).append(result)
    has_docs = (folder / "great_expectations" / "index.html").exists()
    page = _PAGE.substitute(
        run=escape(run_id),
        as_of=escape(as_of),
        style=_STYLE,
        counts=_counts(results),
        docs=(
            '<p><a href="great_expectations/index.html">Data Docs of Great Expectations</a></p>'
            if has_docs
            else ""
        ),
        troubles=_troubles([r for r in ordered if r.outcome != "passed"]),
        sections="\n".join(_section(suite, found) for suite, found in suites.items()),
    )
    file = folder / "index.html"
    file.write_text(page, "utf-8")
    return file


def _rank(result: CheckResult) -> tuple[bool, int, int]:
    """Troubles first, the most severe of them first."""
    return (
        result.outcome == "passed",
        SEVERITIES.index(result.severity),
        -OUTCOMES.index(result.outcome),
    )


def _counts(results: Sequence[CheckResult]) -> str:
    """How many checks came out how, those that did not pass by severity too."""
    told = []
    for outcome in OUTCOMES:
        found: list[str] = [r.severity for r in results if r.outcome == outcome]
        severities = ", ".join(f"{found.count(s)} {s}" for s in SEVERITIES if s in found)
        aside = f" ({severities})" if severities and outcome != "passed" else ""
        told.append(f"{len(found)} {outcome}{aside}")
    return ", ".join(told)


def _troubles(results: Sequence[CheckResult]) -> str:
    """One table of all checks that did not pass, each with a link to its suite."""
    if not results:
        return ""
    rows = "\n".join(
        _row(r, f'<a href="#{escape(r.suite)}">{escape(r.suite)}</a><br>{escape(r.expectation)}')
        for r in results
    )
    return f"<h2>What needs a look</h2>\n{_table(rows)}"


def _section(suite: str, results: Iterable[CheckResult]) -> str:
    rows = "\n".join(_row(r, escape(r.expectation)) for r in results)
    return f'<h2 id="{escape(suite)}">{escape(suite)}</h2>\n{_table(rows)}'


def _row(result: CheckResult, name: str) -> str:
    outcome, severity = escape(result.outcome), escape(result.severity)
    return (
        f'<tr class="{severity}"><td class="{outcome}">{outcome}</td><td>{severity}</td>'
        f"<td>{name}<br><small>{escape(result.because)}</small></td>"
        f"<td>{escape(result.observed)}</td></tr>"
    )


def _table(rows: str) -> str:
    words = '<th class="word">outcome</th><th class="word">severity</th>'
    return f"<table><tr>{words}<th>check</th><th>observed</th></tr>\n{rows}</table>"
