"""Grouping: the same as joining the two most similar groups again and again, never a conflict."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_cases import DECLARATION

from zhongtai.identity.matching import LinkReport, Separations, link, linkage
from zhongtai.identity.matching.declaration import Thresholds

Pairs = Mapping[tuple[str, str], float]
Partition = set[frozenset[str]]
LIMITS = replace(DECLARATION, thresholds=Thresholds(accept=0.6, review=0.3, floor=0.05))


def linked(
    pairs: Pairs,
    attributes: Iterable[tuple[str, str, str]] = (),
    apart: Iterable[tuple[str, str]] = (),
    largest: int = 1000,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> tuple[Partition, LinkReport]:
    """The groups of two or more that `link` finds."""
    connection = connection or duckdb.connect()
    connection.execute(
        "create temp table p (left_key varchar, right_key varchar, probability double)"
    )
    connection.execute("create temp table a (key varchar, attribute varchar, value varchar)")
    connection.execute("create temp table d (left_key varchar, right_key varchar)")
    for name, rows in (
        ("p", [(*pair, probability) for pair, probability in pairs.items()]),
        ("a", list(attributes)),
        ("d", list(apart)),
    ):
        marks = ", ".join("?" * (2 if name == "d" else 3))
        if rows:
            connection.executemany(f"insert into {name} values ({marks})", rows)
    declaration = replace(LIMITS, max_component=largest)
    report = link(
        connection,
        declaration,
        pairs="(select *, true as is_sufficient from p)",
        separations=Separations("a", "d"),
    )
    groups: dict[str, set[str]] = {}
    for key, group in connection.execute("from matching_groups").fetchall():
        groups.setdefault(group, set()).add(key)
    assert all(min(members) == group for group, members in groups.items())
    return {frozenset(members) for members in groups.values()}, report


def join_naively(
    pairs: Pairs, values: Mapping[str, Mapping[str, str]], apart: Sequence[tuple[str, str]]
) -> Partition:
    """Join the most similar two groups that may be joined until none is left, in exact numbers."""
    groups = [frozenset([key]) for key in sorted({key for pair in pairs for key in pair})]

    def similarity(one: frozenset[str], other: frozenset[str]) -> Fraction:
        total = sum(
            round(probability * 1_000_000)
            for (left, right), probability in pairs.items()
            if (left in one and right in other) or (left in other and right in one)
        )
        return Fraction(total, 1_000_000 * len(one) * len(other))

    def may_join(one: frozenset[str], other: frozenset[str]) -> bool:
        for left in one:
            for right in other:
                if (left, right) in apart or (right, left) in apart:
                    return False
                known = values.get(left, {}).keys() & values.get(right, {}).keys()
                if any(values[left][name] != values[right][name] for name in known):
                    return False
        return True

    while True:
        allowed = [
            (similarity(one, other), one, other)
            for one, other in combinations(groups, 2)
            if may_join(one, other) and similarity(one, other) >= Fraction(6, 10)
        ]
        if not allowed:
            return {group for group in groups if len(group) > 1}
        _, one, other = max(allowed, key=lambda found: found[0])
        groups = [group for group in groups if group not in (one, other)] + [one | other]


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 10**9), st.integers(2, 12), st.floats(0.2, 1))
def test_groups_are_those_of_joining_the_most_similar_first(
    seed: int, size: int, density: float
) -> None:
    rng = random.Random(seed)  # noqa: S311
    keys = [f"k{number:02}" for number in range(size)]
    pairs = {pair: rng.uniform(0.05, 1) for pair in combinations(keys, 2) if rng.random() < density}
    values = {
        key: {name: rng.choice("xy") for name in ("card", "login") if rng.random() < 0.3}
        for key in keys
    }
    apart = [pair for pair in combinations(keys, 2) if rng.random() < 0.05]
    attributes = [(key, name, value) for key in keys for name, value in values[key].items()]
    found, report = linked(pairs, attributes, apart)
    assert found == join_naively(pairs, values, apart)
    assert report.groups == len(found)


def test_the_order_of_pairs_and_their_sides_decides_nothing() -> None:
    rng = random.Random(3)  # noqa: S311
    keys = [f"k{number:02}" for number in range(40)]
    # few different probabilities: nearly everything ties
    pairs = {p: rng.choice([0.6, 0.7, 1.0]) for p in combinations(keys, 2) if rng.random() < 0.2}
    expected, _ = linked(pairs)
    assert len(expected) > 2
    for _ in range(5):
        shuffled = list(pairs.items())
        rng.shuffle(shuffled)
        turned = {
            (pair if rng.random() < 0.5 else (pair[1], pair[0])): value for pair, value in shuffled
        }
        assert linked(turned)[0] == expected


def test_a_chain_is_not_one_person() -> None:
    chain = {(f"k{number}", f"k{number + 1}"): 0.9 for number in range(1, 5)}
    found, _ = linked(chain)
    assert found == {frozenset({"k1", "k2"}), frozenset({"k3", "k4"})}


def test_a_conflict_reaches_through_the_whole_group() -> None:
    pairs = {("a", "b"): 0.99, ("b", "c"): 0.98, ("a", "c"): 0.97}
    whole, _ = linked(pairs)
    assert whole == {frozenset("abc")}
    parted, report = linked(pairs, [("a", "id_card", "1"), ("c", "id_card", "2")])
    assert parted == {frozenset("ab")}
    assert report.undecided == {"conflict": 2}
    decided, _ = linked(pairs, apart=[("c", "a")])
    assert decided == {frozenset("ab")}


def test_what_is_left_apart_says_why() -> None:
    connection = duckdb.connect()
    pairs = {
        ("a", "b"): 0.99,
        ("b", "c"): 0.9,
        ("d", "e"): 0.59,
        ("f", "g"): 0.99,
        ("h", "i"): 0.99,
        ("j", "k"): 0.29,
    }
    attributes = [("f", "login", "1"), ("g", "login", "2")]
    _, report = linked(pairs, attributes, [("h", "i")], connection=connection)
    rows = connection.execute(
        "select left_key || right_key, probability, reason, attribute from matching_undecided"
        " order by 1"
    ).fetchall()
    assert rows == [
        ("bc", 0.9, "weak_average", None),
        ("de", 0.59, "below_accept", None),
        ("fg", 0.99, "conflict", "login"),
        ("hi", 0.99, "conflict", "decision"),
    ]
    assert sum(report.undecided.values()) == len(rows)
    assert report.pairs == len(pairs)


def test_an_insufficient_pair_joins_nothing_and_waits_for_a_reviewer() -> None:
    connection = duckdb.connect()
    pairs = (
        "(select 'a' as left_key, 'b' as right_key, 0.99 as probability, true as is_sufficient"
        " union all select 'b', 'c', 0.99, false union all select 'd', 'e', 0.4, false)"
    )
    report = link(connection, LIMITS, pairs=pairs)
    assert connection.execute("from matching_groups order by 1").fetchall() == [
        ("a", "a"),
        ("b", "a"),
    ]
    assert report.undecided == {"insufficient": 2}


def test_a_row_with_two_cards_agrees_only_with_the_same_two() -> None:
    both = [("a", "id_card", "1"), ("a", "id_card", "2")]
    assert linked({("a", "b"): 1.0}, [*both, ("b", "id_card", "1")])[0] == set()
    same = [*both, ("b", "id_card", "2"), ("b", "id_card", "1")]
    assert linked({("a", "b"): 1.0}, same)[0] == {frozenset("ab")}


def test_a_large_component_is_cut_by_raising_its_own_threshold() -> None:
    # two cliques of four that weak pairs chain together, and a pair elsewhere that is no stronger
    pairs = {pair: 0.95 for clique in ("abcd", "efgh") for pair in combinations(clique, 2)}
    pairs |= {("d", "e"): 0.61, ("x", "y"): 0.61}
    found, report = linked(pairs, largest=4)
    assert found == {frozenset("abcd"), frozenset("efgh"), frozenset("xy")}
    assert report.cut_components == 1
    assert report.undecided == {"cut_component": 1}


def test_a_blob_of_equal_pairs_is_nobody() -> None:
    found, report = linked(dict.fromkeys(combinations("abcdef", 2), 1.0), largest=5)
    assert found == set()
    assert report.undecided == {"cut_component": 15}


def test_no_pairs_give_no_groups() -> None:
    found, report = linked({})
    assert (found, report.pairs, report.groups) == (set(), 0, 0)


def test_many_pairs_of_few_rows_never_lay_all_rows_side_by_side() -> None:
    # where there were twenty times as many pairs as rows, the plan did: billions of them
    with duckdb.connect() as connection:
        connection.execute(
            "create temp table p as select 'r' || i % 500 as left_key, 'r' || i % 499 as right_key,"
            " 0.9 as probability, true as is_sufficient from range(50000) as t(i)"
        )
        connection.execute(linkage._NODES.format(pairs="p"), {"floor": 0.1})
        edges, given_ = linkage._EDGES.format(pairs="p"), {"floor": 0.1, "scale": 1000}
        ((_, plan),) = connection.execute(f"explain {edges}", given_).fetchall()
        found = connection.execute(edges, given_).fetchnumpy()
    assert "HASH_JOIN" in plan
    assert "NESTED_LOOP_JOIN" not in plan
    assert "CROSS_PRODUCT" not in plan
    assert (found["left_node"] < found["right_node"]).all()
    assert len(found["left_node"]) > 40_000


def test_only_the_two_results_are_left() -> None:
    connection = duckdb.connect()
    linked({("a", "b"): 0.99}, connection=connection)
    tables = connection.execute("select table_name from duckdb_tables()").fetchall()
    assert {name for (name,) in tables} == {"p", "a", "d", "matching_groups", "matching_undecided"}
    views = connection.execute("select view_name from duckdb_views() where not internal")
    assert views.fetchall() == []
