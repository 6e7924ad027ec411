"""Two versions of one metrics table, value by value."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from zhongtai.publish.content import literal, quoted
from zhongtai.restatements.tables import PERIODS, Measure, MetricsTable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# ruff: noqa: S608  # names of our own models

BEFORE = "published_before"
FOUND = "restated_values"
# numbers beyond the ninth digit differ by the order in which they were added up
_SAME = 1e-9
_SHANGHAI = "interval 8 hour"


def compare(build: "DuckDBPyConnection", table: MetricsTable, known_until: datetime | None) -> int:
    """Fill the temp table FOUND with the values told otherwise; their number.

    BEFORE holds what was published, `known_until` is the as-of of that (naive UTC); without one
    nothing is restated. Columns of
    FOUND: table_name, period, row_key (the grain as JSON), metric, old_value, new_value; a value is
    NULL where the row was not there. A period of which nothing was published is not restated.
    """
    build.execute(
        f"create or replace temp table {FOUND} (table_name varchar, period date, row_key varchar,"
        " metric varchar, old_value double, new_value double)"
    )
    if not table.measures or known_until is None:
        return 0
    build.execute(f"insert into {FOUND} {_query(table)}", {"known_until": known_until})
    row = build.execute(f"select count(*) from {FOUND}").fetchone()
    return int(row[0]) if row else 0


def stamp(build: "DuckDBPyConnection", table: MetricsTable, restated_at: datetime) -> None:
    """Give the table its column restated_at: now where a value was restated, else as before."""
    name = f"metrics.{quoted(table.name)}"
    build.execute(f"alter table {name} add column if not exists restated_at timestamp")
    build.execute(
        f"comment on column {name}.restated_at is"
        " 'When a number of this row was last told otherwise than published before (UTC);"
        " null if never, see meta_restatements'"
    )
    build.execute(
        f"update {name} as now_ set restated_at = stamped.restated_at from ("
        "  select row_key, max(restated_at) as restated_at from ("
        f"    select row_key, cast($restated_at as timestamp) as restated_at from {FOUND}"
        "    where table_name = $table_name"
        f"    union all select {_row_key(table)}, restated_at from {BEFORE}"
        "    where restated_at is not null"
        "  ) group by row_key"
        f") as stamped where stamped.row_key = {_row_key(table, 'now_.')}",
        {"restated_at": restated_at, "table_name": table.name},
    )


def _row_key(table: MetricsTable, prefix: str = "") -> str:
    pairs = ", ".join(f"{quoted(c)} := {prefix}{quoted(c)}" for c in table.grain)
    return f"cast(to_json(struct_pack({pairs})) as varchar)"


def _query(table: MetricsTable) -> str:
    columns = ", ".join(quoted(c) for c in (*table.grain, *(m.name for m in table.measures)))
    on = " and ".join(f"now_.{quoted(c)} is not distinct from was.{quoted(c)}" for c in table.grain)
    either = ", ".join(
        f"coalesce(now_.{quoted(c)}, was.{quoted(c)}) as {quoted(c)}" for c in table.grain
    )
    moved = ", ".join(_moved(measure) for measure in table.measures)
    period = _period(table)
    return f"""
with
    now_ as (select {columns}, true as is_there from metrics.{quoted(table.name)}),
    was as (select {columns}, true as is_there from {BEFORE}),
    known as (select distinct {period} as period from {BEFORE}),
    pairs as (
        select {either}, unnest([{moved}]) as moved
        from now_ full join was on {on}
        where was.is_there is null or now_.is_there is null
            or {_row("now_", table.measures)} is distinct from {_row("was", table.measures)}
    ),
    placed as (select {_row_key(table)} as row_key, {period} as period, moved from pairs)
select
    {literal(table.name)} as table_name,
    period,
    row_key,
    moved.metric as metric,
    moved.old_value as old_value,
    moved.new_value as new_value,
from placed
where
    period in (select period from known)
    and period + {PERIODS[table.period]} + to_days(moved.settles)
    <= cast($known_until as timestamp) + {_SHANGHAI}
    and moved.is_other
"""


def _period(table: MetricsTable) -> str:
    column = quoted(table.period)
    if table.types[table.period] in ("bigint", "integer"):
        return f"make_date({column}::integer, 1, 1)"
    return f"cast({column} as date)"


def _row(side: str, measures: Iterable[Measure]) -> str:
    return "row(" + ", ".join(f"{side}.{quoted(m.name)}" for m in measures) + ")"


def _moved(measure: Measure) -> str:
    was, now = f"was.{quoted(measure.name)}", f"now_.{quoted(measure.name)}"
    if measure.type == "double":
        is_other = (
            f"({was} is null) <> ({now} is null)"
            f" or abs({was} - {now}) > {_SAME} * greatest(1, abs({was}))"
        )
    else:
        # a row of zeros is no row
        is_other = f"coalesce({was}, 0) <> coalesce({now}, 0)"
    return (
        f"struct_pack(metric := {literal(measure.name)}, settles := {measure.settles},"
        f" old_value := cast({was} as double), new_value := cast({now} as double),"
        f" is_other := coalesce({is_other}, false))"
    )
