"""A day of the metrics against the same weekday of the weeks before it.

Both stand in the candidate, so nothing has to be published before a band is known. The day is the
one before yesterday: by then what happened on it has been delivered.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING

from zhongtai.quality.drift.bands import Day, Seen, learn_band
from zhongtai.quality.drift.judgement import Deviation
from zhongtai.quality.drift.limits import Limits

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# ruff: noqa: S608  # names of our own models

_DAYS_BACK = 2
_WEEKS = 12
# With fewer weeks in which something was counted there is no usual weekday; nor is there one of
# what happens now and then, as campaigns begin.
_LEAST_WEEKS = 4
_USUAL_SHARE = 0.75
# Counts by date, no money; numerators and denominators of a window are still growing.
_COUNTS = """
select table_name, list(column_name order by column_name)
from duckdb_columns()
where
    database_name = current_database()
    and schema_name = 'metrics'
    and table_name like 'metrics\\_%' escape '\\'
    and data_type = 'BIGINT'
    and not regexp_matches(column_name, '_(num|den|fen)$')
    and table_name <> 'metrics_tag_daily'
    and table_name in (
        select table_name from duckdb_columns()
        where
            database_name = current_database()
            and schema_name = 'metrics' and column_name = 'date' and data_type = 'DATE'
    )
group by table_name
order by table_name
"""
_DAY = f"""
select (as_of + interval 8 hour)::date - {_DAYS_BACK} as day
from meta.run_context
where day not in (select date from seeds.holidays)
"""


def find_odd_days(connection: "DuckDBPyConnection", limits: Limits) -> list[Deviation]:
    """The totals of the day that are unlike its weekday before; none on a public holiday.

    Each is called `day.<table>.<column>`; `limits` has the band of those that are judged.
    """
    row = connection.execute(_DAY).fetchone()
    if row is None:
        return []
    day: date = row[0]
    tables = connection.execute(_COUNTS).fetchall()
    return [
        deviation
        for table, columns in tables
        for deviation in _judge(limits, table, day, _weeks(connection, table, columns, day))
    ]


def _weeks(
    connection: "DuckDBPyConnection", table: str, columns: list[str], day: date
) -> Mapping[str, list[float]]:
    """The totals of each column on the day and on its weekday before, the newest first.

    A weekday without rows counts 0; holidays are left out, and so is the time before the first row.
    """
    sums = ", ".join(f'coalesce(sum("{c}"), 0)' for c in columns)
    rows = connection.execute(
        f"""
        with days as (
            select $day::date - 7 * week::integer as date
            from range({_WEEKS} + 1) as weeks(week)
            where date not in (select date from seeds.holidays)
                and date >= (select min(date) from metrics.{table})
        )
        select date, {sums} from days left join metrics.{table} as counted using (date)
        group by date order by date desc
        """,
        {"day": day},
    ).fetchall()
    return {column: [float(row[at]) for row in rows] for at, column in enumerate(columns, 1)}


def _judge(
    limits: Limits, table: str, day: date, weeks: Mapping[str, list[float]]
) -> Iterator[Deviation]:
    for column, values in weeks.items():
        name = f"day.{table}.{column}"
        rule = limits.rule_of(name)
        counted = sum(1 for value in values[1:] if value)
        if rule is None or counted < max(_LEAST_WEEKS, _USUAL_SHARE * len(values[1:])):
            continue
        seen = [Seen(value, day.weekday()) for value in values[1:]]
        band = learn_band(rule, seen, Day(day.weekday()))
        if not band.holds(values[0]):
            yield Deviation(name, values[0], band)
