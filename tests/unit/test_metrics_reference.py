"""The shared tables count what the plain-Python definitions count, on worlds drawn at random."""

from collections import Counter, defaultdict
from collections.abc import Hashable
from datetime import date, datetime, time, timedelta
from random import Random
from types import SimpleNamespace

import pytest
from metrics_bench import AS_OF, Bench, Project, as_utc, compile_project
from metrics_cases import assert_same, counted, draw_exports, fill

from reference.complaint import complaint
from reference.funnel import funnel
from reference.response import response
from reference.working_time import Calendar, Hours
from zhongtai.settings import load_settings

HOUR = 3600
HOLIDAYS = [date(2026, 6, 19), date(2026, 6, 20), date(2026, 8, 30)]
EXCEPTIONS: dict[tuple[str, date], tuple[str, str] | None] = {
    ("D1", date(2026, 6, 20)): ("10:30", "24:00"),
    ("D1", date(2026, 8, 31)): None,
    ("D2", date(2026, 8, 29)): ("00:00", "12:15"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return compile_project(load_settings(home=tmp_path_factory.mktemp("metrics"), threads=2))


def since_midnight(clock: str) -> timedelta:
    hours, minutes = clock.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def exceptional_calendar() -> Calendar:
    hours: dict[tuple[str, date], Hours] = {
        key: None if value is None else (since_midnight(value[0]), since_midnight(value[1]))
        for key, value in EXCEPTIONS.items()
    }
    return Calendar(frozenset(HOLIDAYS), hours)


def give_calendar(bench: Bench) -> None:
    bench.given("holidays", [{"date": day, "name": "x", "basis": "notice"} for day in HOLIDAYS])
    bench.given(
        "dealer_calendar_exceptions",
        [
            {
                "dealer_code": dealer,
                "date": day,
                "opens_at": hours[0] if hours else None,
                "closes_at": hours[1] if hours else None,
            }
            for (dealer, day), hours in EXCEPTIONS.items()
        ],
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_funnel_counts_what_its_definitions_say(project: Project, seed: int) -> None:
    exports, bench = draw_exports(seed), Bench(project)
    fill(bench, exports)
    keys = ["date", "channel_1", "channel_2", "channel_3", "channel_4"]
    keys += ["series_code", "dealer_code", "region", "tier"]
    expected = funnel(exports)
    assert_same(counted(bench.build("metrics_lead_funnel_daily"), keys), expected)
    total: Counter[str] = sum(expected.values(), Counter())
    assert min(total[name] for name in next(iter(expected.values()))) > 0


@pytest.mark.parametrize("seed", range(4))
def test_response_counts_what_its_definitions_say(project: Project, seed: int) -> None:
    exports, bench = draw_exports(seed), Bench(project)
    fill(bench, exports)
    give_calendar(bench)
    rows = bench.build("metrics_response_daily")
    expected = response(exports, exceptional_calendar())
    assert_same(counted(rows, ["date", "dealer_code", "region", "channel_1"]), expected)
    total: Counter[str] = sum(expected.values(), Counter())
    hits = [total[f"first_response_timely_rate_{m}m_num"] for m in (30, 60, 240, 720)]
    assert hits == sorted(hits)
    assert hits[0] > 0


@pytest.mark.parametrize("seed", range(4))
def test_complaints_count_what_their_definitions_say(project: Project, seed: int) -> None:
    exports, bench = draw_exports(seed), Bench(project)
    fill(bench, exports)
    keys = ["date", "level", "type", "source", "dealer_code", "region"]
    expected = complaint(exports)
    assert_same(counted(bench.build("metrics_complaint_daily"), keys), expected)
    total: Counter[str] = sum(expected.values(), Counter())
    assert min(total[name] for name in next(iter(expected.values()))) > 0


def ask_metricflow(bench: Bench, metrics: list[str], by: list[str]) -> dict[Hashable, float | None]:
    """What MetricFlow says of metrics by dimensions: (metric, *dimensions) to value."""
    from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
    from metricflow_semantics.model.dbt_manifest_parser import (
        parse_manifest_from_dbt_generated_manifest,
    )
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

    dialect = SimpleNamespace(
        sql_engine_type=SqlEngine.DUCKDB, sql_plan_renderer=DuckDbSqlPlanRenderer()
    )
    semantics = parse_manifest_from_dbt_generated_manifest(bench.project.semantics)
    lookup = SemanticManifestLookup(semantics)
    engine = MetricFlowEngine(lookup, dialect)  # type: ignore[arg-type]  # it explains, we query
    request = MetricFlowQueryRequest.create(metric_names=metrics, group_by_names=by)
    rows = bench.query(engine.explain(request).sql_statement.sql)
    return {(name, *(row[column] for column in by)): row[name] for row in rows for name in metrics}


def test_metricflow_gives_the_same_numbers_as_the_definitions(project: Project) -> None:
    exports, bench = draw_exports(3), Bench(project)
    fill(bench, exports)
    bench.build("metrics_lead_funnel_daily")
    region = "lead_funnel_daily_row__region"
    names = ["leads_valid", "visit_rate_7d", "order_rate_30d"]
    found = ask_metricflow(bench, names, ["metric_time__month", region])
    parts: dict[Hashable, Counter[str]] = defaultdict(Counter)
    for key, counts in funnel(exports).items():
        assert isinstance(key, tuple)
        parts[datetime.combine(key[0].replace(day=1), time()), key[7]].update(counts)
    expected: dict[Hashable, float | None] = {}
    for (month, region_name), counts in parts.items():  # type: ignore[misc]
        expected["leads_valid", month, region_name] = counts["leads_valid"]
        for rate in names[1:]:
            hits, anchors = counts[f"{rate}_num"], counts[f"{rate}_den"]
            expected[rate, month, region_name] = hits / anchors if anchors else None
    assert found == expected
    assert len(parts) > 4


def test_working_time_agrees_with_counting_day_by_day(project: Project) -> None:
    random, calendar = Random(5), exceptional_calendar()  # noqa: S311  # repeatable, not secret
    first = as_utc("2026-05-01")
    seconds = int((AS_OF - first).total_seconds())
    cases = []
    for number in range(10_000):
        start = first + timedelta(seconds=random.randrange(seconds))
        span = random.choice([HOUR, 86400, 40 * 86400])
        end = start + timedelta(seconds=random.randrange(-HOUR, span), microseconds=900_000)
        dealer = random.choice(["D1", "D2", "D3", None])
        cases.append((f"L{number}", dealer, start, end))
    bench = Bench(project)
    give_calendar(bench)
    names = ("lead_id", "dealer_code", "dispatched_at", "first_contacted_at")
    given = [dict(zip(names, case, strict=True)) | {"is_test": False} for case in cases]
    bench.given_instead("int_leads", given)
    rows = {row["lead_id"]: row for row in bench.build("int_lead_responses")}
    assert len(rows) == 10_000
    wrong = [
        (case, rows[case[0]])
        for case in cases
        if rows[case[0]]["response_seconds"] != calendar.working_seconds(case[2], case[3], case[1])
        or rows[case[0]]["elapsed_seconds"] != calendar.working_seconds(case[2], AS_OF, case[1])
    ]
    assert wrong == []
