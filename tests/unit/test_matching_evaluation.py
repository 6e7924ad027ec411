"""The measures of a partition, against their definitions written out over rows and pairs."""

from itertools import combinations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongtai.errors import ZhongtaiError
from zhongtai.identity.matching import Quality, measure_quality


def measured(found: list[int], truth: list[int]) -> Quality:
    connection = duckdb.connect()
    for name, clusters in (("found", found), ("truth", truth)):
        connection.execute(f"create table {name} (row_key integer, cluster integer)")
        if clusters:
            connection.executemany(f"insert into {name} values (?, ?)", list(enumerate(clusters)))
    return measure_quality(connection, found="found", truth="truth")


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
