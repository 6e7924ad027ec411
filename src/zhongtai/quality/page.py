"""The page of a gate run: every check with its outcome, for people. Counts only, no values."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

from zhongtai.quality.results import OUTCOMES, CheckResult

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
.passed{color:#17692f}.failed,.raised,.missing{color:#a11212;font-weight:600}
.warning .failed{color:#8a5a00}small{color:#666}
"""
_PAGE = Template(
    """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Quality gate of $run</title><style>$style</style>
<h1>Quality gate of run $run</h1>
<p>As of $as_of. $counts.</p>
$docs
$sections
</html>
"""
)
_SHIFT = {outcome: place for place, outcome in enumerate(reversed(OUTCOMES))}


def write_page(folder: Path, run_id: str, as_of: str, results: Sequence[CheckResult]) -> Path:
    """Write index.html below `folder` and return its path; troubles stand first."""
    folder.mkdir(parents=True, exist_ok=True)
    counted = {
        outcome: sum(1 for result in results if result.outcome == outcome) for outcome in OUTCOMES
    }
    suites: dict[str, list[CheckResult]] = {}
    for result in sorted(results, key=lambda r: (_SHIFT.get(r.outcome, 0), r.suite)):
        suites.setdefault(result.suite, []).append(result)
    has_docs = (folder / "great_expectations" / "index.html").exists()
    page = _PAGE.substitute(
        run=escape(run_id),
        as_of=escape(as_of),
        style=_STYLE,
        counts=", ".join(f"{count} {outcome}" for outcome, count in counted.items()),
        docs=(
            '<p><a href="great_expectations/index.html">Data Docs of Great Expectations</a></p>'
            if has_docs
            else ""
        ),
        sections="\n".join(_section(suite, found) for suite, found in suites.items()),
    )
    file = folder / "index.html"
    file.write_text(page, "utf-8")
    return file


def _section(suite: str, results: Iterable[CheckResult]) -> str:
    rows = "\n".join(
        f'<tr class="{escape(r.severity)}"><td class="{escape(r.outcome)}">{escape(r.outcome)}</td>'
        f"<td>{escape(r.severity)}</td><td>{escape(r.expectation)}<br>"
        f"<small>{escape(r.because)}</small></td><td>{escape(r.observed)}</td></tr>"
        for r in results
    )
    heads = "".join(f"<th>{head}</th>" for head in ("outcome", "severity", "check", "observed"))
    return f"<h2>{escape(suite)}</h2>\n<table><tr>{heads}</tr>\n{rows}</table>"
