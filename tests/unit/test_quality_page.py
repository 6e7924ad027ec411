"""The page of a gate run tells first what needs a look."""

from pathlib import Path

from zhongtai.quality.page import write_page
from zhongtai.quality.results import CheckResult


def test_troubles_stand_first_the_worst_of_them_first(tmp_path: Path) -> None:
    results = [
        CheckResult("metrics.a", "rows_are_there", "info", "failed", "0", "it may be empty"),
        CheckResult("metrics.a", "keys_are_unique", "critical", "passed", "ok", "joins double"),
        CheckResult("metrics.b", "sums_agree", "critical", "raised", "no <table>", "totals"),
        CheckResult("metrics.b", "dates_are_there", "critical", "failed", "3", "gaps"),
    ]
    page = write_page(tmp_path, "run", "2026-11-22 UTC", results).read_text("utf-8")
    assert "1 passed, 2 failed (1 critical, 1 info), 1 raised (1 critical), 0 missing." in page
    look, *sections = page.split("<h2")[1:]
    found = [look.index(word) for word in ("sums_agree", "dates_are_there", "rows_are_there")]
    assert found == sorted(found)
    assert "keys_are_unique" not in look
    assert "no &lt;table&gt;" in look
    assert [section.split('"')[1] for section in sections] == ["metrics.a", "metrics.b"]
    assert 'href="#metrics.b"' in look


def test_a_run_that_passed_shows_no_troubles(tmp_path: Path) -> None:
    results = [CheckResult("metrics.a", "keys_are_unique", "critical", "passed", "ok", "why")]
    page = write_page(tmp_path, "run", "2026-11-22 UTC", results).read_text("utf-8")
    assert "needs a look" not in page
    assert "keys_are_unique" in page
