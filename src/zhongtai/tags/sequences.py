"""The SQL of sequences: steps in order over several fact tables, for all persons at once.

For each step it is enough to know the latest earlier moment at which the step before it was
reached: what any earlier moment allows (the gap, nothing forbidden in between), the latest allows
too, and its chain also began last. So every step is one running maximum over the moments of a
person, and a sequence of n steps costs n passes, however many facts there are.
"""

from zhongtai.tags.facts import Fact
from zhongtai.tags.plan import Scan
from zhongtai.tags.rows import bounds_sql, days_of, filters_sql, moment_sql, only_stale_sql
from zhongtai.tags.wants import Absent, Filter, Sequence, Step

_BEFORE = (
    "(partition by one_id order by happened_at rows between unbounded preceding and 1 preceding)"
)
_AFTER = (
    "(partition by one_id order by happened_at rows between 1 following and unbounded following)"
)


class _Moments:
    """The kinds of fact that the sequences speak of, each a column of the moments of a person."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, tuple[Filter, ...]], str] = {}

    def named(self, part: Step | Absent) -> str:
        key = part.fact, part.where
        return self._kinds.setdefault(key, f"kind_{len(self._kinds) + 1}")

    def absent(self, parts: tuple[Absent, ...]) -> str:
        return " or ".join(self.named(part) for part in parts)

    def sql(self, scan: Scan) -> str:
        """The CTEs `facts` and `moments`: facts of the same instant make one moment."""
        branches = "\n    union all\n".join(
            f"{self._branch(fact, scan.source_of(fact))}\n        {only_stale_sql(scan)}"
            for fact in scan.facts
        )
        kinds = "".join(f",\n        bool_or({n}) as {n}" for n in self._kinds.values())
        return (
            f"facts as (\n{branches}\n),\n"
            f"moments as (\n    select\n        one_id,\n        happened_at{kinds}\n"
            "    from facts\n    group by one_id, happened_at\n)"
        )

    def _branch(self, fact: Fact, source: str) -> str:
        tests = {
            name: filters_sql(fact, where) if of == fact.name else "false"
            for (of, where), name in self._kinds.items()
        }
        columns = "".join(
            f",\n        coalesce({test}, false) as {name}" if test not in ("true", "false")
            else f",\n        {test} as {name}"
            for name, test in tests.items()
        )  # fmt: skip
        own = [test for test in tests.values() if test != "false"]
        any_own = "" if "true" in own else f"\n        and ({' or '.join(f'({t})' for t in own)})"
        return (
            f"    select\n        one_id,\n        {fact.time} as happened_at{columns}\n"
            f"    from {source}\n"
            f"    where\n        one_id is not null\n"
            f"        and {fact.time} < {{{{ as_of() }}}}{any_own}"
        )


def sequences_sql(scan: Scan) -> str:
    """All sequences in one statement: each level of CTEs takes every sequence a step further."""
    moments = _Moments()
    sequences = [(name, s) for name, s in scan.columns if isinstance(s, Sequence)]
    chains = [_Chain(name, sequence, moments) for name, sequence in sequences]
    longest = max(len(sequence.steps) for _, sequence in sequences)
    levels = [_level("level_1", "moments cross join moment", [c.first() for c in chains])]
    for number in range(2, longest + 1):
        going_on = [c for c in chains if len(c.sequence.steps) >= number]
        seen = [item for c in going_on for item in c.seen_before(number)]
        reached = [c.reached(number) for c in going_on]
        levels.append(_level(f"before_{number}", f"level_{number - 1}", seen))
        levels.append(_level(f"level_{number}", f"before_{number}", reached))
    after = [item for c in chains for item in c.seen_after()]
    levels.append(_level("ended", f"level_{longest}", after))
    days = {d for _, sequence in sequences for d in days_of(sequence.window)}
    selected = ",\n".join(["    one_id", *(f"    {c.result()} as {c.name}" for c in chains)])
    ctes = ",\n".join([moment_sql(days), moments.sql(scan), *levels])
    return f"with\n{ctes}\nselect\n{selected}\nfrom ended\ngroup by one_id\n"


class _Chain:
    """The columns of one sequence. `<name>_<n>` is when the chain began that reached step n."""

    def __init__(self, name: str, sequence: Sequence, moments: _Moments) -> None:
        self.name = name
        self.sequence = sequence
        self._kinds = [moments.named(step) for step in sequence.steps]
        self._between = [moments.absent(step.without) for step in sequence.steps]
        self._after = moments.absent(sequence.without)
        self._window = bounds_sql(sequence.window, "happened_at")

    def first(self) -> str:
        return f"case when {self._counts(1)} then happened_at end as {self.name}_1"

    def seen_before(self, number: int) -> list[str]:
        """Of the moments before: the latest at step n-1, the begin of its chain, what is absent."""
        reached = f"{self.name}_{number - 1}"
        items = [
            f"max(case when {reached} is not null then happened_at end) over {_BEFORE}"
            f" as {self.name}_{number}_last",
            f"max({reached}) over {_BEFORE} as {self.name}_{number}_begun",
        ]
        if self._between[number - 1]:
            items.append(
                f"max(case when {self._between[number - 1]} then happened_at end) over {_BEFORE}"
                f" as {self.name}_{number}_absent"
            )
        return items

    def reached(self, number: int) -> str:
        step, column = self.sequence.steps[number - 1], f"{self.name}_{number}"
        tests = [self._counts(number)]
        if step.gap_days:
            tests.append(f"happened_at <= {column}_last + interval '{step.gap_days}' day")
        if self.sequence.span_days:
            span = self.sequence.span_days
            tests.append(f"happened_at <= {column}_begun + interval '{span}' day")
        if step.without:
            tests.append(f"({column}_absent is null or {column}_absent <= {column}_last)")
        return f"case when {' and '.join(tests)} then {column}_begun end as {column}"

    def seen_after(self) -> list[str]:
        if not self._after:
            return []
        absent = f"case when {self._after} then happened_at end"
        return [f"min({absent}) over {_AFTER} as {self.name}_followed"]

    def result(self) -> str:
        completed = self._completed()
        if self.sequence.give == "completed":
            return f"bool_or({completed})"
        if self.sequence.give == "last_on":
            last = f"max(case when {completed} then happened_at end)"
            return f'{{{{ local_date("{last}") }}}}'
        steps = range(len(self.sequence.steps), 0, -1)
        cases = " ".join(f"when {self.name}_{n} is not null then {n}" for n in steps)
        return f"cast(max(case {cases} else 0 end) as bigint)"

    def _counts(self, number: int) -> str:
        kind = self._kinds[number - 1]
        return kind if self._window == "true" else f"{kind} and {self._window}"

    def _completed(self) -> str:
        reached = f"{self.name}_{len(self.sequence.steps)} is not null"
        if not self._after:
            return reached
        followed, days = f"{self.name}_followed", self.sequence.for_days
        if not days:
            return f"{reached} and {followed} is null"
        end = f"happened_at + interval '{days}' day"
        return f"{reached} and {end} <= as_of and ({followed} is null or {followed} >= {end})"


def _level(name: str, source: str, items: list[str]) -> str:
    listed = "".join(f",\n        {item}" for item in items)
    return f"{name} as (\n    select\n        *{listed}\n    from {source}\n)"
