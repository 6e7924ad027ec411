"""The suites: what the repository declares, and what a wrong declaration is told."""

from pathlib import Path

import pytest

from zhongtai.errors import ConfigurationError
from zhongtai.quality import list_required
from zhongtai.quality.suites import load_suites

PROJECT = Path(__file__).resolve().parents[2]

GOOD = """\
table: metrics.trial
expectations:
  - type: expect_column_values_to_not_be_null
    kwargs: {column: date}
    severity: critical
    because: a row belongs to a day
  - name: counts_are_whole
    where: regexp_matches(code, '[0-9]{3}') or n < 0
    severity: warning
    because: these columns count
"""


def project_with(tmp_path: Path, text: str, name: str = "trial") -> Path:
    folder = tmp_path / "expectations" / "published"
    folder.mkdir(parents=True)
    (folder / f"{name}.yml").write_text(text, "utf-8")
    return tmp_path


def test_every_mart_has_a_suite_that_says_something() -> None:
    models = {
        f"{file.parent.name}.{file.stem}"
        for file in (PROJECT / "dbt_project" / "models" / "marts").rglob("*.sql")
    }
    suites = {suite.table: suite for suite in load_suites(PROJECT)}
    assert len(models) >= 30
    assert models - set(suites) == set()
    assert set(suites) - models == set()
    assert all(suite.expectations for suite in suites.values())
    assert all(
        any(e.severity == "critical" for e in suite.expectations) for suite in suites.values()
    )


def test_a_condition_becomes_a_query_that_selects_no_column(tmp_path: Path) -> None:
    suite = load_suites(project_with(tmp_path, GOOD))[0]
    by_name = {e.name: e for e in suite.expectations}
    query = by_name["counts_are_whole"].kwargs["unexpected_rows_query"]
    assert query.startswith("select 1 as offending from {batch} where ")
    assert query.format(batch="t").endswith("regexp_matches(code, '[0-9]{3}') or n < 0")
    assert "column_values_to_not_be_null(date)" in by_name


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("severity: critical", "severity: blocker", 5, "expected one of critical, warning, info"),
        ("severity: critical\n", "\n", 3, "'severity' is missing"),
        ("because: a row belongs to a day", "because: ''", 6, "'because' must be a text"),
        ("table: metrics.trial", "table: metrics.other", 1, "expected metrics.trial or profiles."),
        ("table: metrics.trial", "table: raw.trial", 1, "expected metrics.trial or profiles."),
        ("kwargs: {column: date}", "kwargs: [date]", 4, "'kwargs' must be a mapping"),
        ("name: counts_are_whole\n    ", "", 7, "'name' is missing"),
        ("    where: reg", "    type: x\n    where: reg", 7, "either 'type' (with 'kwargs') or"),
        ("severity: warning", "serverity: warning", 9, "unknown 'serverity'"),
        ("name: counts_are_whole", "name: column_values_to_not_be_null(date)", 3, "twice"),
    ],
)
def test_a_wrong_suite_is_told_where_and_what_was_expected(
    tmp_path: Path, old: str, new: str, line: int, told: str
) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationError) as error:
        load_suites(project_with(tmp_path, GOOD.replace(old, new)))
    assert f"trial.yml:{line}: " in str(error.value)
    assert told in str(error.value)


def test_no_suite_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no suite"):
        load_suites(tmp_path)


def test_every_expectation_and_every_table_is_required(tmp_path: Path) -> None:
    suites = load_suites(project_with(tmp_path, GOOD))
    required = {(c.suite, c.expectation): c for c in list_required(suites, ["profiles.other"])}
    assert ("metrics.trial", "counts_are_whole") in required
    assert ("suites", "metrics.trial") in required
    assert ("suites", "profiles.other") in required
    assert required["metrics.trial", "counts_are_whole"].severity == "warning"
    assert required["suites", "profiles.other"].severity == "critical"
