"""The assessment of a member of staff, point by point, as it is published."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DIMENSIONS = {"performance": "业绩", "user": "用户", "process": "过程"}
_ORDER = "list_position(['performance', 'user', 'process'], dimension), item"


@dataclass(frozen=True)
class Assessment:
    """One period of one member of staff.

    `staff` is the row of dim_staff (empty where workforce does not know the code), `total` that of
    the assessment, `items` those of its items, in the order of the dimensions.
    """

    staff_id: str
    period: str
    staff: Mapping[str, Any]
    total: Mapping[str, Any]
    items: tuple[Mapping[str, Any], ...]

    def of(self, dimension: str) -> tuple[Mapping[str, Any], ...]:
        """The items of a dimension."""
        return tuple(item for item in self.items if item["dimension"] == dimension)

    def weight(self, dimension: str) -> float:
        """What the dimension weighs in the score, 0 to 1."""
        return max((float(item["dimension_weight"]) for item in self.of(dimension)), default=0.0)

    def as_dict(self) -> dict[str, Any]:
        """Everything, for machines."""
        return {
            "staff_id": self.staff_id,
            "period": self.period,
            "staff": dict(self.staff),
            "total": dict(self.total),
            "items": [dict(item) for item in self.items],
        }


def read_assessment(settings: Settings, staff_id: str, period: str) -> Assessment:
    """The published assessment of a month (YYYY-MM) or a year (YYYY).

    Raises ConfigurationError where the period cannot be read or nobody of that code is assessed in
    it, ZhongtaiError where nothing is published yet.
    """
    import duckdb

    table, column, first = _read_period(period)
    file = settings.path("published", "metrics", "current.duckdb")
    if not file.exists():
        raise ZhongtaiError(
            f"nothing is published in {settings.home} yet, so nobody is assessed",
            hint="publish first with `zhongtai run`",
        )
    with duckdb.connect(str(file.resolve()), read_only=True) as metrics:
        key = {"staff": staff_id, "period": first}
        where = f"where staff_id = $staff and {column} = $period"
        totals = _select(metrics, f"select * from metrics_assessment_{table} {where}", key)  # noqa: S608
        if not totals:
            raise _nobody(metrics, staff_id, period, table, column)
        items = _select(
            metrics,
            f"select * from metrics_assessment_items_{table} {where} order by {_ORDER}",  # noqa: S608
            key,
        )
        known = _select(metrics, "select * from dim_staff where staff_id = ?", [staff_id])
    return Assessment(staff_id, period, known[0] if known else {}, totals[0], tuple(items))


def _read_period(text: str) -> tuple[str, str, date | int]:
    """Which tables, which key column, and its value."""
    if re.fullmatch("[0-9]{4}", text):
        return "yearly", "year", int(text)
    if re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", text):
        return "monthly", "month", date.fromisoformat(f"{text}-01")
    raise ConfigurationError(
        f"{text!r} is neither a month nor a year", hint="for instance 2026-10, or 2026 with --year"
    )


def _nobody(
    metrics: "DuckDBPyConnection", staff_id: str, period: str, table: str, column: str
) -> ConfigurationError:
    row = metrics.execute(
        f"select min({column}), max({column}) from metrics_assessment_{table} where staff_id = ?",  # noqa: S608
        [staff_id],
    ).fetchone()
    first, last = row or (None, None)
    if first is None:
        return ConfigurationError(
            f"nobody with the code {staff_id} is assessed",
            hint="give a staff_id of dim_staff; codes are compared as written",
        )
    return ConfigurationError(
        f"{staff_id} is not assessed in {period}, but from {str(first)[:7]} to {str(last)[:7]}",
        hint=f"give a {column} within these",
    )


def _select(
    metrics: "DuckDBPyConnection", query: str, values: list[str] | Mapping[str, object]
) -> list[dict[str, Any]]:
    cursor = metrics.execute(query, values)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
