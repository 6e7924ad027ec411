"""Tables about staff say what their definitions say, of companies drawn at random."""

from collections.abc import Callable, Hashable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from metrics_bench import Bench, Project, as_utc, compile_project, only, ratio
from workforce_cases import draw_companies, fill

from reference.workforce import Workforce, content, nps, training
from zhongtai.settings import load_settings

Row = dict[str, Any]
Table = dict[Hashable, dict[str, Any]]
Reference = Callable[[Workforce], Table]

TABLES: list[tuple[str, list[str], Reference]] = [
    ("metrics_nps_monthly", ["month", "survey_kind", "dealer_code", "staff_id"], nps),
    ("metrics_content_daily", ["date", "staff_id", "platform"], content),
    ("metrics_training_monthly", ["month", "staff_id"], training),
]

# 4 examples of 60 companies each: 240 worlds in a few seconds, since each example is one build
PLAYED = settings(
    deadline=None,
    derandomize=True,
    max_examples=4,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.large_base_example),
)
SEEDS = st.lists(st.integers(0, 2**32), min_size=60, max_size=60, unique=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return compile_project(load_settings(home=tmp_path_factory.mktemp("staff"), threads=2))


def by_key(rows: Sequence[dict[str, Any]], keys: Sequence[str]) -> Table:
    found: Table = {}
    for row in rows:
        key = tuple(row.pop(key) for key in keys)
        assert key not in found
        found[key] = row
    return found


@settings(PLAYED)
@given(seeds=SEEDS)
def test_tables_about_staff_say_what_their_definitions_say(
    project: Project, seeds: list[int]
) -> None:
    exports, bench = draw_companies(seeds), Bench(project)
    fill(bench, exports)
    for table, keys, reference in TABLES:
        found, expected = by_key(bench.build(table), keys), reference(exports)
        assert len(expected) > 50, table
        assert found.keys() == expected.keys(), table
        assert {k: (found[k], e) for k, e in expected.items() if found[k] != e} == {}, table


@pytest.fixture
def bench(project: Project) -> Bench:
    return Bench(project)


def survey(number: int, score: int | None, answered: str | None, **values: object) -> Row:
    at = as_utc(answered) if answered else None
    key = f"W{number}"
    given = {"record_key": key, "survey_id": key, "recommend_score": score, "submitted_at": at}
    return given | {"staff_id": "S1"} | values


@pytest.mark.parametrize(("answers", "expected"), [(9, None), (10, 0.2)])
def test_nine_answers_give_no_score_and_ten_do(
    bench: Bench, answers: int, expected: float | None
) -> None:
    scores = [10, 9, 9, 9, 9, 6, 0, 3, 7, 8][:answers]
    bench.given(
        "stg_crm__surveys", [survey(n, s, "2026-08-05T10:00") for n, s in enumerate(scores)]
    )
    row = only(bench.build("metrics_nps_monthly"))
    assert (row["nps_num"], row["nps_den"], row["nps"]) == (2, answers, expected)


def test_an_answer_counts_in_the_local_month_in_which_it_is_given(bench: Bench) -> None:
    times = ["2024-02-29T23:59:59", "2024-03-01T00:00:00", "2026-08-31T23:59:59"]
    sent = as_utc("2024-01-01")
    bench.given("stg_crm__surveys", [survey(n, 9, at, sent_at=sent) for n, at in enumerate(times)])
    months = {row["month"] for row in bench.build("metrics_nps_monthly")}
    assert months == {date(2024, 2, 1), date(2024, 3, 1), date(2026, 8, 1)}


def test_what_is_not_answered_or_no_score_is_no_response(bench: Bench) -> None:
    rows = [survey(1, 9, None), survey(2, None, "2026-08-05"), survey(3, 11, "2026-08-05")]
    bench.given(
        "stg_crm__surveys", [*rows, survey(4, 0, "2026-08-05"), survey(5, -1, "2026-08-05")]
    )
    row = only(bench.build("metrics_nps_monthly"))
    assert (row["nps_num"], row["nps_den"], row["detractors"]) == (-1, 1, 1)


def post(day: date, views: int | None, **values: object) -> Row:
    given = {"record_key": f"P|{day}", "post_id": "P", "stat_date": str(day), "stat_on": day}
    return given | {"staff_id": "S1", "platform": "抖音", "views": views, "followers": 0} | values


def test_posts_gain_what_their_cumulative_counts_grow_by(bench: Bench) -> None:
    """The first day from nothing, a gap on the day after it, a fall and an unknown count: none."""
    counts = {27: 100, 28: 130, 29: None, 31: 170, 32: 160, 33: 165}
    first = date(2024, 2, 1)
    rows = [post(first + timedelta(days=day - 1), views) for day, views in counts.items()]
    bench.given("stg_workforce__content_posts", rows[::-1])
    found = {(row["date"] - first).days + 1: row for row in bench.build("metrics_content_daily")}
    gained = {day: row["views"] for day, row in found.items()}
    assert gained == {27: 100, 28: 30, 29: 0, 31: 40, 32: 0, 33: 5}
    assert [row["content_posts"] for row in found.values()].count(1) == 1


def test_followers_of_two_authors_on_two_platforms_are_kept_apart(bench: Bench) -> None:
    day, late = date(2026, 7, 31), as_utc("2026-08-01T00:00")
    other = {"post_id": "Q", "record_key": "Q", "platform": "知乎", "staff_id": "S2"}
    rows = [post(day, 1, followers=7, posted_at=late), post(day, 1, followers=3, **other)]
    bench.given("stg_workforce__content_posts", rows)
    found = {
        (row["date"].day, row["staff_id"], row["platform"]): (
            row["followers"],
            row["content_posts"],
        )
        for row in bench.build("metrics_content_daily")
    }
    assert found == {
        (31, "S1", "抖音"): (7, 0),
        (1, "S1", "抖音"): (0, 1),
        (31, "S2", "知乎"): (3, 1),
    }


def course(number: int, due: str | None, done: str | None, **values: object) -> Row:
    times = {"due_at": due and as_utc(due), "completed_at": done and as_utc(done)}
    return (
        {"record_key": f"T{number}", "record_id": f"T{number}", "staff_id": "S1"} | times | values
    )


def test_training_counts_by_what_was_due_and_in_time(bench: Bench) -> None:
    rows = [
        course(1, "2026-07-31T23:59:59", "2026-07-31T23:59:59"),
        course(2, "2026-07-31T23:59:59", "2026-08-01T00:00:00"),
        course(3, "2026-07-10", None),
        course(4, "2026-09-01T00:00:00", "2026-08-02"),  # due at as-of
        course(5, "2026-09-01T00:00:01", "2026-08-02"),  # not due yet
        course(6, None, "2026-08-02"),
    ]
    bench.given("stg_workforce__training_records", rows)
    found = {row["month"].month: row for row in bench.build("metrics_training_monthly")}
    assert {m: ratio(row, "training_completion") for m, row in found.items()} == {
        7: (1, 3),
        9: (1, 1),
    }


def test_points_are_booked_by_completion_and_levels_stay(bench: Bench) -> None:
    rows = [
        course(1, None, "2026-06-30T23:59", points=99),
        course(2, None, "2026-07-01T00:00", points=1),
        course(3, None, None, points=500),
        course(4, None, None, points=-40, updated_at=as_utc("2026-08-10")),
        course(5, None, "2026-07-02", points=20, staff_id="S2"),
        course(6, None, "2026-07-02", points=20, staff_id="S3"),
    ]
    bench.given("stg_workforce__training_records", rows)
    found = {
        (row["month"].month, row["staff_id"]): (row["points"], row["level"], row["board_rank"])
        for row in bench.build("metrics_training_monthly")
    }
    assert found == {
        (6, "S1"): (99, "学徒", 1),
        (7, "S1"): (1, "学者", 2),
        (8, "S1"): (-40, "学徒", 1),
        (7, "S2"): (20, "学徒", 1),
        (7, "S3"): (20, "学徒", 1),
    }


def test_a_threshold_that_changes_holds_from_its_month_on(bench: Bench) -> None:
    rows = [course(1, None, "2026-07-02", points=60), course(2, None, "2026-08-02", points=1)]
    bench.given("stg_workforce__training_records", rows)
    since, change = date(2000, 1, 1), date(2026, 8, 1)
    levels = [("学徒", 0, since, None), ("学者", 50, since, change), ("学者", 70, change, None)]
    names = ("level", "points_from", "valid_from", "valid_to")
    bench.given("training_levels", [dict(zip(names, row, strict=True)) for row in levels])
    found = {row["month"].month: row["level"] for row in bench.build("metrics_training_monthly")}
    assert found == {7: "学者", 8: "学徒"}
