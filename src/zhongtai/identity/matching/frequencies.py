"""Term frequencies: counted once at training, looked up in the model ever after.

Were they counted anew in every run, one more row would change the probability of all pairs, and
a run on what is new would differ from a run on everything.
"""

from typing import TYPE_CHECKING

import pyarrow as pa

from zhongtai.identity.matching.declaration import Comparison, Declaration
from zhongtai.identity.matching.levels import frequency_part
from zhongtai.identity.matching.model import Frequencies

if TYPE_CHECKING:
    import duckdb

# ruff: noqa: S608  # names of features, quoted

# A listed term belongs to at least so many rows: fewer are noise, and might name a person.
AT_LEAST = 5


def counted_features(comparison: Comparison) -> tuple[str, ...]:
    """The features whose terms are counted.

    A whole Chinese name is too rare to be counted; surname and given name are frequent enough,
    and the frequency of the name is their product.
    """
    if comparison.kind == "chinese_name":
        return (f"{comparison.name}__surname", f"{comparison.name}__given")
    return (f"{comparison.name}__value",)


def count_frequencies(
    connection: "duckdb.DuckDBPyConnection", declaration: Declaration
) -> dict[str, Frequencies]:
    """Count the terms of `matching__features`; what is rare shares one frequency."""
    found = {}
    for comparison in declaration.comparisons:
        if not comparison.term_frequencies:
            continue
        for feature in counted_features(comparison):
            found[feature] = _count(connection, feature)
    return found


def attach_frequencies(
    connection: "duckdb.DuckDBPyConnection",
    declaration: Declaration,
    frequencies: dict[str, Frequencies],
) -> None:
    """Write the temp table `matching__input`: `matching__features` with its `tf_` columns."""
    columns = ["f.*"]
    joins: list[str] = []
    for comparison in declaration.comparisons:
        if not comparison.term_frequencies:
            continue
        factors = []
        for feature in counted_features(comparison):
            table = frequencies[feature]
            terms = pa.table(
                {
                    "term": pa.array(list(table.terms), pa.string()),
                    "frequency": pa.array(list(table.terms.values()), pa.float64()),
                }
            )
            name = f"matching__terms_{len(joins)}"
            connection.register(f"{name}_arrow", terms)
            connection.execute(f"create or replace temp table {name} as select * from {name}_arrow")
            connection.unregister(f"{name}_arrow")
            joins.append(f'left join {name} on {name}.term = f."{feature}"')
            factors.append(f"coalesce({name}.frequency, {table.otherwise!r}::double)")
        weighed = f"{comparison.name}__{frequency_part(comparison)}"
        columns.append(
            f'case when f."{weighed}" is not null then {" * ".join(factors)} end as "tf_{weighed}"'
        )
    connection.execute(
        "create or replace temp table matching__input as"
        f" select {', '.join(columns)} from matching__features as f {' '.join(joins)}"
    )


def _count(connection: "duckdb.DuckDBPyConnection", feature: str) -> Frequencies:
    rows = connection.execute(
        f'select "{feature}", count(*) from matching__features where "{feature}" is not null'
        " group by 1 order by 2 desc, 1"
    ).fetchall()
    total = sum(count for _, count in rows)
    listed = {term: count / total for term, count in rows if count >= AT_LEAST}
    rare = [count for _, count in rows if count < AT_LEAST]
    # the expected frequency of a rare term that was met: a term of many rows is met more often
    otherwise = sum(n * n for n in rare) / sum(rare) / total if rare else AT_LEAST / max(total, 5)
    return Frequencies({t: _rounded(f) for t, f in listed.items()}, _rounded(otherwise))


def _rounded(number: float) -> float:
    return float(f"{number:.6g}")
