"""The SQL of what is counted per value of a column: preferences, lists, shares, distinct values.

Rows are grouped by person and value first, and then by person. Nothing is ranked by a window: that
would sort everyone's values once for each tag, where a smallest or a list of few is enough.
"""

from dataclasses import dataclass

from zhongtai.tags.facts import Fact
from zhongtai.tags.plan import LOCAL_DAY, Scan
from zhongtai.tags.rows import Rows
from zhongtai.tags.wants import Distribution, Measure, Preference, ValueList, Wanted


def by_value_sql(scan: Scan) -> str:
    """One grouping by person and value, then one by person."""
    by, rows = scan.by or "", Rows(scan.facts[0])
    rows.column(by)
    text = _value_text(scan.facts[0], by)
    parts = [_part(name, wanted, rows, text) for name, wanted in scan.columns]
    counted = _listed(["one_id", f"{by} as value", *(item for p in parts for item in p.counted)])
    gathered = _listed(["one_id", *(item for p in parts for item in p.gathered)])
    selected = _listed(["one_id", *(f"{p.final} as {p.name}" for p in parts)], 4)
    return (
        f"with\n{rows.sql(scan, only=_selections(scan))},\n"
        f"counted as (\n    select\n{counted}\n    from facts\n"
        f"    where {by} is not null\n    group by one_id, {by}\n),\n"
        f"gathered as (\n    select\n{gathered}\n    from counted\n    group by one_id\n)\n"
        f"select\n{selected}\nfrom gathered\n"
    )


@dataclass(frozen=True)
class _Part:
    """The select items of one measure in the three steps of the statement."""

    name: str
    counted: tuple[str, ...]
    gathered: tuple[str, ...]
    final: str


def _part(name: str, wanted: Wanted, rows: Rows, text: str) -> _Part:
    if isinstance(wanted, Measure):
        return _measure(name, wanted, rows)
    assert isinstance(wanted, Preference | ValueList | Distribution)  # noqa: S101  # the planner says so
    clause = rows.filter_clause(wanted.where, wanted.window)
    score = f"{_score(rows, wanted.by)}{clause} as {name}_score"
    enough = f"{name}_score >= {wanted.at_least}"
    if isinstance(wanted, Preference):
        return _preference(name, wanted, (score, clause), enough, text)
    if isinstance(wanted, Distribution):
        positive = f"{name}_score > 0"
        entries = f'{{{{ sorted_entries("{text}", "{name}_score", "{positive}") }}}}'
        whole = f"sum(case when {positive} then {name}_score end) as {name}_whole"
        shares = f'{{{{ share_object("{name}_entries", "{name}_whole", {_top(wanted)}) }}}}'
        final = f"case when {name}_whole >= {wanted.at_least} then {shares} end"
        return _Part(name, (score,), (f"{entries} as {name}_entries", whole), final)
    if wanted.top:
        entries = f'{{{{ sorted_entries("{text}", "{name}_score", "{enough}") }}}}'
        final = f'{{{{ entry_values("{name}_entries", {_top(wanted)}) }}}}'
        return _Part(name, (score,), (f"{entries} as {name}_entries",), final)
    values = f'{{{{ sorted_list("{text}", "{enough}") }}}}'
    return _Part(name, (score,), (f"{values} as {name}_values",), f"{name}_values")


def _measure(name: str, wanted: Measure, rows: Rows) -> _Part:
    clause = rows.filter_clause(wanted.where, wanted.window)
    if wanted.take in ("active_days", "distinct"):
        counted = f"count(*){clause} as {name}_rows"
        gathered = f"count(case when {name}_rows > 0 then 1 end) as {name}_values"
        return _Part(name, (counted,), (gathered,), f"{name}_values")
    counted = f"{_score(rows, wanted.of)}{clause} as {name}_of_value"
    return _Part(name, (counted,), (f"max({name}_of_value) as {name}_best",), f"{name}_best")


def _preference(
    name: str, wanted: Preference, counting: tuple[str, str], enough: str, text: str
) -> _Part:
    score, clause = counting
    counted, order = [score], [f"-{name}_score"]
    if wanted.tie == "latest":
        counted.append(f"max(happened_at){clause} as {name}_last_at")
        order.append(f"-{{{{ seconds_since_1970('{name}_last_at') }}}}")
    key = " ~ ', ' ~ ".join(_quoted(item) for item in order)
    best = f'{{{{ least_by("{text}", {key}, "{enough}") }}}}'
    return _Part(name, tuple(counted), (f"{best} as {name}_value",), f"{name}_value")


def _quoted(item: str) -> str:
    """An SQL text as a Jinja expression: a macro within it is called, not quoted."""
    if "{{" not in item:
        return f"'{item}'"
    before, call = item.split("{{", 1)
    return f"'{before}' ~ {call.removesuffix('}}').strip()}"


def _selections(scan: Scan) -> list[Measure | Preference | ValueList | Distribution]:
    return [
        wanted
        for _, wanted in scan.columns
        if isinstance(wanted, Measure | Preference | ValueList | Distribution)
    ]


def _score(rows: Rows, summed: str | None) -> str:
    return f"sum({rows.column(summed)})" if summed else "count(*)"


def _top(wanted: ValueList | Distribution) -> str:
    return str(wanted.top) if wanted.top else "none"


def _value_text(fact: Fact, by: str) -> str:
    is_text = by != LOCAL_DAY and fact.types[by] == "text"
    return "value" if is_text else "cast(value as varchar)"


def _listed(items: list[str], spaces: int = 8) -> str:
    return ",\n".join(f"{' ' * spaces}{item}" for item in items)
