"""Many rows of one moment: an unstable sort may place them otherwise in the next window."""

from datetime import date
from random import Random

from metrics_bench import Bench, as_utc
from users_cases import Row, compiled

# few enough to be quick; at some hundred DuckDB sorts ties in another order than they came
PERSONS = 500
BEGAN, ENDED = as_utc("2026-05-01"), as_utc("2026-07-30")


def twice(**values: object) -> list[Row]:
    """Two rows of each person, which are alike in all but their car or lead."""
    rows = [
        {"one_id": f"u{number}", "valid_from": BEGAN, **values, "lead_id": f"{car}{number}"}
        for number in range(PERSONS)
        for car in "AB"
    ]
    Random(1).shuffle(rows)  # noqa: S311  # repeatable, not secret
    return rows


def test_an_owner_of_two_cars_of_one_moment_is_one_owner() -> None:
    bench = Bench(compiled())
    cars = [{**row, "vin": row["lead_id"]} for row in twice()]
    for car in cars:
        del car["lead_id"]
    bench.given_instead("int_users__ownerships", cars)
    months = {row["month"]: row["owners"] for row in bench.build("int_owners_monthly")}
    assert [months[date(2026, month, 1)] for month in (4, 5, 9)] == [0, PERSONS, PERSONS]


def test_two_leads_of_one_moment_are_one_period_of_interest() -> None:
    bench = Bench(compiled())
    bench.given_instead("int_users__lead_periods", twice(kind="comparing", valid_to=ENDED))
    rows = bench.build("int_users__interest_periods")
    assert len(rows) == PERSONS
    assert {(row["valid_from"], row["valid_to"]) for row in rows} == {(BEGAN, ENDED)}
