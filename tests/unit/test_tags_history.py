"""fct_user_tags: as of any day what that day published, whatever happened since."""

from datetime import datetime, timedelta

import pytest
from tag_histories import HISTORY_DAYS, START, Held, Life, Warehouse


@pytest.mark.parametrize("seed", range(6))
def test_as_of_any_day_is_what_that_day_published(seed: int) -> None:
    life, warehouse = Life(seed), Warehouse()
    published: dict[datetime, set[Held]] = {}
    for day in range(1, 26):
        as_of = START + timedelta(days=day)
        for _ in range(life.draw.choice([1, 1, 2])):
            # a second run of an as-of replaces the first
            life.live() if not published.get(as_of) else life.said.pop(0, None)
            published[as_of] = warehouse.run(life, as_of)
        expected = {(p, t, f"v{life.versions[t]}", v) for p, t, v in life.held()}
        assert published[as_of] == expected
    kept = 0
    for as_of, held in published.items():
        age = (max(published) - as_of).days
        within = {tag for tag, days in HISTORY_DAYS.items() if age <= days}
        found = {row for row in warehouse.as_of(as_of) if row[1] in within}
        assert found == {row for row in held if row[1] in within}, as_of
        # between two runs nothing was published
        found = warehouse.as_of(as_of + timedelta(hours=5))
        assert {row for row in found if row[1] in within} == {r for r in held if r[1] in within}
        kept += len(held)
    assert kept > 100
    assert life.redirects


def test_what_is_older_than_the_history_of_its_tag_goes() -> None:
    life, warehouse = Life(3), Warehouse()
    for day in range(1, 40):
        life.live()
        warehouse.run(life, START + timedelta(days=day))
    oldest = warehouse.connection.execute(
        "select min(valid_to) from fct_user_tags where tag_id = 'recent'"
    ).fetchall()[0][0]
    assert oldest >= START + timedelta(days=39 - HISTORY_DAYS["recent"])
    others = warehouse.connection.execute(
        "select min(valid_to) from fct_user_tags where tag_id = 'stage'"
    ).fetchall()[0][0]
    assert others < START + timedelta(days=10)


@pytest.mark.parametrize("seed", range(4))
def test_a_run_of_an_earlier_as_of_takes_back_what_came_after_it(seed: int) -> None:
    life, warehouse = Life(seed), Warehouse()
    published = {}
    for day in range(1, 8):
        life.live()
        published[day] = warehouse.run(life, START + timedelta(days=day))
    again = warehouse.run(life, START + timedelta(days=4))
    assert warehouse.as_of(START + timedelta(days=30)) == again
    for day in range(1, 4):
        assert warehouse.as_of(START + timedelta(days=day)) == published[day]


def test_a_value_that_lasts_through_a_merge_keeps_since_when() -> None:
    life, warehouse = Life(1), Warehouse()
    life.events = [(0, 0, 0)]
    warehouse.run(life, START)
    kept, gone = life.person_of[1], life.person_of[0]
    life.person_of[0] = kept
    life.redirects[gone] = kept
    warehouse.run(life, START + timedelta(days=1))
    rows = warehouse.connection.execute(
        "select one_id, valid_from, valid_to, held_since from fct_user_tags"
        " where tag_id = 'stage' order by valid_from"
    ).fetchall()
    later = START + timedelta(days=1)
    assert rows == [(gone, START, later, START), (kept, later, None, START)]
