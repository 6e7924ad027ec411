"""Contacts, leads, follow-ups, campaigns and WeCom contacts of the CRM."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate import names
from zhongtai.generate.cars import model_codes
from zhongtai.generate.draws import (
    MISSING,
    Array,
    chosen,
    digits,
    draw_from,
    joined,
    later,
    only,
    padded,
    pick,
    pick_any,
    rows_of,
)
from zhongtai.generate.frames import Frame, Versions, build_frame, versions_of
from zhongtai.generate.journeys import TIERS
from zhongtai.generate.miniprogram import referral_inquiry
from zhongtai.generate.places import CITIES
from zhongtai.generate.timeline import DAY
from zhongtai.generate.world import World

CAMPAIGNS = 6


def crm_frames(world: World) -> list[Frame]:
    """Return contacts, leads, follow-ups, WeCom contacts and campaigns."""
    versions = _lead_versions(world)
    tiers = _tiers(world, versions)
    return [
        _contacts(world),
        _leads(world, versions, tiers),
        _follow_ups(world),
        _wecom_contacts(world),
        _campaigns(world),
    ]


def provinces(place: Array) -> pa.Array:
    """Return the province of each place."""
    return pick([city[1] for city in CITIES], place)


def cities(place: Array) -> pa.Array:
    """Return the city of each place."""
    return pick([city[2] for city in CITIES], place)


def known_to_crm(world: World) -> Array:
    """Return per person whether the CRM has a contact: those with a lead or a car."""
    known = np.zeros(len(world.people), dtype=bool)
    known[world.leads.person[world.leads.person >= 0]] = True
    known[world.orders.person[world.orders.person >= 0]] = True
    return known


def _contacts(world: World) -> Frame:
    rng = draw_from(world.seed, "contacts")
    people, timeline = world.people, world.timeline
    known = np.flatnonzero(known_to_crm(world))
    twice = known[rng.random(len(known)) < 0.04]
    person = np.r_[known, twice]
    count = len(person)
    first_lead = np.full(len(people), MISSING)
    of_person = world.leads.person >= 0
    # Written in reverse, so that the oldest lead of a person stays.
    first_lead[world.leads.person[of_person][::-1]] = world.leads.created[of_person][::-1]
    history = timeline.begin - rng.integers(1, 700, count) * DAY + rng.integers(0, DAY, count)
    created = np.where(first_lead[person] == MISSING, history, first_lead[person] + 5)
    created[len(known) :] += rng.integers(600, 5 * DAY, len(twice))
    changed = later(created, rng.integers(DAY, 20 * DAY, count), rng.random(count) < 0.3)
    consents = rng.random(count) < 0.6
    versions = versions_of(timeline, 7, created, changed)
    columns = {
        "客户ID": pa.concat_arrays([people.crm[0].take(known), people.crm[1].take(twice)]),
        "姓名": rows_of(people.name, person), "性别": rows_of(people.gender, person),
        "出生日期": only(rng.random(count) < 0.5, _birth_dates(people.birth[person])),
        "手机号": rows_of(people.mobile, person),
        "备用手机号": rows_of(people.backup_mobile, person),
        "邮箱": rows_of(people.email, person),
        "微信UnionID": only(rng.random(count) < 0.5, rows_of(people.unionid, person)),
        "企微ExternalUserID": only(rng.random(count) < 0.2, rows_of(people.wecom, person)),
        "省": provinces(people.place[person]), "市": cities(people.place[person]),
        "地址": rows_of(people.address, person), "职业": pick_any(rng, names.OCCUPATIONS, count),
        "家庭人口": rng.integers(1, 7, count), "是否允许营销": pa.array(consents),
        "是否注销": pa.array(rng.random(count) < 0.01),
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    agreed = np.where(consents, created + 30, MISSING)
    shown |= {
        "同意时间": versions.seen(agreed), "创建时间": versions.seen(created),
        "更新时间": versions.latest(created, changed),
    }  # fmt: skip
    return build_frame("crm.contacts", shown, person[versions.row], versions.batch)


def _birth_dates(birth: Array) -> pa.Array:
    return pa.array(birth.astype(np.int32)).cast(pa.date32())


def _lead_versions(world: World) -> Versions:
    leads = world.leads
    times = [leads.created, leads.assigned, leads.dispatched, leads.contacted, leads.visited]
    times += [leads.driven, leads.small, leads.large, leads.lost, *_order_times(world)]
    return versions_of(world.timeline, 1, *times)


def _order_times(world: World) -> list[Array]:
    """Return the delivery and the cancellation of each lead's order."""
    orders = world.orders
    of_lead = np.flatnonzero(orders.lead >= 0)
    result = []
    for times in (orders.delivered, orders.cancelled):
        per_lead = np.full(len(world.leads), MISSING)
        per_lead[orders.lead[of_lead]] = times[of_lead]
        result.append(per_lead)
    return result


def _tiers(world: World, versions: Versions) -> pa.Array:
    leads = world.leads
    delivered, cancelled = (versions.seen(times) for times in _order_times(world))
    tier = np.where(versions.seen(leads.contacted) != MISSING, leads.quality[versions.row], 0)
    ordered = (versions.seen(leads.small) != MISSING) | (versions.seen(leads.large) != MISSING)
    tier = np.where(ordered, TIERS.index("O"), tier)
    tier = np.where(delivered != MISSING, TIERS.index("D"), tier)
    return pick(list(TIERS), np.where(cancelled != MISSING, TIERS.index("T"), tier))


def _statuses(world: World, versions: Versions) -> pa.Array:
    leads = world.leads
    status = np.where(versions.seen(leads.lost) != MISSING, 1, 0)
    stale = leads.is_repeat & (leads.created % 3 == 0)
    status = np.where(leads.invalid[versions.row], 3, status)
    status = np.where(stale[versions.row], 4, status)
    expired = (leads.created % 41 == 0) & (leads.visited == MISSING)
    status = np.where(expired[versions.row] & (status == 0), 2, status)
    return pick(["有效", "战败", "失效", "无效", "重复"], status)


def _lead_persons(world: World) -> dict[str, pa.Array]:
    """Return the columns of leads that say who it is; a test lead's are obvious inventions."""
    rng = draw_from(world.seed, "lead persons")
    people, leads = world.people, world.leads
    person, count = leads.person, len(leads)
    twin = rows_of(people.crm[0], person)
    # A few leave the number of their household instead of their own.
    borrows = np.where(person % 25 == 3, people.household[person], -1)
    own = pc.coalesce(rows_of(people.mobile, borrows), rows_of(people.mobile, person))
    phone = chosen(leads.is_test, "13800138000", own)
    return {
        "客户ID": only(rng.random(count) < 0.85, twin),
        "客户姓名": chosen(leads.is_test, "测试", rows_of(people.name, person)),
        "手机号": phone,
        "客户性别": only(rng.random(count) < 0.6, rows_of(people.gender, person)),
        "微信UnionID": only(rng.random(count) < 0.25, rows_of(people.unionid, person)),
        "省": provinces(np.where(leads.is_test, 0, people.place[person])),
        "市": cities(np.where(leads.is_test, 0, people.place[person])),
    }


def _leads(world: World, versions: Versions, tiers: pa.Array) -> Frame:
    rng = draw_from(world.seed, "lead rows")
    leads, count = world.leads, len(world.leads)
    index = np.arange(count)
    member = np.where(leads.referral >= 0, world.referrals.member[leads.referral], -1)
    inquiry = pc.coalesce(world.inquiry_id(leads.inquiry), referral_inquiry(leads.referral))
    low = rng.integers(10, 35, count)
    fixed = _lead_persons(world) | {
        "线索唯一ID": world.lead_id(index), "inquiry_id": inquiry,
        "线索类型": pick(["首次线索", "再次线索"], leads.is_repeat.astype(int)),
        "意向车系": pick(names.SERIES, leads.series),
        "意向车型": model_codes(leads.series, leads.trim),
        "预算区间": joined(digits(low), "-", digits(low + 5), "万"),
        "经销商代码": world.dealer_code(leads.dealer), "推荐会员编码": world.member_code(member),
        "活动编码": only(rng.random(count) < 0.2, campaign_codes(index % CAMPAIGNS)),
        "是否测试": pa.array(leads.is_test),
    }  # fmt: skip
    for level in range(4):
        name = f"{'一二三四'[level]}级渠道名称"
        fixed[name] = pick([channel[level] for channel in names.CHANNELS], leads.channel)
    shown = {name: versions.take(values) for name, values in fixed.items()}
    times = {
        "线索创建时间": leads.created, "分配时间": leads.assigned, "线索下发时间": leads.dispatched,
        "首触时间": leads.contacted, "到店时间": leads.visited, "试驾时间": leads.driven,
        "小订时间": leads.small, "大定时间": leads.large, "战败时间": leads.lost,
    }  # fmt: skip
    shown |= {name: versions.seen(values) for name, values in times.items()}
    given, called = (shown[name] != MISSING for name in ("分配时间", "首触时间"))
    connected, lost = leads.connected[versions.row], shown["战败时间"] != MISSING
    wechat = pa.array((leads.created % 3 == 0)[versions.row])
    reason = pick(names.LOST_REASONS, leads.created % len(names.LOST_REASONS))
    shown |= {
        "线索评级": tiers, "线索状态": _statuses(world, versions),
        "销售顾问ID": only(given, versions.take(world.staff_id(leads.adviser))),
        "是否接通": only(called, pa.array(connected)),
        "通话时长秒": np.where(called, leads.call_seconds[versions.row], MISSING),
        "客户是否同意加微信": only(called & connected, wechat),
        "战败原因": only(lost, versions.take(reason)),
        "更新时间": versions.latest(*times.values(), *_order_times(world)),
    }  # fmt: skip
    return build_frame("crm.leads", shown, leads.person[versions.row], versions.batch)


def campaign_codes(index: Array) -> pa.Array:
    """Return the codes of campaigns."""
    return joined("CP", padded(index + 1, 4))


def _follow_ups(world: World) -> Frame:
    """Return the first contact of each lead and up to three follow-ups."""
    rng = draw_from(world.seed, "follow-ups")
    leads = world.leads
    touched = np.flatnonzero(leads.contacted != MISSING)
    row = np.repeat(touched, rng.integers(1, 5, len(touched)))
    first = np.r_[True, row[1:] != row[:-1]]
    delay = np.where(first, 0, rng.integers(3_600, 15 * DAY, len(row)))
    at = leads.contacted[row] + delay
    connected = np.where(first, leads.connected[row], rng.random(len(row)) < 0.6)
    method = np.where(first, 0, rng.integers(0, 4, len(row)))
    planned = later(at, rng.integers(1, 7, len(row)) * DAY, rng.random(len(row)) < 0.7)
    columns = {
        "跟进ID": joined("FU", padded(np.arange(len(row)) + 1, 10)),
        "线索唯一ID": world.lead_id(row), "销售顾问ID": world.staff_id(leads.adviser[row]),
        "跟进方式": pick(["电话", "企微", "短信", "面谈"], method), "跟进时间": at,
        "是否接通": pa.array(connected.astype(bool)),
        "通话时长秒": np.where(connected & first, leads.call_seconds[row], MISSING),
        "跟进前评级": pick(list("NHABC"), np.where(first, 0, leads.quality[row])),
        "跟进后评级": pick(list("NHABC"), leads.quality[row]),
        "跟进结果": pick_any(rng, ("继续跟进", "邀约到店", "无人接听", "考虑中"), len(row)),
        "下次跟进时间": planned,
    }  # fmt: skip
    batch = world.timeline.batch_of(at, 1)
    return build_frame("crm.follow_ups", columns, leads.person[row], batch)


def _wecom_contacts(world: World) -> Frame:
    rng = draw_from(world.seed, "wecom")
    people, leads = world.people, world.leads
    lead = np.flatnonzero(
        (leads.contacted != MISSING) & ~leads.is_repeat & (rng.random(len(leads)) < 0.35)
    )
    person, adviser = leads.person[lead], leads.adviser[lead]
    _, first = np.unique(person * 1_000_000 + adviser, return_index=True)
    lead, person, adviser = lead[first], person[first], adviser[first]
    count = len(lead)
    added = leads.contacted[lead] + rng.integers(60, DAY, count)
    deleted = later(added, rng.integers(DAY, 20 * DAY, count), rng.random(count) < 0.08)
    versions = versions_of(world.timeline, 7, added, deleted)
    columns = {
        "企微ExternalUserID": rows_of(people.wecom, person),
        "微信UnionID": only(rng.random(count) < 0.6, rows_of(people.unionid, person)),
        "手机号": only(rng.random(count) < 0.4, rows_of(people.mobile, person)),
        "员工ID": world.staff_id(adviser),
        "来源": pick_any(rng, ("扫一扫", "名片分享", "手机号搜索"), count),
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown |= {
        "添加时间": versions.seen(added), "删除时间": versions.seen(deleted),
        "更新时间": versions.latest(added, deleted),
    }  # fmt: skip
    return build_frame("crm.wecom_contacts", shown, person[versions.row], versions.batch)


def _campaigns(world: World) -> Frame:
    timeline = world.timeline
    index = np.arange(CAMPAIGNS)
    created = timeline.begin - (index % 3) * 2 * DAY + 9 * 3600
    last_morning = timeline.begin + (timeline.days - 1) * DAY + 36_000
    changed = np.where(index % 2 == 0, last_morning, MISSING)
    versions = versions_of(timeline, 7, created, changed)
    columns = {
        "活动编码": campaign_codes(index),
        "名称": joined(pick(["春季", "金秋", "新品"], index % 3), "购车节", digits(index + 1)),
        "平台": pick(["抖音", "垂媒", "门店"], index % 3), "开始时间": timeline.begin + index * DAY,
        "结束时间": timeline.begin + (index + 45) * DAY,
        "承诺权益": joined("赠送充电桩", digits(index + 1), "台"),
        "优惠金额": (index + 1) * 100_000, "预算": (index + 1) * 20_000_000,
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown["更新时间"] = versions.latest(created, changed)
    return build_frame("crm.campaigns", shown, batch=versions.batch)
