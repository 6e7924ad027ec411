"""Whose tags may have changed since they were computed last, as SQL: two generated models.

A person's row of a scan depends on the person's facts before as-of, and on which of them lie in
which window. The facts are summed up in a fingerprint, which reads them once and costs a tenth of
the scans; which of them crossed the edge of a window between two instants, their times tell.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from zhongtai.tags.facts import PROFILE, Fact
from zhongtai.tags.plan import Plan, Scan, steps_of
from zhongtai.tags.rows import days_of, filters_sql
from zhongtai.tags.wants import Distribution, Filter, Measure, Preference, Sequence, ValueList

# ruff: noqa: S608  # names of our own

PERSONS = "persons"
FINGERPRINTS = "int_tags__fingerprints"
FINGERPRINT_COLUMNS = [
    ("concern", "The facts, the select or the profile that is summed up"),
    ("one_id", "The person"),
    ("fingerprint", "A number that differs where anything differs that tags could read there"),
]
STALE_COLUMNS = [
    ("concern", "The facts that changed, or the model of which a window moved"),
    ("one_id", "The person whose row is to be computed anew"),
]
# as_of stands beside the columns of the profile
_ATTRIBUTE = re.compile(r"users\.(?!as_of\b)(\w+)")


# What the attributes of the profile are read from.
PROFILE_COLUMNS = sorted({name for p in PROFILE.values() for name in _ATTRIBUTE.findall(p.sql)})
# days before as-of -> tests of facts, each once
_Edges = dict[int, dict[str, None]]


def fingerprints_sql(plan: Plan) -> str:
    """A digest per person of each table of facts, of the profile and of the answers of selects."""
    facts = {fact.name: fact for scan in plan.scans for fact in scan.facts}
    branches = [_facts_sql(fact) for fact in facts.values()]
    branches += [_answers_sql(scan) for scan in plan.scans if not scan.is_incremental]
    return "\nunion all\n".join([*branches, _persons_sql()]) + "\n"


def stale_sql(plan: Plan) -> str:
    """Who differs by a fingerprint, or has a fact that crossed the edge of a window."""
    facts = {fact.name: fact for scan in plan.scans for fact in scan.facts}
    edges = {name: _edges_of(plan, fact) for name, fact in facts.items()}
    moving = {name: found for name, found in edges.items() if found}
    ctes = "".join(f",\n{_near_sql(facts[name], moving[name])}" for name in moving)
    moved = "".join(
        f"union all\n{text}" for name in moving for text in _moved_sql(facts[name], moving[name])
    )
    return (
        "with\n"
        "computed as (\n"
        "    select least(as_of, {{ as_of() }}) as earlier,"
        " greatest(as_of, {{ as_of() }}) as later\n"
        "    from {{ source('tags', 'computed') }}\n"
        f"){ctes}\n"
        "select\n"
        "    coalesce(now.concern, kept.concern) as concern,\n"
        "    coalesce(now.one_id, kept.one_id) as one_id\n"
        f"from {{{{ ref('{FINGERPRINTS}') }}}} as now\n"
        "full join {{ source('tags', 'fingerprints') }} as kept\n"
        "    on kept.concern = now.concern and kept.one_id = now.one_id\n"
        "cross join computed\n"
        "where now.fingerprint is null or kept.fingerprint is null"
        " or now.fingerprint <> kept.fingerprint\n"
        f"{moved}"
    )


def gathered_sql(plan: Plan, fact: Fact) -> str:
    """The facts of who is stale to any scan over them, read once for all these scans.

    A scan over several facts computes a person anew for a change in any of them, and needs the
    unchanged ones as well.
    """
    reading = [scan.concerns for scan in plan.scans if fact in scan.facts]
    concerns = list(dict.fromkeys([fact.name, *(one for scan in reading for one in scan)]))
    return (
        f"select {', '.join(_columns(fact))}\nfrom {{{{ ref('{fact.model}') }}}}\n"
        f"where one_id in ({{{{ stale_persons({concerns}) }}}})"
        f" and {fact.time} < {{{{ as_of() }}}}\n"
    )


def _columns(fact: Fact) -> dict[str, None]:
    return dict.fromkeys(["one_id", fact.time, *fact.columns])


def _facts_sql(fact: Fact) -> str:
    return (
        f"select '{fact.name}' as concern, one_id,"
        f" {_fingerprint([fact.time, *fact.columns])} as fingerprint\n"
        f"from {{{{ ref('{fact.model}') }}}}\n"
        f"where one_id is not null and {fact.time} < {{{{ as_of() }}}}\ngroup by one_id"
    )


def _answers_sql(scan: Scan) -> str:
    names = [name for name, _ in scan.columns]
    return (
        f"select '{scan.model}' as concern, one_id, {_fingerprint(names)} as fingerprint\n"
        f"from {{{{ ref('{scan.model}') }}}}\ngroup by one_id"
    )


def _persons_sql() -> str:
    read = _fingerprint([*(f"users.{name}" for name in PROFILE_COLUMNS), "met.record"])
    return (
        f"select '{PERSONS}' as concern, users.one_id, {read} as fingerprint\n"
        "from {{ ref('dim_users') }} as users\n"
        "left join {{ ref('int_users__first_records') }} as met on met.one_id = users.one_id\n"
        "group by users.one_id"
    )


def _fingerprint(columns: Iterable[str]) -> str:
    return f"{{{{ fingerprint_of({list(columns)}) }}}}"


def _edges_of(plan: Plan, fact: Fact) -> dict[str, _Edges]:
    """For each model over the fact that has windows: days before as-of -> tests of the facts."""
    found: dict[str, _Edges] = {}
    for scan in plan.scans:
        for days, where in _edges(scan, fact) if fact in scan.facts else ():
            tests = found.setdefault(scan.model, {}).setdefault(days, {})
            tests[filters_sql(fact, where)] = None
    return found


def _edges(scan: Scan, fact: Fact) -> Iterator[tuple[int, tuple[Filter, ...]]]:
    """How many days before as-of a fact that is selected so begins or ceases to count."""
    for _, wanted in scan.columns:
        if isinstance(wanted, Sequence):
            days = days_of(wanted.window) | ({wanted.for_days} if wanted.for_days else set())
            selected = [part.where for part in steps_of(wanted) if part.fact == fact.name]
        else:
            assert isinstance(wanted, Measure | Preference | ValueList | Distribution)  # noqa: S101  # scans keep them apart
            days, selected = days_of(wanted.window), [wanted.where]
        yield from ((d, where) for d in days for where in selected)


def _near_sql(fact: Fact, edges: Mapping[str, _Edges]) -> str:
    """The facts that crossed any edge, read once for all scans."""
    days = sorted({days for of_scan in edges.values() for days in of_scan})
    tests = "\n        or ".join(_crossed_sql(fact, number) for number in days)
    return (
        f"{fact.name} as (\n"
        f"    select {', '.join(_columns(fact))},"
        " earlier, later\n"
        f"    from {{{{ ref('{fact.model}') }}}}\n    cross join computed\n"
        f"    where one_id is not null and (\n        {tests}\n    )\n)"
    )


def _moved_sql(fact: Fact, edges: Mapping[str, _Edges]) -> Iterator[str]:
    """For each scan: who has a fact that it counts and that crossed one of its edges."""
    for model, of_scan in edges.items():
        tests = "\n    or ".join(
            f"({_crossed_sql(fact, days)}{_selected_sql(list(of_scan[days]))})"
            for days in sorted(of_scan)
        )
        yield (
            f"select distinct '{model}' as concern, one_id\nfrom {fact.name}\nwhere\n    {tests}\n"
        )


def _crossed_sql(fact: Fact, days: int) -> str:
    """Both ends count: some edges belong to the window, others do not."""
    ago = f"- interval '{days}' day"
    return f"{fact.time} between earlier {ago} and later {ago}"


def _selected_sql(tests: list[str]) -> str:
    return "" if "true" in tests else f" and ({' or '.join(f'({test})' for test in tests)})"
