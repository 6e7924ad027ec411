"""The holiday seed says what the notices say, day for day."""

import csv
from datetime import date, timedelta

from landing_cases import PROJECT

# first and last day off, as the notices of the State Council's General Office put it
NOTICES = {
    # 国办发明电〔2023〕7号, 25 October 2023
    2024: ["0101-0101", "0210-0217", "0404-0406", "0501-0505", "0610-0610", "0915-0917",
           "1001-1007"],
    # 国办发明电〔2024〕12号, 12 November 2024
    2025: ["0101-0101", "0128-0204", "0404-0406", "0501-0505", "0531-0602", "1001-1008"],
    # 国办发明电〔2025〕7号, 4 November 2025
    2026: ["0101-0103", "0215-0223", "0404-0406", "0501-0505", "0619-0621", "0925-0927",
           "1001-1007"],
}  # fmt: skip
# 全国年节及纪念日放假办法 as of 2025, article 2: new year's eve to the third day of the first month
STATUTE = {
    2027: ["0101-0101", "0205-0208", "0405-0405", "0501-0502", "0609-0609", "0915-0915",
           "1001-1003"],
}  # fmt: skip


def days_off(year: int, ranges: list[str]) -> set[date]:
    found: set[date] = set()
    for first, last in (part.split("-") for part in ranges):
        day, end = (date(year, int(text[:2]), int(text[2:])) for text in (first, last))
        while day <= end:
            found.add(day)
            day += timedelta(days=1)
    return found


def seed(basis: str) -> dict[int, set[date]]:
    found: dict[int, set[date]] = {}
    with (PROJECT / "seeds" / "holidays.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["basis"] == basis:
                day = date.fromisoformat(row["date"])
                found.setdefault(day.year, set()).add(day)
    return found


def test_noticed_years_are_closed_on_the_days_of_their_notice() -> None:
    assert seed("notice") == {year: days_off(year, ranges) for year, ranges in NOTICES.items()}


def test_a_year_without_notice_is_closed_on_the_thirteen_days_of_the_regulation() -> None:
    found = seed("statute")
    assert found == {year: days_off(year, ranges) for year, ranges in STATUTE.items()}
    assert {len(days) for days in found.values()} == {13}
