"""The SQL of what is counted per value of a column: preferences, lists, shares, distinct values."""

from zhongtai.tags.facts import Fact
from zhongtai.tags.plan import LOCAL_DAY, Scan
from zhongtai.tags.rows import Rows
from zhongtai.tags.wants import Distribution, Measure, Preference, ValueList


def by_value_sql(scan: Scan) -> str:
    """One grouping by person and value, then one by person; ranks only where some are needed."""
    by, rows = scan.by or "", Rows(scan.facts[0])
    rows.column(by)
    parts = [_part(name, wanted, rows, scan) for name, wanted in scan.columns]
    counted = ",\n".join(
        ["        one_id", f"        {by} as value", *(c for p in parts for c in p.counted)]
    )
    ranked = ",\n".join(["        *", *(r for p in parts for r in p.ranked)])
    selected = ",\n".join(["    one_id", *(f"    {p.final} as {p.name}" for p in parts)])
    return (
        f"with\n{rows.sql()},\n"
        f"counted as (\n    select\n{counted}\n    from facts\n"
        f"    where {by} is not null\n    group by one_id, {by}\n),\n"
        f"ranked as (\n    select\n{ranked}\n    from counted\n)\n"
        f"select\n{selected}\nfrom ranked\ngroup by one_id\n"
    )


class _Part:
    """The select items of one measure in the three steps of the statement."""

    def __init__(self, name: str, final: str) -> None:
        self.name = name
        self.final = final
        self.counted: list[str] = []
        self.ranked: list[str] = []

    def count(self, sql: str, suffix: str) -> None:
        self.counted.append(f"        {sql} as {self.name}{suffix}")

    def rank(self, sql: str, suffix: str) -> None:
        self.ranked.append(f"        {sql} as {self.name}{suffix}")


def _part(name: str, wanted: object, rows: Rows, scan: Scan) -> _Part:
    text = _value_text(scan.facts[0], scan.by or "")
    if isinstance(wanted, Preference):
        return _preference(name, wanted, rows, text)
    if isinstance(wanted, ValueList):
        return _list(name, wanted, rows, text)
    if isinstance(wanted, Distribution):
        return _distribution(name, wanted, rows, text)
    assert isinstance(wanted, Measure)  # noqa: S101  # for the type checker: scans keep them apart
    clause = rows.filter_clause(wanted.where, wanted.window)
    if wanted.take in ("active_days", "distinct"):
        part = _Part(name, f"count(case when {name}_rows > 0 then 1 end)")
        part.count(f"count(*){clause}", "_rows")
        return part
    part = _Part(name, f"max({name}_of_value)")
    part.count(f"{_score(rows, wanted.of)}{clause}", "_of_value")
    return part


def _preference(name: str, wanted: Preference, rows: Rows, text: str) -> _Part:
    best = f"{name}_rank = 1 and {name}_score >= {wanted.at_least}"
    part = _Part(name, f"max(case when {best} then {text} end)")
    clause = _count_score(part, wanted, rows)
    tie = ""
    if wanted.tie == "latest":
        part.count(f"max(happened_at){clause}", "_last_at")
        tie = f"{name}_last_at desc nulls last, "
    _rank(part, f"{name}_score desc, {tie}{text}")
    return part


def _list(name: str, wanted: ValueList, rows: Rows, text: str) -> _Part:
    held = f"{name}_score >= {wanted.at_least}"
    if wanted.top:
        held += f" and {name}_rank <= {wanted.top}"
    part = _Part(name, f'{{{{ sorted_list("{text}", "{held}") }}}}')
    _count_score(part, wanted, rows)
    if wanted.top:
        _rank(part, f"{name}_score desc, {text}")
    return part


def _distribution(name: str, wanted: Distribution, rows: Rows, text: str) -> _Part:
    held = f"{name}_score > 0"
    if wanted.top:
        held += f" and {name}_rank <= {wanted.top}"
    shares = (
        f'{{{{ share_object("{text}", "{name}_score", "{name}_whole", "{name}_rank", "{held}") }}}}'
    )
    part = _Part(name, f"case when max({name}_whole) >= {wanted.at_least} then {shares} end")
    _count_score(part, wanted, rows)
    positive = f"case when {name}_score > 0 then {name}_score end"
    part.rank(f"sum({positive}) over (partition by one_id)", "_whole")
    _rank(part, f"{name}_score desc, {text}")
    return part


def _count_score(part: _Part, wanted: Preference | ValueList | Distribution, rows: Rows) -> str:
    clause = rows.filter_clause(wanted.where, wanted.window)
    score = f"{_score(rows, wanted.by)}{clause}"
    part.count(f"coalesce({score}, 0)" if wanted.by else score, "_score")
    return clause


def _score(rows: Rows, summed: str | None) -> str:
    return f"sum({rows.column(summed)})" if summed else "count(*)"


def _rank(part: _Part, order: str) -> None:
    part.rank(f"row_number() over (partition by one_id order by {order})", "_rank")


def _value_text(fact: Fact, by: str) -> str:
    is_text = by != LOCAL_DAY and fact.types[by] == "text"
    return "value" if is_text else "cast(value as varchar)"
