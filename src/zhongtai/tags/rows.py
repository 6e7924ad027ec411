"""The rows that a scan reads: facts before as-of, with every test of a row made once.

Two hundred tags ask a handful of questions of each row, in many combinations. Each question is
answered in a column of its own, and the aggregates filter on those columns.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from zhongtai.tags.expressions import comparison_sql
from zhongtai.tags.facts import LOCAL_COLUMNS, Fact
from zhongtai.tags.plan import LOCAL_DAY, Scan
from zhongtai.tags.wants import (
    ALWAYS,
    Distribution,
    Filter,
    Measure,
    Preference,
    ValueList,
    Window,
)

_LOCAL_SQL = {
    "local_hour": "cast(extract(hour from {time} + interval '8' hour) as bigint)",
    "local_weekday": "cast({{{{ iso_weekday(local_date('{time}')) }}}} as bigint)",
}
_OFFSET = timedelta(hours=8)
# so many different selections are cheaper to test beforehand than to group what they leave out
_FEW = 12
Selecting = Measure | Preference | ValueList | Distribution


class Rows:
    """The columns and tests that the measures of a scan need of one fact table."""

    def __init__(self, fact: Fact) -> None:
        self._fact = fact
        self._columns: dict[str, None] = {}
        self._tests: dict[str, str] = {}
        self._days: dict[int, None] = {}

    def column(self, name: str) -> str:
        """Have the rows carry a column; its name."""
        self._columns[name] = None
        return name

    def filter_clause(self, where: tuple[Filter, ...], window: Window, *more: str) -> str:
        """` filter (where …)` of an aggregate over the rows; nothing where every row counts."""
        tests = [*more, *self.tests(where, window)]
        return f" filter (where {' and '.join(tests)})" if tests else ""

    def tests(self, where: tuple[Filter, ...], window: Window) -> list[str]:
        """The columns that say whether a row is selected and lies in the window."""
        found = []
        if where:
            found.append(self._named(filters_sql(self._fact, where), "test"))
        if window != ALWAYS:
            self._days.update(dict.fromkeys(days_of(window)))
            found.append(self._named(bounds_sql(window, self._fact.time), "in_window"))
        return found

    def sql(self, scan: Scan, *, only: Iterable[Selecting]) -> str:
        """The CTEs `moment` and `facts`, of rows that at least one of `only` selects."""
        any_of = self._any_of(list(only))
        columns = [
            "one_id",
            f"{self._fact.time} as happened_at",
            *(self._carried(name) for name in sorted(self._columns)),
            *(f"{test} as {name}" for test, name in self._tests.items()),
        ]
        selected = ",\n".join(f"        {column}" for column in columns)
        return (
            f"{moment_sql(self._days)},\nfacts as (\n    select\n{selected}\n"
            f"    from {scan.source_of(self._fact)}\n    cross join moment\n"
            f"    where one_id is not null and {self._fact.time} < {{{{ as_of() }}}}{any_of}\n"
            f"    {only_stale_sql(scan)}\n)"
        )

    def _any_of(self, only: list[Selecting]) -> str:
        """Leave out early what nobody counts: by the longest window, and by few enough tests."""
        longest = [w.window.from_days for w in only if w.window.from_days]
        if len(longest) < len(only):
            return ""
        bound = f" and {self._fact.time} >= days_ago_{max(longest)}"
        selections = dict.fromkeys((w.where, w.window) for w in only)
        if len(selections) > _FEW or not all(where for where, _ in selections):
            return bound
        tests = [
            f"({filters_sql(self._fact, where)} and {bounds_sql(window, self._fact.time)})"
            for where, window in selections
        ]
        return f"{bound}\n    and ({' or '.join(tests)})"

    def _named(self, test: str, prefix: str) -> str:
        if test not in self._tests:
            number = sum(name.startswith(prefix) for name in self._tests.values()) + 1
            self._tests[test] = f"{prefix}_{number}"
        return self._tests[test]

    def _carried(self, name: str) -> str:
        sql = expression_sql(self._fact, name)
        return name if sql == name else f"{sql} as {name}"


def only_stale_sql(scan: Scan) -> str:
    """The test that leaves out, where the table stands already, persons whose row is not stale."""
    return f"{{{{ only_stale({list(scan.concerns)}) }}}}"


def filters_sql(fact: Fact, where: tuple[Filter, ...]) -> str:
    """The test of a row of the fact; NULL where it is unknown."""
    tests = [
        comparison_sql(expression_sql(fact, f.column), f.comparison, fact.types[f.column])
        for f in where
    ]
    return " and ".join(tests) or "true"


def bounds_sql(window: Window, time: str) -> str:
    """Whether the instant `time` lies in the window, beside the columns of `moment`."""
    bounds = []
    if window.from_days:
        bounds.append(f"{time} >= days_ago_{window.from_days}")
    if window.to_days:
        bounds.append(f"{time} < days_ago_{window.to_days}")
    if window.since:
        bounds.append(f"{time} >= {_midnight(window.since)}")
    if window.until:
        bounds.append(f"{time} < {_midnight(window.until + timedelta(days=1))}")
    return " and ".join(bounds) or "true"


def days_of(window: Window) -> set[int]:
    """The numbers of days that `moment` must know for the window."""
    return {days for days in (window.from_days, window.to_days) if days}


def expression_sql(fact: Fact, name: str) -> str:
    """A column of the fact, or what is read from its time."""
    if name == LOCAL_DAY:
        return f"{{{{ local_date('{fact.time}') }}}}"
    return _LOCAL_SQL[name].format(time=fact.time) if name in LOCAL_COLUMNS else name


def moment_sql(days: Iterable[int]) -> str:
    """The CTE `moment`: one row with as_of and the instants so many days before it."""
    listed = "".join(
        f",\n        as_of - interval '{n}' day as days_ago_{n}" for n in sorted(set(days))
    )
    return (
        f"moment as (\n    select\n        as_of{listed}\n"
        "    from (select {{ as_of() }} as as_of) as run\n)"
    )


def _midnight(day: date) -> str:
    """The instant at which a local day begins, naive UTC."""
    return f"timestamp '{datetime.combine(day, time()) - _OFFSET}'"
