"""Orders, deliveries, workshop visits and add-on sales of the dealers."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate import names
from zhongtai.generate.cars import model_codes
from zhongtai.generate.dms import Customers, draw_customers, draw_visits
from zhongtai.generate.draws import (
    MISSING,
    Array,
    Generator,
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
from zhongtai.generate.service import after_handover, owning_at
from zhongtai.generate.timeline import DAY, at_hours
from zhongtai.generate.world import World


def aftersales_frames(world: World) -> list[Frame]:
    """Return orders, deliveries, service orders and add-on sales."""
    customers = draw_customers(world, draw_visits(world))
    return [
        _orders(world, customers),
        _deliveries(world),
        _service_orders(world),
        _addon_sales(world),
    ]


def _orders(world: World, customers: Customers) -> Frame:
    orders, people, companies = world.orders, world.people, world.companies
    person, company = orders.person, orders.company
    times = {
        "小订时间": orders.small, "大定时间": orders.large, "锁单时间": orders.locked,
        "取消时间": orders.cancelled, "蓝票时间": orders.blue, "红票时间": orders.red,
    }  # fmt: skip
    versions = versions_of(world.timeline, 7, *times.values(), orders.delivered)
    member = np.where(orders.member >= 0, world.referrals.member[orders.member], -1)
    number = customers.number_of(person, orders.dealer)
    card = pc.coalesce(rows_of(people.id_card, person), rows_of(companies.credit_code, company))
    fixed = {
        "订单号": world.order_no(np.arange(len(orders))),
        "经销商代码": world.dealer_code(orders.dealer),
        "DMS客户号": pc.coalesce(rows_of(companies.customer, company), number),
        "客户姓名": pc.coalesce(rows_of(companies.name, company), rows_of(people.name, person)),
        "手机": pc.coalesce(rows_of(companies.mobile, company), rows_of(people.mobile, person)),
        "证件号码": card, "车系": pick(names.SERIES, orders.series),
        "车型": model_codes(orders.series, orders.trim), "订金": np.full(len(orders), 200_000),
        "支付方式": pick(["全款", "贷款"], orders.loan.astype(int)),
        "销售顾问ID": world.staff_id(orders.adviser), "推荐会员编码": world.member_code(member),
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in fixed.items()}
    shown |= {name: versions.seen(values) for name, values in times.items()}
    locked, billed = shown["锁单时间"] != MISSING, shown["蓝票时间"] != MISSING
    known = shown["大定时间"] != MISSING
    vin = rows_of(world.vin, orders.vehicle)
    reached = [
        shown["小订时间"],
        shown["大定时间"],
        shown["锁单时间"],
        versions.seen(orders.delivered),
    ]
    status = np.sum([times != MISSING for times in reached], axis=0) - 1
    status = np.where(shown["取消时间"] != MISSING, 4, status)
    status = np.where(shown["红票时间"] != MISSING, 5, status)
    shown |= {
        "成交价": np.where(known, orders.price[versions.row] * 100, MISSING),
        "单车利润": np.where(billed, orders.profit[versions.row] * 100, MISSING),
        "VIN": only(locked, versions.take(vin)),
        "订单状态": pick(["小订", "大定", "已锁单", "已交车", "已取消", "已退车"], status),
        "更新时间": versions.latest(*times.values(), orders.delivered),
    }  # fmt: skip
    row = versions.row
    return build_frame("dms.orders", shown, person[row], versions.batch, company[row])


def _deliveries(world: World) -> Frame:
    rng = draw_from(world.seed, "delivery rows")
    orders = world.orders
    index = np.flatnonzero((orders.delivered != MISSING) & (orders.delivered < world.timeline.end))
    count = len(index)
    columns = {
        "交车单号": joined("JC", padded(index + 1, 9)), "订单号": world.order_no(index),
        "VIN": rows_of(world.vin, orders.vehicle[index]), "交车时间": orders.delivered[index],
        "经销商代码": world.dealer_code(orders.dealer[index]),
        "车牌号": only(rng.random(count) < 0.8, rows_of(world.plate, orders.vehicle[index])),
        "销售顾问ID": world.staff_id(orders.adviser[index]),
        "里程": rng.integers(3, 60, count).astype(float),
    }  # fmt: skip
    batch = world.timeline.batch_of(orders.delivered[index], 7)
    return build_frame(
        "dms.deliveries", columns, orders.person[index], batch, orders.company[index]
    )


def _service_orders(world: World) -> Frame:
    """Return closed work orders; the sender is often of the household, or a company's driver."""
    rng = draw_from(world.seed, "service rows")
    owned, people = world.ownership, world.people
    drawn = rng.choice(len(owned.person), max(20, len(owned.person) // 3))
    at = world.timeline.begin + rng.integers(0, world.timeline.days * DAY, len(drawn))
    at = at_hours(at, 8, 18, rng.random(len(drawn)))
    keep = owning_at(world, drawn, at)
    handed, late = after_handover(world, "service orders", 0.8)
    drawn, at = np.r_[drawn[keep], handed], np.r_[at[keep], late]
    count, owner, company = len(drawn), owned.person[drawn], owned.company[drawn]
    sender = _senders(rng, world, owner, company)
    owner_name = pc.coalesce(rows_of(world.companies.name, company), rows_of(people.name, owner))
    left = at + rng.integers(3_600, 8 * 3600, count)
    amount = rng.integers(10, 500, count) * 1_000
    columns = {
        "工单号": joined("GD", padded(np.arange(count) + 1, 9)),
        "经销商代码": world.dealer_code(owned.dealer[drawn]),
        "VIN": rows_of(world.vin, owned.vehicle[drawn]),
        "车牌号": rows_of(world.plate, owned.vehicle[drawn]),
        "车主姓名": owner_name, "送修人": rows_of(people.name, sender),
        "送修人手机": rows_of(people.mobile, sender), "进厂时间": at, "出厂时间": left,
        "维修类型": pick(["保养", "一般维修", "事故", "索赔"], weighted(rng, (6, 2, 1, 1), count)),
        "故障部位": only(rng.random(count) < 0.4, pick_any(rng, names.FAULT_PARTS, count)),
        "里程": rng.integers(1_000, 90_000, count).astype(float),
        "金额": np.where(np.arange(count) % 100 == 1, -amount, amount),
        "是否返修": pa.array(rng.random(count) < 0.04),
    }  # fmt: skip
    return build_frame("dms.service_orders", columns, sender, world.timeline.batch_of(left, 7))


def _senders(rng: Generator, world: World, owner: Array, company: Array) -> Array:
    """Return who brings the cars: the owner, one of the family, a friend, a company's driver."""
    people, count = world.people, len(owner)
    family = np.where(owner >= 0, people.household[owner], -1)
    sender = np.where((family >= 0) & (rng.random(count) < 0.6), family, owner)
    friend = (owner + 1 + rng.integers(0, len(people) - 1, count)) % len(people)
    sender = np.where((owner >= 0) & (rng.random(count) < 0.05), friend, sender)
    return np.where(owner >= 0, sender, world.companies.driver[company])


def _addon_sales(world: World) -> Frame:
    rng = draw_from(world.seed, "addon rows")
    owned = world.ownership
    drawn = np.flatnonzero((owned.person >= 0) & (rng.random(len(owned.person)) < 0.2))
    paid = world.timeline.begin + rng.integers(0, world.timeline.days * DAY, len(drawn))
    keep = owning_at(world, drawn, paid)
    drawn, paid = drawn[keep], paid[keep]
    count, person = len(drawn), owned.person[drawn]
    refunded = later(paid, rng.integers(DAY, 9 * DAY, count), rng.random(count) < 0.06)
    versions = versions_of(world.timeline, 7, paid, refunded)
    kind = rng.integers(0, 3, count)
    adviser = world.staff.adviser_of(owned.dealer[drawn], rng.random(count))
    columns = {
        "单号": joined("ZZ", padded(np.arange(count) + 1, 9)),
        "VIN": rows_of(world.vin, owned.vehicle[drawn]),
        "手机": rows_of(world.people.mobile, person),
        "产品类型": pick(["软件订阅", "服务包", "精品"], kind),
        "产品名称": pick(["智能驾驶包月", "终身保养包", "脚垫套装"], kind),
        "金额": rng.integers(1, 120, count) * 9_900, "顾问ID": world.staff_id(adviser),
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown |= {
        "支付时间": versions.seen(paid), "退款时间": versions.seen(refunded),
        "更新时间": versions.latest(paid, refunded),
    }  # fmt: skip
    return build_frame("dms.addon_sales", shown, person[versions.row], versions.batch)
