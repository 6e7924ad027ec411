"""The suites of the published tables, as declared in expectations/published/."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from zhongtai.contracts.document import Section
from zhongtai.errors import ConfigurationError
from zhongtai.quality.results import SEVERITIES, Check, Severity

_HINT = "any file in expectations/published/ is an example"
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")
ROWS_TYPE = "unexpected_rows_expectation"
_COLUMN_KEYS = ("column", "column_A", "column_B", "column_list", "column_set")


@dataclass(frozen=True)
class Expectation:
    """One expectation: a Great Expectations type and its arguments."""

    name: str
    type: str
    kwargs: Mapping[str, Any]
    severity: Severity
    because: str


@dataclass(frozen=True)
class Suite:
    """What one published table, `<store>.<name>`, must satisfy."""

    table: str
    file: Path
    expectations: tuple[Expectation, ...]

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks that a candidate must have gone through for this table."""
        return tuple(Check(self.table, e.name, e.severity, e.because) for e in self.expectations)


def load_suites(project_dir: Path) -> tuple[Suite, ...]:
    """Every suite of `<project_dir>/expectations/published/*.yml`, by table name.

    A suite without expectations is loaded: the gate reports it. Raises ConfigurationError with
    file, line and what was expected.
    """
    folder = project_dir / "expectations" / "published"
    files = sorted(folder.glob("*.yml"))
    if not files:
        raise ConfigurationError(f"{folder} holds no suite (*.yml)", hint=_HINT)
    return tuple(_read_suite(file) for file in files)


def _read_suite(file: Path) -> Suite:
    top = Section.of_file(file, "the suite", _HINT)
    top.expect_keys(("table", "expectations"))
    table = top.text("table")
    store, _, name = table.partition(".")
    if store not in ("metrics", "profiles") or name != file.stem:
        raise top.error_at(
            "table", f"table is {table!r}, expected metrics.{file.stem} or profiles.{file.stem}"
        )
    expectations = tuple(_read_expectation(section) for section in _sections(top))
    names = [expectation.name for expectation in expectations]
    for section, expectation in zip(_sections(top), expectations, strict=True):
        if names.count(expectation.name) > 1:
            raise section.error(f"{expectation.name} is there twice; give it a 'name' of its own")
    return Suite(table, file, expectations)


def _sections(top: Section) -> Iterator[Section]:
    return top.sections("expectations") if "expectations" in top else iter(())


def _read_expectation(section: Section) -> Expectation:
    section.title = "the expectation"
    section.expect_keys(("name", "type", "kwargs", "where", "severity", "because"))
    severity = cast(Severity, section.choice("severity", SEVERITIES))
    because = section.text("because")
    if ("where" in section) == ("type" in section):
        raise section.error("expected either 'type' (with 'kwargs') or 'where'")
    if "where" in section:
        if "kwargs" in section:
            raise section.error_at("kwargs", "'where' takes no 'kwargs'")
        query = _rows_query(section.text("where"))
        name = section.text("name")
        return Expectation(name, ROWS_TYPE, {"unexpected_rows_query": query}, severity, because)
    kwargs = section.value("kwargs") if "kwargs" in section else {}
    if not isinstance(kwargs, dict):
        raise section.error_at("kwargs", "'kwargs' must be a mapping")
    type_name = section.text("type")
    name = section.text("name", _derived_name(type_name, kwargs))
    return Expectation(name, type_name, kwargs, severity, because)


def _rows_query(condition: str) -> str:
    """A query for the rows that break the rule; it selects no column, so no value gets out."""
    # the query goes through str.format, and through SQLAlchemy, which takes `:word` for a parameter
    escaped = " ".join(condition.split()).replace("{", "{{").replace("}", "}}")
    escaped = _PARAMETER.sub(r"\\:", escaped)
    return f"select 1 as offending from {{batch}} where {escaped}"  # noqa: S608  # from our YAML


def _derived_name(type_name: str, kwargs: Mapping[str, Any]) -> str:
    columns: list[str] = []
    for key in _COLUMN_KEYS:
        value = kwargs.get(key)
        columns += value if isinstance(value, list) else [value] if value else []
    short = type_name.removeprefix("expect_")
    return f"{short}({', '.join(columns)})" if columns else short
