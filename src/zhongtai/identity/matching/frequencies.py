"""Term frequencies: counted once at training, looked up in the model ever after.

Were they counted anew in every run, one more row would change the probability of all pairs, and
a run on what is new would differ from a run on everything.
"""

from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from zhongtai.identity.matching.declaration import Comparison, Declaration
from zhongtai.identity.matching.model import Frequencies

if TYPE_CHECKING:
    import duckdb

# ruff: noqa: S608  # names of features, quoted

# A listed term belongs to at least so many rows: fewer are noise, and might name a person.
AT_LEAST = 5


def factors_of(comparison: Comparison) -> dict[str, tuple[str, ...]]:
    """Per weighed feature the features whose frequencies are multiplied to its own.

    A whole Chinese name is too rare to be counted; surname and given name are frequent enough.
    """
    name = comparison.name
    if comparison.kind == "chinese_name":
        return {
            f"{name}__text": (f"{name}__surname", f"{name}__given"),
            f"{name}__pinyin": (f"{name}__surname", f"{name}__given_sound"),
        }
    return {f"{name}__value": (f"{name}__value",)}


def count_frequencies(
    connection: "duckdb.DuckDBPyConnection", declaration: Declaration
) -> dict[str, Frequencies]:
    """Count the terms of `matching__features`; what is rare shares one frequency."""
    found = {}
    for comparison in declaration.comparisons:
        if not comparison.term_frequencies:
            continue
        for factors in factors_of(comparison).values():
            for feature in factors:
                found[feature] = _count(connection, feature)
    return found


def attach_frequencies(
    connection: "duckdb.DuckDBPyConnection",
    declaration: Declaration,
    frequencies: dict[str, Frequencies],
    kind: Literal["table", "view"] = "table",
) -> None:
    """Write the temp table or view `matching__input`: `matching__features` with `tf_` columns.

    What is read a few times only is looked up faster than it is copied.
    """
    columns = ["f.*"]
    joins: list[str] = []
    joined: dict[str, str] = {}
    for comparison in declaration.comparisons:
        if not comparison.term_frequencies:
            continue
        for weighed, factors in factors_of(comparison).items():
            for feature in factors:
                if feature not in joined:
                    table = f"matching__terms_{len(joins)}"
                    _write_terms(connection, table, frequencies[feature])
                    joins.append(f'left join {table} on {table}.term = f."{feature}"')
                    otherwise = frequencies[feature].otherwise
                    joined[feature] = f"coalesce({table}.frequency, {otherwise!r}::double)"
            product = " * ".join(joined[feature] for feature in factors)
            columns.append(f'case when f."{weighed}" is not null then {product} end "tf_{weighed}"')
    connection.execute(
        f"create or replace temp {kind} matching__input as"
        f" select {', '.join(columns)} from matching__features as f {' '.join(joins)}"
    )


def _write_terms(
    connection: "duckdb.DuckDBPyConnection", table: str, frequencies: Frequencies
) -> None:
    terms = pa.table(
        {
            "term": pa.array(list(frequencies.terms), pa.string()),
            "frequency": pa.array(list(frequencies.terms.values()), pa.float64()),
        }
    )
    connection.register("matching__arrow", terms)
    connection.execute(f"create or replace temp table {table} as from matching__arrow")
    connection.unregister("matching__arrow")


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
