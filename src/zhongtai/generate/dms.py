"""Dealers, customers, visits, drives and cars of the dealer management system."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate import names
from zhongtai.generate.cars import model_codes
from zhongtai.generate.crm import cities, provinces
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
from zhongtai.generate.frames import NOBODY, Frame, build_frame, versions_of
from zhongtai.generate.hubs import LEAST
from zhongtai.generate.people import People
from zhongtai.generate.timeline import DAY, LOCAL, at_hours
from zhongtai.generate.world import World


@dataclass(frozen=True)
class Customers:
    """Customers of dealers: one number per person and dealer, then the companies."""

    person: Array
    company: Array
    dealer: Array
    number: pa.Array
    filed: Array
    ordered: Array

    def number_of(self, person: Array, dealer: Array) -> pa.Array:
        """Return the customer number of each person at a dealer; null where it has none."""
        keys = self.person * 1_000_000 + self.dealer
        order = np.argsort(keys, kind="stable")
        wanted = person * 1_000_000 + dealer
        place = np.searchsorted(keys[order], wanted)
        place = order[np.minimum(place, len(order) - 1)]
        return rows_of(self.number, np.where(keys[place] == wanted, place, -1))


@dataclass(frozen=True)
class Visits:
    """Visits of showrooms; `hub_phone` is the shop's or adviser's number that was typed in."""

    person: Array
    lead: Array
    dealer: Array
    arrived: Array
    series: Array
    adviser: Array  # who typed in the own number, else -1
    hub_phone: pa.Array


def dms_frames(world: World) -> list[Frame]:
    """Return dealers, customers, store visits, test drives and vehicles."""
    visits = draw_visits(world)
    customers = draw_customers(world, visits)
    return [
        _dealers(world),
        _customers(world, customers),
        _store_visits(world, visits),
        _test_drives(world),
        _vehicles(world),
    ]


def draw_visits(world: World) -> Visits:
    """Return visits of leads, walk-ins (some far from home), and those under a shop's number."""
    rng = draw_from(world.seed, "visits")
    leads, people, timeline, hubs = world.leads, world.people, world.timeline, world.cast.hubs
    lead = np.flatnonzero((leads.visited != MISSING) & (leads.visited < timeline.end))
    walk_in = np.flatnonzero(rng.random(len(people)) < 0.05)
    away = rng.random(len(walk_in)) < 0.25
    place = rng.integers(0, len(world.dealers), len(walk_in))
    place = np.where(away, place, people.dealer[walk_in])
    hub_dealer = np.r_[hubs.store_dealer, world.staff.dealer[hubs.advisers]]
    phones = [hubs.store_phone, rows_of(world.staff_mobile, hubs.advisers)]
    size = max(LEAST, hubs.size(len(people)) // 4)
    hub = np.repeat(np.arange(len(hub_dealer)), size)
    known = np.zeros(len(people), dtype=bool)
    known[leads.person[leads.person >= 0]] = True
    behind = _visitors_of_hubs(rng, people, known, hub_dealer, size)
    extra = np.r_[walk_in, behind]
    count = len(extra)
    at = timeline.begin + rng.integers(0, timeline.days * DAY, count)
    adviser = np.r_[np.full(len(hubs.store_dealer), -1), hubs.advisers][hub]
    nobody = np.full(len(lead) + len(walk_in), -1)
    return Visits(
        person=np.r_[leads.person[lead], extra],
        lead=np.r_[lead, np.full(count, -1)],
        dealer=np.r_[leads.dealer[lead], place, hub_dealer[hub]],
        arrived=np.r_[leads.visited[lead], at_hours(at, 10, 19, rng.random(count))],
        series=np.r_[leads.series[lead], rng.integers(0, len(names.SERIES), count)],
        adviser=np.r_[nobody, adviser],
        hub_phone=rows_of(pa.concat_arrays(phones), np.r_[nobody, hub]),
    )


def _visitors_of_hubs(
    rng: Generator, people: People, known: Array, dealers: Array, size: int
) -> Array:
    """Return `size` different persons for each hub: neighbours, most of them not `known` yet."""
    found = []
    for dealer in dealers:
        anyone = rng.permutation(len(people))
        near = people.dealer[anyone] == dealer
        typed = known[anyone] & (rng.random(len(people)) < 0.7)
        found.append(anyone[np.lexsort((typed, ~near))][:size])
    return np.concatenate(found)


def draw_customers(world: World, visits: Visits) -> Customers:
    """Return a number per person and dealer where one visited (mostly) or ordered (always)."""
    rng = draw_from(world.seed, "customers")
    orders = world.orders
    bought = np.flatnonzero(orders.person >= 0)
    filed = np.flatnonzero(
        (rng.random(len(visits.person)) < 0.6) & visits.hub_phone.is_null().to_numpy(False)
    )
    person = np.r_[orders.person[bought], visits.person[filed]]
    dealer = np.r_[orders.dealer[bought], visits.dealer[filed]]
    at = np.r_[orders.small[bought] - 300, visits.arrived[filed]]
    order = np.lexsort((at, dealer, person))
    first = np.r_[True, np.diff(person[order] * 1_000_000 + dealer[order]) != 0]
    rows = order[first]
    companies = world.companies
    count = len(companies)
    began = np.full(count, MISSING)
    began[orders.company[orders.company >= 0][::-1]] = orders.small[orders.company >= 0][::-1]
    keys = person[rows] * 1_000_000 + dealer[rows]
    ordered = np.isin(keys, orders.person[bought] * 1_000_000 + orders.dealer[bought])
    return Customers(
        person=np.r_[person[rows], np.full(count, NOBODY)],
        company=np.r_[np.full(len(rows), NOBODY), np.arange(count)],
        dealer=np.r_[dealer[rows], companies.dealer],
        number=pa.concat_arrays([joined("K", padded(rows + 1, 8)), companies.customer]),
        filed=np.r_[at[rows], np.where(began == MISSING, world.timeline.begin, began - 300)],
        ordered=np.r_[ordered, np.ones(count, bool)],
    )


def _dealers(world: World) -> Frame:
    dealers, timeline = world.dealers, world.timeline
    count = len(dealers)
    created = np.full(count, timeline.begin - 20 * DAY)
    changed = np.where(np.arange(count) % 7 == 3, timeline.begin + 8 * DAY, MISSING)
    versions = versions_of(timeline, 7, created, changed)
    columns = {
        "经销商代码": dealers.code, "经销商名称": dealers.name, "大区": dealers.region,
        "小区": dealers.area, "省": provinces(dealers.place), "市": cities(dealers.place),
        "类型": dealers.kind, "开业日期": dealers.opened,
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown["更新时间"] = versions.latest(created, changed)
    return build_frame("dms.dealers", shown, batch=versions.batch)


def _customers(world: World, customers: Customers) -> Frame:
    rng = draw_from(world.seed, "customer rows")
    people, companies = world.people, world.companies
    person, company, count = customers.person, customers.company, len(customers.person)
    changed = later(customers.filed, rng.integers(DAY, 15 * DAY, count), rng.random(count) < 0.2)
    versions = versions_of(world.timeline, 7, customers.filed, changed)
    is_company = company >= 0
    has_card = customers.ordered | (rng.random(count) < 0.2)
    place = np.where(is_company, world.dealers.place[customers.dealer], people.place[person])
    card = pc.coalesce(rows_of(companies.credit_code, company), rows_of(people.id_card, person))
    mobile = rows_of(people.mobile, person)
    columns = {
        "经销商代码": world.dealer_code(customers.dealer), "DMS客户号": customers.number,
        "客户姓名": pc.coalesce(rows_of(companies.name, company), rows_of(people.name, person)),
        "客户性质": pick(["个人", "公司"], is_company.astype(int)),
        "证件类型": only(has_card, pick(["身份证", "统一社会信用代码"], is_company.astype(int))),
        "证件号码": only(has_card, card),
        "手机": pc.coalesce(rows_of(companies.mobile, company), mobile),
        "备用电话": rows_of(people.backup_mobile, person),
        "邮箱": only(rng.random(count) < 0.3, rows_of(people.email, person)),
        "地址": rows_of(people.address, person), "省": provinces(place), "市": cities(place),
        "区": "中心城区", "建档日期": (customers.filed + LOCAL) // DAY,
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown["最后更新"] = versions.latest(customers.filed, changed)
    row = versions.row
    return build_frame("dms.customers", shown, person[row], versions.batch, company[row])


def _store_visits(world: World, visits: Visits) -> Frame:
    rng = draw_from(world.seed, "visit rows")
    people, count = world.people, len(visits.person)
    left = visits.arrived + rng.integers(900, 3 * 3600, count)
    own = rows_of(people.mobile, visits.person)
    phone = pc.coalesce(visits.hub_phone, own)
    came = np.where(visits.lead >= 0, rng.choice([1, 2, 3], count), 0)
    adviser = np.where(
        visits.lead >= 0,
        world.leads.adviser[visits.lead],
        world.staff.adviser_of(visits.dealer, rng.random(count)),
    )
    levels = joined("6010100", pick(list("1234567"), weighted(rng, (2, 3, 4, 4, 1, 1, 1), count)))
    columns = {
        "接待单号": joined("JD", padded(np.arange(count) + 1, 9)),
        "经销商代码": world.dealer_code(visits.dealer),
        "客户姓名": rows_of(people.name, visits.person), "手机": phone,
        "到店时间": visits.arrived, "离店时间": left,
        "到店方式": pick(["首次自然来店", "邀约再次", "线索首次", "转介绍"], came),
        "意向车系": pick(names.SERIES, visits.series), "意向级别": levels,
        "销售顾问ID": world.staff_id(np.where(visits.adviser >= 0, visits.adviser, adviser)),
    }  # fmt: skip
    return build_frame("dms.store_visits", columns, visits.person, world.timeline.batch_of(left, 1))


def _test_drives(world: World) -> Frame:
    rng = draw_from(world.seed, "drive rows")
    leads = world.leads
    lead = np.flatnonzero((leads.driven != MISSING) & (leads.driven < world.timeline.end))
    count, person = len(lead), leads.person[lead]
    ended = leads.driven[lead] + rng.integers(900, 3_000, count)
    mileage = rng.integers(100, 9_000, count)
    stock = len(world.vehicles) - 4 * len(world.dealers) + leads.dealer[lead] * 4
    columns = {
        "试驾单号": joined("SJ", padded(np.arange(count) + 1, 9)),
        "经销商代码": world.dealer_code(leads.dealer[lead]),
        "客户姓名": rows_of(world.people.name, person),
        "手机": rows_of(world.people.mobile, person),
        "试驾车系": pick(names.SERIES, leads.series[lead]), "试驾车VIN": rows_of(world.vin, stock),
        "开始时间": leads.driven[lead], "结束时间": ended, "起始里程": mileage.astype(float),
        "结束里程": (mileage + rng.integers(3, 30, count)).astype(float),
        "满意度": rng.integers(60, 101, count).astype(float),
        "销售顾问ID": world.staff_id(leads.adviser[lead]),
    }  # fmt: skip
    return build_frame("dms.test_drives", columns, person, world.timeline.batch_of(ended, 7))


def _vehicles(world: World) -> Frame:
    rng = draw_from(world.seed, "vehicle rows")
    vehicles, count = world.vehicles, len(world.vehicles)
    built = vehicles.built
    arrived = later(built, rng.integers(8, 14, count) * DAY)
    updated = later(built, 40 * DAY, rng.random(count) < 0.3)
    versions = versions_of(world.timeline, 7, built + DAY, arrived, vehicles.sold, updated)
    stock = (versions.seen(arrived) != MISSING).astype(int)
    stock = np.where(versions.seen(vehicles.sold) != MISSING, 2, stock)
    shipped = later(built, 5 * DAY)
    release = rng.integers(0, 3, count)
    newer = np.where(versions.seen(updated) != MISSING, 3, release[versions.row])
    columns = {
        "VIN": world.vin, "车系": pick(names.SERIES, vehicles.series),
        "车型": model_codes(vehicles.series, vehicles.trim),
        "颜色": pick_any(rng, names.COLOURS, count), "下线日期": (built + LOCAL) // DAY,
        "发运日期": (shipped + LOCAL) // DAY, "经销商代码": world.dealer_code(vehicles.dealer),
    }  # fmt: skip
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown |= {
        "软件版本": pick(names.SOFTWARE, newer), "库存状态": pick(["在途", "在库", "已售"], stock),
        "更新时间": versions.latest(built + DAY, arrived, vehicles.sold, updated),
    }  # fmt: skip
    return build_frame("dms.vehicles", shown, batch=versions.batch)
