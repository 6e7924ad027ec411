"""The referral programme: members, referrals and rewards."""

import numpy as np
import pyarrow as pa

from zhongtai.generate import names
from zhongtai.generate.draws import (
    MISSING,
    Array,
    draw_from,
    joined,
    later,
    only,
    padded,
    pick,
    pick_any,
    rows_of,
)
from zhongtai.generate.frames import Frame, build_frame, versions_of
from zhongtai.generate.miniprogram import referral_inquiry
from zhongtai.generate.timeline import DAY
from zhongtai.generate.world import World

DEPARTMENTS = ("总装车间", "研发院", "质量部", "营销中心", "财务部", "物流部")


def partner_frames(world: World) -> list[Frame]:
    """Return members, referrals and rewards."""
    return [_members(world), _referrals(world), _rewards(world)]


def _members(world: World) -> Frame:
    rng = draw_from(world.seed, "member rows")
    members, people = world.members, world.people
    person, count = members.person, len(members.person)
    gone = later(
        members.registered, rng.integers(5 * DAY, 300 * DAY, count), rng.random(count) < 0.04
    )
    versions = versions_of(world.timeline, 7, members.registered, gone)
    mentors = np.where(members.kind == 1, rng.integers(4, 7, count), 0)
    # Mentors are a run of neighbours, so that each operator has a fixed set of them.
    runs = [
        "".join(f"M{30_001 + (row + k) % count:07d};" for k in range(1, 7)) for row in range(count)
    ]
    lists = pa.array(
        [run[: 9 * size - 1] if size else None for run, size in zip(runs, mentors, strict=True)]
    )
    columns = {
        "member_code": world.member_code(np.arange(count)),
        "kind": pick(names.MEMBER_KINDS, members.kind), "name": rows_of(people.name, person),
        "mobile": rows_of(people.mobile, person),
        "unionid": only(rng.random(count) < 0.5, rows_of(people.unionid, person)),
        "department": pick_any(rng, DEPARTMENTS, count),
        "base": pick_any(rng, ("上海基地", "武汉基地", "成都基地"), count), "mentor_codes": lists,
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown |= {
        "registered_at": versions.seen(members.registered),
        "status": pick(["正常", "注销"], (versions.seen(gone) != MISSING).astype(int)),
        "updated_at": versions.latest(members.registered, gone),
    }  # fmt: skip
    return build_frame("partner.members", shown, person[versions.row], versions.batch)


def _orders_of_referrals(world: World) -> tuple[Array, Array]:
    """Return per referral the index of its order (-1) and the time of the order."""
    orders, count = world.orders, len(world.referrals.person)
    order, at = np.full(count, -1), np.full(count, MISSING)
    rows = np.flatnonzero(orders.member >= 0)
    order[orders.member[rows]] = rows
    at[orders.member[rows]] = orders.small[rows]
    return order, at


def _referrals(world: World) -> Frame:
    rng = draw_from(world.seed, "referral rows")
    referrals, people = world.referrals, world.people
    person, count = referrals.person, len(referrals.person)
    order, ordered = _orders_of_referrals(world)
    stopped = later(referrals.at, rng.integers(DAY, 9 * DAY, count), rng.random(count) < 0.05)
    versions = versions_of(world.timeline, 7, referrals.at, ordered, stopped)
    bought = versions.seen(ordered) != MISSING
    columns = {
        "referral_id": joined("RF", padded(np.arange(count) + 1, 9)),
        "member_code": world.member_code(referrals.member),
        "channel": pick_any(rng, ("海报", "小程序分享", "口头"), count),
        "customer_name": rows_of(people.name, person), "mobile": rows_of(people.mobile, person),
        "unionid": only(rng.random(count) < 0.3, rows_of(people.unionid, person)),
        "inquiry_id": referral_inquiry(np.arange(count)),
        "reserve_time": referrals.at, "buy_expire_time": referrals.at + 90 * DAY,
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown |= {
        "referred_at": versions.seen(referrals.at),
        "order_no": only(bought, world.order_no(order[versions.row])),
        "status": pick(["有效", "已取消"], (versions.seen(stopped) != MISSING).astype(int)),
        "updated_at": versions.latest(referrals.at, ordered, stopped),
    }  # fmt: skip
    return build_frame("partner.referrals", shown, person[versions.row], versions.batch)


def _rewards(world: World) -> Frame:
    rng = draw_from(world.seed, "reward rows")
    orders = world.orders
    rows = np.flatnonzero((orders.member >= 0) & (orders.delivered != MISSING))
    # Some claim a reward for a referral that brought no car; those are turned down.
    vain = np.setdiff1d(np.arange(0, len(world.referrals.person), 7), orders.member[rows])
    referral, count = np.r_[orders.member[rows], vain], len(rows) + len(vain)
    due = np.r_[orders.delivered[rows] + 600, world.referrals.at[vain] + DAY]
    decided = later(due, rng.integers(3_600, 4 * DAY, count), rng.random(count) < 0.8)
    versions = versions_of(world.timeline, 7, due, decided)
    verdict = np.where(np.arange(count) < len(rows), rng.choice([1, 1, 1, 2, 3], count), 2)
    status = np.where(versions.seen(decided) != MISSING, verdict[versions.row], 0)
    columns = {
        "reward_id": joined("RW", padded(np.arange(count) + 1, 9)),
        "referral_id": joined("RF", padded(referral + 1, 9)),
        "member_code": world.member_code(world.referrals.member[referral]),
        "amount_fen": rng.integers(5, 30, count) * 10_000,
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown |= {
        "status": pick(list("0123"), status), "decided_at": versions.seen(decided),
        "updated_at": versions.latest(due, decided),
    }  # fmt: skip
    return build_frame("partner.rewards", shown, batch=versions.batch)
