"""Scores and their calibration: declared points, judged by what came about afterwards."""

import csv
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from math import log
from pathlib import Path
from random import Random

import pytest
from metrics_bench import AS_OF, Bench, as_utc, only, ratio
from users_cases import Row, compiled, event, give_events

from reference.scores import Event, band, features, judged, recalibrated, score, stability, top

SEEDS = Path(__file__).parents[2] / "seeds"
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
LAST = date(2026, 8, 31)
MONDAYS = [date(2026, 8, 24) - n * 7 * DAY for n in range(4)]
People = Mapping[str, list[Event]]


@pytest.fixture
def bench() -> Bench:
    return Bench(compiled())


@cache
def scorecard() -> tuple[dict[str, dict[int, float]], float]:
    """Points by feature and step, and the intercept."""
    points: dict[str, dict[int, float]] = {}
    with (SEEDS / "score_points.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            steps = points.setdefault(row["feature"], {})
            steps[int(row["at_least"])] = float(row["points"])
    with (SEEDS / "score_models.csv").open(encoding="utf-8") as file:
        (model,) = csv.DictReader(file)
    return points, float(model["intercept"])


def give(bench: Bench, people: People) -> None:
    give_events(bench, [
        event(name, at, person, series_code=series)
        for person, events in people.items() for name, at, series in events
    ])  # fmt: skip


def draw(seed: int, count: int) -> People:
    """Persons who come at the ends of days and windows, some often enough for the rule."""
    random = Random(seed)  # noqa: S311  # repeatable, not secret
    names = ["ViewSeries"] * 4 + ["ClickFinance", "CompareSeries", "$AppStart", "SubmitInquiry"]
    found: dict[str, list[Event]] = {}
    for number in range(count):
        events: list[Event] = []
        base = AS_OF - random.choice([0, 7, 8, 14, 30, 31, 37]) * DAY
        for _ in range(random.choice([0, 1, 3, 8])):
            at = base - random.choice([1, 2, 6, 7, 8, 29, 30]) * DAY
            at += random.choice([-1, 0, 3600, 70_000]) * SECOND
            events.append((random.choice(names), at, random.choice("AB")))
        if random.random() < 0.3:
            at = base - 3 * DAY
            events += [("ViewSeries", at + n * SECOND, "A") for n in range(random.choice([10, 11]))]
            events.append(("ClickFinance", at, random.choice("AB")))
            if random.random() < 0.6:
                events.append(("SubmitInquiry", base + random.choice([0, 1, 6, 7]) * DAY, "A"))
        found[f"s{seed}u{number}"] = [e for e in events if e[1] < AS_OF]
    return found


def test_a_score_is_the_logistic_of_the_points_and_says_what_weighs_most(bench: Bench) -> None:
    at = AS_OF - 2 * DAY
    give(bench, {"u1": [("ViewSeries", at + n * SECOND, "A") for n in range(11)]
                 + [("ClickFinance", at, "A"), ("CompareSeries", at, "A")]})  # fmt: skip
    row = only([row for row in bench.build("int_users__scores") if row["is_now"]])
    points, intercept = scorecard()
    expected = {"views_30d": 11, "comparisons_30d": 1, "finance_clicks_30d": 1,
                "inquiries_30d": 0, "active_days_7d": 1, "rule_series_30d": 1}  # fmt: skip
    assert row["score"] == score(expected, points, intercept)
    assert row["reasons"].split("; ")[0].startswith("over 10 views of one series")
    assert len(row["reasons"].split("; ")) == 3


@pytest.mark.parametrize(
    ("at", "is_scored"),
    [("2026-08-02T00:00", True), ("2026-08-01T23:59:59", False), ("2026-09-01T00:00", False)],
)
def test_scored_is_who_was_there_in_the_last_30_local_dates(
    bench: Bench, at: str, is_scored: bool
) -> None:
    give(bench, {"u1": [("$AppStart", as_utc(at), "")]})
    assert any(row["is_now"] for row in bench.build("int_users__scores")) is is_scored


def test_scores_of_now_are_what_the_points_say(bench: Bench) -> None:
    people = {name: events for seed in range(200) for name, events in draw(seed, 2).items()}
    give(bench, people)
    points, intercept = scorecard()
    values = {name: features(events, LAST) for name, events in people.items()}
    expected = {n: score(v, points, intercept) for n, v in values.items() if v is not None}
    found = {
        row["one_id"]: row["score"] for row in bench.build("int_users__scores") if row["is_now"]
    }
    assert found == expected
    assert len(set(found.values())) > 10


@pytest.fixture(scope="module")
def calibrated() -> tuple[People, list[Row]]:
    people = {name: events for seed in range(200) for name, events in draw(seed, 3).items()}
    bench = Bench(compiled())
    give(bench, people)
    return people, bench.build("metrics_score_calibration_weekly")


def test_weeks_are_judged_by_scores_of_the_evening_before(
    calibrated: tuple[People, list[Row]],
) -> None:
    people, rows = calibrated
    for week in MONDAYS:
        scored = judged(people, week, *scorecard())
        found = {row["score_band"]: row for row in rows if row["week"] == week}
        assert len(found) == 10
        best = Counter(band(chance) for chance, _ in top(scored))
        hits = Counter(band(chance) for chance, outcome in top(scored) if outcome)
        for name, row in found.items():
            within = [(chance, y) for chance, y in scored if band(chance) == name]
            outcomes = sum(y for _, y in within)
            assert ratio(row, "positive_rate") == (outcomes, len(within))
            assert ratio(row, "topk_capture") == (hits[name], outcomes)
            assert row["topk_scored"] == best[name]
            gap = abs(sum(chance - y for chance, y in within)) / len(scored)
            assert row["ece_10"] == pytest.approx(gap)
            if within:
                errors = [(chance - y) ** 2 for chance, y in within]
                assert row["brier"] == pytest.approx(sum(errors) / len(within))
        assert sum(row["positive_rate_num"] for row in found.values()) > 0


def test_the_index_of_a_feature_compares_it_with_the_week_before(
    calibrated: tuple[People, list[Row]],
) -> None:
    people, rows = calibrated
    points, _intercept = scorecard()
    moved = set()
    for week in MONDAYS[:3]:
        now, before = (
            [values for events in people.values() if (values := features(events, evening))]
            for evening in (week - DAY, week - 8 * DAY)
        )
        (shown,) = {
            tuple(row[f"psi_{name}"] for name in points) for row in rows if row["week"] == week
        }
        expected = [
            stability([v[name] for v in now], [v[name] for v in before], sorted(steps))
            for name, steps in points.items()
        ]
        assert list(shown) == pytest.approx(expected, abs=1e-8)
        moved |= {name for name, index in zip(points, expected, strict=True) if index > 0.001}
    assert moved == points.keys()
    first = min(row["week"] for row in rows)
    assert {row[f"psi_{name}"] for row in rows if row["week"] == first for name in points} == {None}


def test_an_empty_bin_counts_as_one_in_ten_thousand(bench: Bench) -> None:
    """All who came last week have one view, and in the week before had none."""
    last, before = as_utc("2026-08-23T12:00"), as_utc("2026-08-16T12:00")
    give(bench, {"u1": [("$AppStart", before, ""), ("ViewSeries", last, "A")]})
    (index,) = {
        row["psi_views_30d"]
        for row in bench.build("metrics_score_calibration_weekly")
        if row["week"] == date(2026, 8, 24)
    }
    assert index == pytest.approx(2 * (0.0001 - 1) * log(0.0001))


def test_slope_and_intercept_are_the_most_likely_recalibration(
    calibrated: tuple[People, list[Row]],
) -> None:
    people, rows = calibrated
    for week in MONDAYS[:2]:
        line = recalibrated(judged(people, week, *scorecard()))
        shown = {(row["intercept"], row["slope"]) for row in rows if row["week"] == week}
        assert line is not None
        assert only([{"found": pair} for pair in shown])["found"] == pytest.approx(line, abs=1e-3)


def test_weeks_that_are_not_over_and_weeks_too_long_ago_are_not_judged(bench: Bench) -> None:
    times = [AS_OF - n * DAY for n in range(1, 300, 3)]
    give(bench, {"u1": [("$AppStart", at, "") for at in times]})
    weeks = {row["week"] for row in bench.build("metrics_score_calibration_weekly")}
    assert max(weeks) == date(2026, 8, 24)
    assert len(weeks) == 26


def test_the_index_of_stability_is_null_in_the_first_week_and_0_when_nothing_moves(
    bench: Bench,
) -> None:
    times = [AS_OF - n * DAY for n in range(1, 300)]
    give(bench, {"u1": [("$AppStart", at, "") for at in times]})
    rows = bench.build("metrics_score_calibration_weekly")
    first = min(row["week"] for row in rows)
    assert {row["psi"] for row in rows if row["week"] == first} == {None}
    assert {row["psi"] for row in rows if row["week"] != first} == {0}
