"""What owners say and ask: complaints, surveys, contacts by advisers, third-party leads."""

import numpy as np
import pyarrow as pa

from zhongtai.generate import names
from zhongtai.generate.crm import cities, provinces
from zhongtai.generate.draws import (
    MISSING,
    Array,
    Generator,
    chosen,
    draw_from,
    joined,
    later,
    only,
    padded,
    pick,
    pick_any,
    rows_of,
    weighted,
)
from zhongtai.generate.frames import Frame, build_frame, versions_of
from zhongtai.generate.timeline import DAY, at_hours
from zhongtai.generate.world import World

HOUR = 3600
COMPLAINT_TYPES = ("销售误导", "产品质量", "售后服务", "交付", "其他")
ASKS = "<p>想了解<b>优惠</b> &amp; 试驾</p>"


def service_frames(world: World) -> list[Frame]:
    """Return complaints, surveys, owner contacts and third-party leads."""
    return [
        _complaints(world),
        _surveys(world),
        _owner_contacts(world),
        _adf_leads(world),
    ]


def current_owners(world: World) -> Array:
    """Return the ownerships of persons (not companies), as indexes."""
    return np.flatnonzero(world.ownership.person >= 0)


def owning_at(world: World, drawn: Array, times: Array) -> Array:
    """Return a mask of the times at which a drawn ownership held."""
    since, until = world.ownership.since[drawn], world.ownership.until[drawn]
    held = (times > since) & ((until == MISSING) | (times < until))
    return np.asarray(held & (times < world.timeline.end))


def _some_times(rng: Generator, world: World, count: int) -> Array:
    at = world.timeline.begin + rng.integers(0, world.timeline.days * DAY, count)
    return at_hours(at, 8, 21, rng.random(count))


def _occasions(rng: Generator, world: World, one_in: int, *, least: int) -> tuple[Array, Array]:
    """Return times at which one in so many owners had an occasion, with their ownerships."""
    owned = current_owners(world)
    drawn = rng.choice(owned, max(least, len(owned) // one_in))
    at = _some_times(rng, world, len(drawn))
    keep = owning_at(world, drawn, at)
    return drawn[keep], at[keep]


def after_handover(world: World, kind: str, share: float) -> tuple[Array, Array]:
    """Return ownerships and times: occasions of both owners of cars that changed hands.

    `share` of such cars had one of this kind, the seller's before and the buyer's after.
    """
    rng = draw_from(world.seed, f"handover {kind}")
    owned, timeline = world.ownership, world.timeline
    buyers = np.flatnonzero((owned.order < 0) & (rng.random(len(owned.order)) < share))
    sold = np.flatnonzero(owned.until != MISSING)
    sellers = sold[np.isin(owned.vehicle[sold], owned.vehicle[buyers])]
    drawn = np.r_[sellers, buyers]
    first = np.maximum(owned.since[drawn], timeline.begin)
    last = np.where(owned.until[drawn] == MISSING, timeline.end, owned.until[drawn])
    at = first + (rng.random(len(drawn)) * (last - first)).astype(np.int64)
    keep = owning_at(world, drawn, at)
    return drawn[keep], at[keep]


def _complaints(world: World) -> Frame:
    rng = draw_from(world.seed, "complaints")
    drawn, accepted = _occasions(rng, world, 12, least=12)
    handed, late = after_handover(world, "complaints", 0.4)
    drawn, accepted = np.r_[drawn, handed], np.r_[accepted, late]
    count, person = len(drawn), world.ownership.person[drawn]
    notified = later(accepted, rng.integers(300, 5 * HOUR, count), rng.random(count) < 0.97)
    slow = rng.random(count) < 0.25
    wait = np.where(
        slow, rng.integers(10 * HOUR, 60 * HOUR, count), rng.integers(600, 10 * HOUR, count)
    )
    contacted = later(notified, wait, rng.random(count) < 0.92)
    quick = rng.random(count) < 0.4
    effort = rng.integers(HOUR, np.where(quick, 14 * HOUR, 8 * DAY))
    resolved = later(contacted, effort, rng.random(count) < 0.85)
    revisited = later(resolved, rng.integers(HOUR, 4 * DAY, count), rng.random(count) < 0.85)
    closed = later(revisited, rng.integers(600, DAY, count))
    versions = versions_of(
        world.timeline, 7, accepted, notified, contacted, resolved, revisited, closed
    )
    dealer = world.ownership.dealer[drawn]
    fixed = {
        "投诉单号": joined("TS", padded(np.arange(count) + 1, 9)),
        "客户姓名": rows_of(world.people.name, person),
        "手机号": rows_of(world.people.mobile, person),
        "VIN": rows_of(world.vin, world.ownership.vehicle[drawn]),
        "投诉类型": pick(COMPLAINT_TYPES, weighted(rng, (38, 25, 20, 12, 5), count)),
        "投诉级别": pick(["一般", "严重", "重大"], weighted(rng, (70, 24, 6), count)),
        "来源": pick_any(rng, ("400", "APP", "门店", "12315"), count),
        "经销商代码": world.dealer_code(dealer),
        "责任顾问ID": world.staff_id(world.staff.adviser_of(dealer, rng.random(count))),
        "是否重开": pa.array(rng.random(count) < 0.05),
        "故障部位": only(rng.random(count) < 0.5, pick_any(rng, names.FAULT_PARTS, count)),
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in fixed.items()}
    times = {
        "受理时间": accepted, "通知顾问时间": notified, "首次联系时间": contacted,
        "解决时间": resolved, "回访时间": revisited, "关闭时间": closed,
    }  # fmt: skip
    shown |= {name: versions.seen(values) for name, values in times.items()}
    outcome = pick_any(rng, ("满意", "基本满意", "不满意"), count)
    progress = np.sum(
        [versions.seen(at) != MISSING for at in (contacted, resolved, closed)], axis=0
    )
    shown |= {
        "回访结果": only(shown["回访时间"] != MISSING, versions.take(outcome)),
        "状态": pick(["待处理", "处理中", "待回访", "已关闭"], progress),
        "更新时间": versions.latest(*times.values()),
    }  # fmt: skip
    return build_frame("crm.complaints", shown, person[versions.row], versions.batch)


def _surveys(world: World) -> Frame:
    """Return surveys, each exported when it was answered or, after 14 days, expired."""
    rng = draw_from(world.seed, "surveys")
    owned = current_owners(world)
    drawn = rng.choice(owned, max(20, len(owned) // 2))
    sent = _some_times(rng, world, len(drawn)) - rng.integers(0, 10, len(drawn)) * DAY
    keep = owning_at(world, drawn, sent) & (sent >= world.timeline.begin - 10 * DAY)
    handed, late = after_handover(world, "surveys", 0.6)
    drawn, sent = np.r_[drawn[keep], handed], np.r_[sent[keep], late]
    count, person, dealer = len(drawn), world.ownership.person[drawn], world.ownership.dealer[drawn]
    submitted = later(sent, rng.integers(1_800, 6 * DAY, count), rng.random(count) < 0.65)
    answered = submitted != MISSING
    done = np.where(answered, submitted, sent + 14 * DAY)
    score = np.minimum(10, np.maximum(0, (10 - rng.gamma(1.1, 1.8, count)).round())).astype(int)
    columns = {
        "问卷ID": joined("WJ", padded(np.arange(count) + 1, 9)),
        "问卷类型": pick_any(rng, ("购车", "售后", "交付"), count),
        "手机号": rows_of(world.people.mobile, person),
        "VIN": rows_of(world.vin, world.ownership.vehicle[drawn]),
        "经销商代码": world.dealer_code(dealer),
        "顾问ID": world.staff_id(world.staff.adviser_of(dealer, rng.random(count))),
        "发送时间": sent, "提交时间": submitted, "推荐分": np.where(answered, score, MISSING),
        "满意度": np.where(answered, (score * 10 - rng.integers(0, 8, count)).clip(0, 100), np.nan),
        "评论": only(answered & (rng.random(count) < 0.3), pick_any(rng, COMMENTS, count)),
    }  # fmt: skip
    return build_frame("crm.surveys", columns, person, world.timeline.batch_of(done, 7))


COMMENTS = (
    "交付过程很顺利，顾问讲解细致",
    "车机偶尔卡顿，希望尽快升级修复，其他都满意，充电也比较方便，会推荐给朋友",
    "等待时间太长",
    "非常满意",
)


def _owner_contacts(world: World) -> Frame:
    rng = draw_from(world.seed, "owner contacts")
    drawn, at = _occasions(rng, world, 2, least=20)
    count, person, dealer = len(drawn), world.ownership.person[drawn], world.ownership.dealer[drawn]
    columns = {
        "联系ID": joined("LX", padded(np.arange(count) + 1, 9)),
        "手机号": rows_of(world.people.mobile, person),
        "VIN": rows_of(world.vin, world.ownership.vehicle[drawn]),
        "顾问ID": world.staff_id(world.staff.adviser_of(dealer, rng.random(count))),
        "联系时间": at, "方式": pick_any(rng, ("电话", "企微", "短信"), count),
        "目的": pick(names.CONTACT_PURPOSES, weighted(rng, (50, 20, 15, 5, 10), count)),
        "是否主动": pa.array(rng.random(count) < 0.3),
    }  # fmt: skip
    return build_frame("crm.owner_contacts", columns, person, world.timeline.batch_of(at, 7))


def _adf_leads(world: World) -> Frame:
    rng = draw_from(world.seed, "adf")
    people = world.people
    count = max(10, len(people) // 60)
    person = rng.choice(len(people), count, replace=False)
    at = _some_times(rng, world, count)
    source = pick_any(rng, ("autoportal", "carfinder"), count)
    dealer = people.dealer[person]
    columns = {
        "id": padded(np.arange(count) + 1, 8), "source": source, "requestdate": at,
        "vehicle_interest": pick_any(rng, ("buy", "test-drive"), count),
        "vehicle_year": np.full(count, world.timeline.start.year), "vehicle_make": "Zhongtai",
        "vehicle_model": pick_any(rng, names.SERIES, count),
        "vehicle_trim": pick_any(rng, names.TRIMS, count),
        "name": rows_of(people.name, person),
        "phone": rows_of(people.mobile, person), "email": rows_of(people.email, person),
        "address": rows_of(people.address, person), "city": cities(people.place[person]),
        "regioncode": provinces(people.place[person]),
        "comments": chosen(rng.random(count) < 0.3, ASKS, "请尽快联系"),
        "vendor_id": world.dealer_code(dealer), "provider_name": joined(source, ".example"),
    }  # fmt: skip
    return build_frame("crm.adf_leads", columns, person, world.timeline.batch_of(at, 7))
