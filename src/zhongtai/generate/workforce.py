"""The people who serve users: staff, training, posts, reviews, targets, actions, quality issues."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate import names
from zhongtai.generate.draws import (
    MISSING,
    Array,
    Generator,
    chosen,
    draw_from,
    joined,
    later,
    padded,
    pick,
    pick_any,
    rows_of,
)
from zhongtai.generate.frames import Frame, build_frame, versions_of
from zhongtai.generate.people import person_names
from zhongtai.generate.timeline import DAY, Timeline, spell_local
from zhongtai.generate.world import World


def workforce_frames(world: World) -> list[Frame]:
    """Return the seven exports of the workforce system."""
    return [
        _staff(world),
        _training_records(world),
        _content_posts(world),
        _peer_reviews(world),
        _targets(world),
        _action_items(world),
        _quality_issues(world),
    ]


def months(timeline: Timeline) -> list[str]:
    """Return the months of the days, as YYYY-MM."""
    days = range(timeline.days)
    return sorted({timeline.date_of(day).strftime("%Y-%m") for day in days})


def staff_names(world: World) -> pa.Array:
    """Return the names of staff: those of the persons who are customers too."""
    rng = draw_from(world.seed, "staff names")
    made_up = person_names(rng, len(world.staff))
    return pc.coalesce(rows_of(world.people.name, world.staff.person), made_up)


def _anytime(rng: Generator, timeline: Timeline, count: int) -> Array:
    return timeline.begin + rng.integers(0, timeline.days * DAY, count)


def _staff(world: World) -> Frame:
    staff, timeline = world.staff, world.timeline
    count = len(staff)
    created = np.full(count, timeline.begin - 3 * DAY)
    moved = np.where(
        np.arange(count) % 9 == 4, timeline.begin + 9 * DAY + np.arange(count), MISSING
    )
    versions = versions_of(timeline, 7, created, moved)
    columns = {
        "staff_id": staff.code, "name": staff_names(world), "mobile": world.staff_mobile,
        "unionid": world.staff_unionid, "role": staff.role,
        "dealer_code": world.dealer_code(staff.dealer),
        "department": chosen(staff.dealer >= 0, "销售部", "用户运营中心"),
        "hired_on": staff.hired, "left_on": staff.left,
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown["updated_at"] = versions.latest(created, moved)
    return build_frame("workforce.staff", shown, batch=versions.batch)


def _training_records(world: World) -> Frame:
    rng = draw_from(world.seed, "training")
    timeline = world.timeline
    staff = np.repeat(np.arange(len(world.staff)), 3)
    count = len(staff)
    assigned = _anytime(rng, timeline, count) - 20 * DAY
    completed = later(assigned, rng.integers(DAY, 25 * DAY, count), rng.random(count) < 0.75)
    versions = versions_of(timeline, 7, assigned, completed)
    done = versions.seen(completed) != MISSING
    columns = {
        "record_id": joined("TR", padded(np.arange(count) + 1, 8)),
        "staff_id": world.staff_id(staff), "course_code": pick_any(rng, names.COURSES, count),
        "course_minutes": rng.integers(8, 40, count).astype(float),
        "kind": pick_any(rng, ("微课", "实战", "考试", "案例分享"), count),
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    score, points = rng.integers(50, 101, count), rng.integers(1, 30, count)
    liked = rng.integers(60, 101, count).astype(float)
    shown |= {
        "assigned_at": versions.seen(assigned), "due_at": assigned[versions.row] + 15 * DAY,
        "completed_at": versions.seen(completed),
        "score": np.where(done, score[versions.row].astype(float), np.nan),
        "satisfaction": np.where(done, liked[versions.row], np.nan),
        "points": np.where(done, points[versions.row], 0),
        "updated_at": versions.latest(assigned, completed),
    }  # fmt: skip
    return build_frame("workforce.training_records", shown, batch=versions.batch)


def _content_posts(world: World) -> Frame:
    """Return one row per post and day: counts are cumulative and never fall."""
    rng = draw_from(world.seed, "posts")
    timeline = world.timeline
    count = max(6, len(world.staff) // 8)
    author = rng.integers(0, len(world.staff), count)
    platform, popularity = rng.integers(0, 5, count), rng.gamma(0.7, 300, count) + 5
    posted = _anytime(rng, timeline, count)
    first = timeline.day_of(posted)
    length = np.minimum(timeline.days - first, 10)
    post = np.repeat(np.arange(count), length)
    day = np.concatenate(
        [start + np.arange(size) for start, size in zip(first, length, strict=True)]
    )
    age = day - first[post] + 1
    stat = spell_local(timeline.begin + day * DAY, "%Y-%m-%d")
    reach = (popularity[post] * (1 - 0.7**age)).astype(int) + age
    columns = {
        "post_id": joined("NR", padded(post + 1, 7)), "stat_date": stat,
        "staff_id": world.staff_id(author[post]), "platform": pick(names.PLATFORMS, platform[post]),
        "series_code": pick(names.SERIES, post % len(names.SERIES)), "posted_at": posted[post],
        "views": reach * 20, "likes": reach, "saves": reach // 3, "comments": reach // 5,
        "shares": reach // 8, "followers": 500 + author[post] + reach // 4,
    }  # fmt: skip
    exported = timeline.begin + day * DAY + DAY // 2
    return build_frame("workforce.content_posts", columns, batch=timeline.batch_of(exported, 7))


def _peer_reviews(world: World) -> Frame:
    rng = draw_from(world.seed, "reviews")
    staff = np.repeat(np.arange(len(world.staff)), 4)
    count = len(staff)
    at = _anytime(rng, world.timeline, count)
    columns = {
        "review_id": joined("RV", padded(np.arange(count) + 1, 8)),
        "staff_id": world.staff_id(staff),
        "reviewer_kind": pick(["上级", "同事", "客户", "自我"], np.arange(count) % 4),
        "period": spell_local(at, "%Y-%m"), "score": rng.integers(55, 101, count).astype(float),
        "reviewed_at": at,
    }  # fmt: skip
    return build_frame("workforce.peer_reviews", columns, batch=world.timeline.batch_of(at, 7))


def _targets(world: World) -> Frame:
    rng = draw_from(world.seed, "targets")
    advisers, dealers = world.staff.advisers, world.dealers
    periods = months(world.timeline)
    scopes = ["staff"] * len(advisers) + ["dealer"] * len(dealers) + ["region"] * len(names.PLACES)
    ids = world.staff_id(advisers).to_pylist() + dealers.code.to_pylist() + list(names.PLACES)
    metrics = ("deals", "content_posts", "leads_valid")
    rows = [
        (scope, code, period, metric)
        for scope, code in zip(scopes, ids, strict=True)
        for period in periods
        for metric in metrics
    ]
    columns: dict[str, object] = {
        name: [row[place] for row in rows]
        for place, name in enumerate(("scope", "scope_id", "period", "metric"))
    }
    columns["target"] = rng.integers(2, 40, len(rows)).astype(float)
    columns["updated_at"] = np.full(len(rows), world.timeline.begin - DAY)
    return build_frame("workforce.targets", columns)


def _action_items(world: World) -> Frame:
    rng = draw_from(world.seed, "actions")
    timeline, regions = world.timeline, list(names.PLACES)
    count = len(regions) * max(2, timeline.days // 7)
    met = _anytime(rng, timeline, count)
    closed = later(met, rng.integers(DAY, 14 * DAY, count), rng.random(count) < 0.7)
    versions = versions_of(timeline, 7, met, closed)
    columns = {
        "item_id": joined("AI", padded(np.arange(count) + 1, 6)),
        "region": pick(regions, np.arange(count) % len(regions)), "meeting_at": met,
        "owner": world.staff_id(rng.integers(0, len(world.staff), count)), "due_at": met + 7 * DAY,
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown |= {"closed_at": versions.seen(closed), "updated_at": versions.latest(met, closed)}
    return build_frame("workforce.action_items", shown, batch=versions.batch)


def _quality_issues(world: World) -> Frame:
    rng = draw_from(world.seed, "quality")
    timeline, count = world.timeline, max(10, len(world.vehicles) // 25)
    vehicle = rng.integers(0, len(world.vehicles), count)
    raised = _anytime(rng, timeline, count)
    escalated = later(raised, rng.integers(1_800, 2 * DAY, count), rng.random(count) < 0.6)
    fixed = later(raised, rng.integers(3 * 3600, 6 * DAY, count), rng.random(count) < 0.8)
    verified = later(fixed, rng.integers(3_600, 2 * DAY, count), rng.random(count) < 0.9)
    versions = versions_of(timeline, 7, raised, escalated, fixed, verified)
    series = pick(names.SERIES, world.vehicles.series[vehicle])
    columns = {
        "issue_id": joined("QI", padded(np.arange(count) + 1, 7)),
        "vin": rows_of(world.vin, vehicle), "series_code": series,
        "fault_part": pick_any(rng, names.FAULT_PARTS, count),
        "source": pick_any(rng, ("投诉", "交付中心", "售后"), count),
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown |= {
        "raised_at": versions.seen(raised), "escalated_at": versions.seen(escalated),
        "fixed_at": versions.seen(fixed), "verified_at": versions.seen(verified),
        "updated_at": versions.latest(raised, escalated, fixed, verified),
    }  # fmt: skip
    return build_frame("workforce.quality_issues", shown, batch=versions.batch)
