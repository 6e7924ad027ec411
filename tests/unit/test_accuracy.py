"""The accuracy page holds what was measured; the rivals are what they are called."""

import sys
from pathlib import Path

import pyarrow as pa
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks are not installed

from benchmarks import accuracy, accuracy_persons, accuracy_thresholds, accuracy_world
from benchmarks.accuracy_report import Breakdown, Result, break_down_sizes, render_page
from benchmarks.accuracy_rivals import equal_identifiers, equal_values
from zhongtai.identity.matching import Quality


def test_one_run_measures_public_and_made_up_persons_and_a_whole_world() -> None:
    assert set(accuracy.PARTS) == {"febrl3", "febrl4", "persons", "world", "thresholds"}


def test_the_page_shows_what_was_measured_and_nothing_else() -> None:
    quality = Quality(9, 0.5, 0.25, 0.125, 0.75, 4)
    part = Breakdown("Kinds", "As found.", ("kind", "pairs"), (("hub", "96"),))
    page = render_page([Result("febrl9", "guess", quality, 1.26)], [part], "make accuracy")
    assert "| febrl9 | guess | 0.5000 | 0.2500 | 0.3333 | 0.1250 | 0.7500 | 0.2143 | 4 | 1.3 |" in (
        page
    )
    assert "## Kinds\n\nAs found.\n\n| kind | pairs |\n| --- | --- |\n| hub | 96 |\n" in page


def test_groups_are_counted_in_the_band_of_their_size() -> None:
    part = break_down_sizes("x", {"truth": {1: 7, 2: 1, 3: 2, 4: 5, 900: 1}}, bands=(1, 2, 3, 5))
    assert part.heads == ("rows in the group", "1", "2", "3-4", "5+")
    assert part.rows == (("truth", "7", "1", "7", "1"),)


def test_plain_components_join_whatever_a_chain_of_values_connects() -> None:
    people = pa.table(
        {
            "id": ["a", "b", "c", "d", "e"],
            "card": ["1", "1", None, None, "9"],
            "name": ["x", "y", "y", "z", None],
            "town": ["t", "u", "u", "t", "t"],
        }
    )
    joined = equal_identifiers("id", (("card",), ("name", "town")))(people)["cluster"].to_pylist()
    assert joined[0] == joined[1] == joined[2]
    assert len({joined[0], joined[3], joined[4]}) == 3
    named = pa.table({"row": ["a", "b", "b", "c", "zz"], "value": ["1", "1", "2", "2", "3"]})
    found = equal_values(people["id"], named["row"], named["value"])["cluster"].to_pylist()
    assert found[0] == found[1] == found[2]
    assert len({found[0], found[3], found[4]}) == 3


def test_the_thresholds_are_judged_on_persons_that_training_has_not_seen() -> None:
    seeds = {
        accuracy_persons.TRAINED_ON["seed"],
        accuracy.HELD_OUT["seed"],
        accuracy_thresholds.SEED,
    }
    assert len(seeds) == 3
    accepted, bands = accuracy_thresholds.measure(seed=77, persons=8_000)
    recalls = [float(row[2]) for row in accepted.rows]
    assert recalls == sorted(recalls, reverse=True)
    shipped = next(row for row in accepted.rows if row[0].endswith("(shipped)"))
    assert float(shipped[1]) >= 0.998
    counts = [(int(row[1].replace(",", "")), int(row[2].replace(",", ""))) for row in bands.rows]
    assert all(pairs >= right for pairs, right in counts)
    assert counts[-1][1] > 100


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_default_rules_hold_on_a_world_of_another_seed() -> None:
    found = list(accuracy_world.measure(people=800, days=12, seed=23, thresholds=()))
    results = {(one.data_set, one.method): one.quality for one in found if isinstance(one, Result)}
    ours, union = (results["world", one] for one in (accuracy_world.OURS, accuracy_world.UNION))
    assert ours.precision >= 0.99
    assert ours.recall >= 0.9
    assert ours.precision > 5 * union.precision
    apart = next(
        one for one in found if isinstance(one, Breakdown) and one.title.startswith("What must")
    )
    joined = {kind: (int(ours), int(union)) for kind, _, ours, union in apart.rows}
    for kind in ("company", "handover", "sender", "hub", "staff"):
        assert joined[kind][0] == 0, f"two persons of a pair that shares {kind} have one id"
    assert joined["hub"][1] > 0
    assert ", 0 are among the persons" in apart.note
