"""The measures of a partition, against their definitions written out over rows and pairs."""

from itertools import combinations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongtai.errors import ZhongtaiError
from zhongtai.identity.matching import Quality, measure_classes, measure_quality, measure_sizes


def put_partitions(found: list[int], truth: list[int]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name, clusters in (("found", found), ("truth", truth)):
        connection.execute(f"create table {name} (row_key integer, cluster integer)")
        if clusters:
            connection.executemany(f"insert into {name} values (?, ?)", list(enumerate(clusters)))
    return connection


def measured(found: list[int], truth: list[int]) -> Quality:
    return measure_quality(put_partitions(found, truth), found="found", truth="truth")


def share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=25))
def test_quality_is_as_defined(rows: list[tuple[int, int]]) -> None:
    found, truth = [row[0] for row in rows], [row[1] for row in rows]
    size = range(len(rows))
    found_pairs = {pair for pair in combinations(size, 2) if found[pair[0]] == found[pair[1]]}
    true_pairs = {pair for pair in combinations(size, 2) if truth[pair[0]] == truth[pair[1]]}
    quality = measured(found, truth)
    assert quality.rows == len(rows)
    assert quality.precision == pytest.approx(
        share(len(found_pairs & true_pairs), len(found_pairs))
    )
    assert quality.recall == pytest.approx(share(len(found_pairs & true_pairs), len(true_pairs)))
    together = [{j for j in size if found[j] == found[i]} for i in size]
    same = [{j for j in size if truth[j] == truth[i]} for i in size]
    precisions = [len(together[i] & same[i]) / len(together[i]) for i in size]
    recalls = [len(together[i] & same[i]) / len(same[i]) for i in size]
    assert quality.b3_precision == pytest.approx(sum(precisions) / len(rows) if rows else 1)
    assert quality.b3_recall == pytest.approx(sum(recalls) / len(rows) if rows else 1)
    assert quality.largest == max((len(group) for group in together), default=0)


def test_f1_is_the_harmonic_mean() -> None:
    quality = measured([1, 1, 1, 2], [1, 1, 2, 2])
    assert (quality.precision, quality.recall) == pytest.approx((1 / 3, 1 / 2))
    assert quality.f1 == pytest.approx(0.4)
    assert quality.b3_f1 == pytest.approx(
        2 * quality.b3_precision * quality.b3_recall / (quality.b3_precision + quality.b3_recall)
    )


def test_partitions_of_different_rows_are_refused() -> None:
    connection = duckdb.connect()
    connection.execute("create table found as select i as row_key, 1 as cluster from range(3) t(i)")
    connection.execute("create table truth as select i as row_key, 1 as cluster from range(4) t(i)")
    with pytest.raises(ZhongtaiError, match="do not hold the same rows"):
        measure_quality(connection, found="found", truth="truth")


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from("ab")), max_size=20)
)
def test_a_class_is_judged_by_the_pairs_that_its_rows_stand_in(
    rows: list[tuple[int, int, str]],
) -> None:
    connection = put_partitions([row[0] for row in rows], [row[1] for row in rows])
    connection.execute("create table classes (row_key integer, class varchar)")
    for number, row in enumerate(rows):
        connection.execute("insert into classes values (?, ?)", [number, row[2]])
    by_class = measure_classes(connection, found="found", truth="truth", classes="classes")
    assert set(by_class) == {row[2] for row in rows}
    for name, quality in by_class.items():
        of_class = [i for i, row in enumerate(rows) if row[2] == name]
        ends = [(i, j) for i in of_class for j in range(len(rows)) if i != j]
        found = {(i, j) for i, j in ends if rows[i][0] == rows[j][0]}
        true = {(i, j) for i, j in ends if rows[i][1] == rows[j][1]}
        assert quality.rows == len(of_class)
        assert quality.precision == pytest.approx(share(len(found & true), len(found)))
        assert quality.recall == pytest.approx(share(len(found & true), len(true)))
        assert quality.largest == max(
            sum(other[0] == rows[i][0] for other in rows) for i in of_class
        )


def test_groups_are_counted_by_size() -> None:
    connection = put_partitions([1, 1, 2, 3, 3, 3], [0] * 6)
    assert measure_sizes(connection, "found") == {1: 1, 2: 1, 3: 1}
    assert measure_sizes(connection, "truth") == {6: 1}
