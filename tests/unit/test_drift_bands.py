"""Bands: what they learn from, how narrow and how wide they are."""

from dataclasses import replace

import pytest
from drift_cases import LIMITS

from zhongtai.quality.drift.bands import Day, Rule, Seen, learn_band
from zhongtai.quality.drift.history import History
from zhongtai.quality.drift.judgement import find_deviations, find_excesses, say
from zhongtai.quality.drift.limits import Limits

SHARES = Rule("history", "difference", least=0.1, most=0.3)
COUNTS = Rule("history", "ratio", least=2, most=10)
LEVELS = Rule("last", "ratio", least=1.5, most=3, ignore=20)


def seen(*values: float, weekday: int = 0) -> list[Seen]:
    return [Seen(value, weekday) for value in values]


def test_a_band_is_never_narrower_than_declared() -> None:
    band = learn_band(SHARES, seen(*[0.5] * 12), Day(0))
    assert (band.low, band.high) == pytest.approx((0.4, 0.6))


def test_a_band_follows_what_was_usual_and_never_grows_beyond_the_widest() -> None:
    restless = learn_band(SHARES, seen(*[0.2, 0.8] * 6), Day(0))
    calm = learn_band(SHARES, seen(*[0.48, 0.52] * 6), Day(0))
    assert restless.high - restless.low == pytest.approx(0.6)
    assert calm.high - calm.low < 0.4


def test_one_fault_that_was_let_through_does_not_widen_a_band() -> None:
    steady = learn_band(COUNTS, seen(*[100] * 12), Day(0))
    assert learn_band(COUNTS, seen(*[100] * 12, 100_000), Day(0)) == steady
    assert not steady.holds(100_000)


def test_a_level_may_grow_a_step_from_the_last_one_and_go_back_to_lately() -> None:
    growing = seen(*[1000 * 1.05**n for n in range(30, 0, -1)])
    band = learn_band(LEVELS, growing, Day(0))
    assert band.holds(growing[0].value * 1.4)
    assert not band.holds(growing[0].value * 1.7)
    assert not band.holds(growing[0].value / 1.7)
    dropped = learn_band(LEVELS, seen(100, *[1000] * 12), Day(0))
    assert dropped.holds(1000)
    assert not dropped.holds(3000)


def test_differences_too_small_to_matter_are_inside() -> None:
    assert learn_band(LEVELS, seen(*[1] * 12), Day(0)).holds(21)
    assert not learn_band(LEVELS, seen(*[1] * 12), Day(0)).holds(22)


def test_a_file_that_comes_once_a_month_ends_a_silence_without_an_alarm() -> None:
    silence = LIMITS.rule_of("silent_hours.crm.campaigns")
    assert silence is not None
    month = seen(*[24.0 * day for day in range(29, 0, -1)])
    assert learn_band(silence, month, Day(0)).holds(0)
    assert learn_band(silence, month, Day(0)).holds(30 * 24)
    assert not learn_band(silence, month, Day(0)).holds(150 * 24)


def test_a_quiet_weekday_is_judged_by_its_own_kind() -> None:
    weeks = [one for _ in range(5) for one in (*seen(*[1000] * 6), *seen(10, weekday=6))]
    assert learn_band(COUNTS, weeks, Day(6)).holds(10)
    assert not learn_band(COUNTS, weeks, Day(6)).holds(1000)
    assert not learn_band(COUNTS, weeks, Day(0)).holds(10)


def test_on_a_holiday_nothing_may_come_but_not_too_much() -> None:
    usual, holiday = seen(*[1000] * 12, weekday=2), Day(2, is_holiday=True)
    resting = replace(COUNTS, may_rest=True)
    assert learn_band(resting, usual, holiday).holds(0)
    assert not learn_band(resting, usual, holiday).holds(20_000)
    assert not learn_band(resting, usual, Day(2)).holds(0)
    assert not learn_band(COUNTS, usual, holiday).holds(0)


def test_a_day_of_rest_may_come_again_before_its_weekday_is_known() -> None:
    two_weeks = [*seen(*[1000] * 6), *seen(0, weekday=6), *seen(*[1000] * 6)]
    assert learn_band(COUNTS, two_weeks, Day(6)).holds(0)
    first_week = learn_band(COUNTS, seen(*[1000] * 6), Day(6))
    assert first_week.holds(0)
    assert not first_week.holds(20_000)
    assert not learn_band(COUNTS, two_weeks, Day(0)).holds(0)


def test_few_values_only_warn_and_then_against_the_widest_band() -> None:
    limits = Limits({}, (("share", SHARES),))
    for count, (held, warned) in {2: (0, 0), 9: (0, 1), 10: (1, 0)}.items():
        history = History(count, values={"share": seen(*[0.5] * count)})
        measures = {"share": 0.9, "unknown": 1e9}
        assert len(find_deviations(limits, measures, history, Day(0))) == held
        assert len(find_deviations(limits, measures, history, Day(0), young=True)) == warned
        near = {"share": 0.75}
        assert find_deviations(limits, near, history, Day(0), young=True) == []


def test_limits_hold_without_any_history() -> None:
    limits = Limits({"largest": 5, "gone": 1}, ())
    assert find_excesses(limits, {"largest": 6}) == ["largest 6 (at most 5)"]
    assert find_excesses(limits, {"largest": 5}) == []


def test_a_long_list_of_deviations_is_cut_with_its_rest_counted() -> None:
    limits = Limits({}, (("share*", SHARES),))
    measures = {f"share{n}": 0.9 for n in range(20)}
    history = History(12, values={name: seen(*[0.5] * 12) for name in measures})
    told = say(find_deviations(limits, measures, history, Day(0)))
    assert told[0] == "share0 0.9, expected 0.4 to 0.6 (lately 0.5)"
    assert told[-1] == "and 8 more"
