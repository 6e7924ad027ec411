"""Answers of customers, posts and training of staff, row by row."""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from reference.exports import Exports, Row, in_window, local_date

Measures = dict[str, Any]
COUNTERS = ("views", "likes", "saves", "comments", "shares", "followers")
LEVELS = {"学徒": 0, "学者": 100, "专家": 300, "大师": 600}


@dataclass
class Workforce(Exports):
    """What is known of the people who serve users."""

    surveys: list[Row] = field(default_factory=list)
    training_records: list[Row] = field(default_factory=list)
    content_posts: list[Row] = field(default_factory=list)
    peer_reviews: list[Row] = field(default_factory=list)
    targets: list[Row] = field(default_factory=list)


def month_of(moment: datetime) -> date:
    return local_date(moment).replace(day=1)


def net_promoters(promoters: int, detractors: int, responses: int) -> Measures:
    """The score and its parts; fewer than ten responses give no score."""
    net = promoters - detractors
    score = net / responses if responses >= 10 else None
    return {"nps_num": net, "nps_den": responses, "nps": score}


def valid_responses(exports: Workforce) -> list[Row]:
    return [
        row
        for row in exports.surveys
        if row["submitted_at"] is not None
        and row["recommend_score"] is not None
        and 0 <= row["recommend_score"] <= 10
    ]


def nps(exports: Workforce) -> dict[Hashable, Measures]:
    """metrics_nps_monthly by (month of the answer, kind, dealer, staff)."""
    scores: dict[Hashable, list[int]] = defaultdict(list)
    for row in valid_responses(exports):
        texts = (row[k] or "" for k in ("survey_kind", "dealer_code", "staff_id"))
        scores[month_of(row["submitted_at"]), *texts].append(row["recommend_score"])
    found: dict[Hashable, Measures] = {}
    for key, given in scores.items():
        promoters = sum(score in (9, 10) for score in given)
        detractors = sum(score in range(7) for score in given)
        found[key] = {
            "promoters": promoters,
            "passives": sum(score in (7, 8) for score in given),
            "detractors": detractors,
            **net_promoters(promoters, detractors, len(given)),
        }
    return found


def published_posts(exports: Workforce) -> dict[str, tuple[date, Row]]:
    """Of each post the day it came out and the row that first tells of it."""
    posts: dict[str, list[Row]] = defaultdict(list)
    for row in exports.content_posts:
        posts[row["post_id"]].append(row)
    found = {}
    for post, rows in posts.items():
        rows.sort(key=lambda row: row["stat_on"] or date.max)
        times = [row["posted_at"] for row in rows if row["posted_at"] is not None]
        day = local_date(min(times)) if times else rows[0]["stat_on"]
        if day is not None:
            found[post] = (day, rows[0])
    return found


def gains(exports: Workforce) -> list[tuple[Row, Measures]]:
    """What every row of statistics says its post gained since the row before."""
    known: dict[str, Measures] = defaultdict(lambda: dict.fromkeys(COUNTERS, 0))
    found = []
    dated = [row for row in exports.content_posts if row["stat_on"] is not None]
    for row in sorted(dated, key=lambda row: (row["post_id"], row["stat_on"])):
        last, gained = known[row["post_id"]], {}
        for counter in COUNTERS:
            count = row[counter]
            if count is None or count < 0:
                count = last[counter]
            gained[counter] = max(count - last[counter], 0)
            last[counter] = count
        found.append((row, gained))
    return found


def content(exports: Workforce) -> dict[Hashable, Measures]:
    """metrics_content_daily by (date, author, platform)."""
    found: dict[Hashable, Measures] = defaultdict(
        lambda: dict.fromkeys(("content_posts", *COUNTERS), 0)
    )
    for row, gained in gains(exports):
        day = found[row["stat_on"], row["staff_id"] or "", row["platform"] or ""]
        for counter, value in gained.items():
            day[counter] += value
    for day_out, row in published_posts(exports).values():
        found[day_out, row["staff_id"] or "", row["platform"] or ""]["content_posts"] += 1
    return dict(found)


def training(exports: Workforce) -> dict[Hashable, Measures]:
    """metrics_training_monthly by (month, staff)."""
    rows: dict[tuple[date, str], Measures] = defaultdict(_no_training)
    for row in exports.training_records:
        _add_training(rows, row, exports)
    for (month, staff), found in rows.items():
        booked = sum(r["points"] for (m, s), r in rows.items() if s == staff and m <= month)
        better = {r["points"] for (m, s), r in rows.items() if m == month and s}
        ratings = found.pop("ratings")
        mean = float(sum(ratings, Fraction(0))) / len(ratings) if ratings else None
        found |= {
            "training_satisfaction_ratings": len(ratings),
            "training_satisfaction": mean,
            "points_total": booked,
            "level": [name for name, least in LEVELS.items() if least <= max(booked, 0)][-1],
            "board_rank": 1 + sum(p > found["points"] for p in better) if staff else None,
        }
        for name in ("training_completion", "micro_lesson_fit", "practice_after_lesson_7d"):
            of = found[f"{name}_den"]
            found[name] = found[f"{name}_num"] / of if of else None
    return dict(rows)


def _no_training() -> Measures:
    names = ("training_completion", "micro_lesson_fit", "practice_after_lesson_7d")
    counts = [f"{name}_{part}" for name in names for part in ("num", "den")]
    return {**dict.fromkeys([*counts, "points"], 0), "ratings": []}


def _add_training(rows: Mapping[Any, Measures], row: Row, exports: Workforce) -> None:
    staff, done, due = row["staff_id"] or "", row["completed_at"], row["due_at"]
    if due is not None and due <= exports.as_of:
        found = rows[month_of(due), staff]
        found["training_completion_den"] += 1
        found["training_completion_num"] += done is not None and done <= due
    points = row["points"] or 0
    if points > 0 and done is not None:
        rows[month_of(done), staff]["points"] += points
    if points < 0 and (done is not None or row["updated_at"] is not None):
        rows[month_of(done or row["updated_at"]), staff]["points"] += points
    if done is None:
        return
    if row["satisfaction"] is not None and 0 <= row["satisfaction"] <= 100:
        rows[month_of(done), staff]["ratings"].append(Fraction(row["satisfaction"]))
    if row["training_kind"] == "微课":
        _add_lesson(rows[month_of(done), staff], row, exports)


def _add_lesson(found: Measures, lesson: Row, exports: Workforce) -> None:
    minutes, done = lesson["course_minutes"], lesson["completed_at"]
    found["micro_lesson_fit_den"] += 1
    found["micro_lesson_fit_num"] += minutes is not None and 10 <= minutes <= 15
    if done + timedelta(days=7) > exports.as_of:
        return
    found["practice_after_lesson_7d_den"] += 1
    found["practice_after_lesson_7d_num"] += any(
        other["training_kind"] == "实战"
        and other["score"] is not None
        and lesson["staff_id"] is not None
        and other["staff_id"] == lesson["staff_id"]
        and in_window(other["completed_at"], done, 7)
        for other in exports.training_records
    )
