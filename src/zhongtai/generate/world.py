"""The made-up world: who lives in it, and what happened to them in its days."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate import cast, journeys, sales
from zhongtai.generate.cars import plates, vehicle_numbers
from zhongtai.generate.draws import Array, draw_from, joined, only, padded, rows_of
from zhongtai.generate.households import settle_households
from zhongtai.generate.hubs import build_hubs, use_shared_devices
from zhongtai.generate.people import Companies, People, build_companies, build_people, phones
from zhongtai.generate.places import Dealers, Staff, build_dealers, build_staff
from zhongtai.generate.recycled import pass_on_numbers
from zhongtai.generate.timeline import Timeline


@dataclass(frozen=True)
class World:
    """Everything that the exports are written from. Times are UTC seconds."""

    seed: int
    timeline: Timeline
    people: People
    companies: Companies
    dealers: Dealers
    staff: Staff
    staff_mobile: pa.Array
    staff_unionid: pa.Array
    hot: journeys.Hot
    inquiries: journeys.Inquiries
    members: journeys.Members
    referrals: journeys.Referrals
    leads: journeys.Leads
    orders: sales.Orders
    vehicles: sales.Vehicles
    ownership: sales.Ownership
    vin: pa.Array
    plate: pa.Array
    cast: cast.Cast

    def inquiry_id(self, index: Array) -> pa.Array:
        """Return the ids of inquiries; -1 gives null."""
        return only(index >= 0, joined("INQ", padded(np.maximum(index, 0) + 1, 9)))

    def lead_id(self, index: Array) -> pa.Array:
        """Return the ids of leads; -1 gives null."""
        return only(index >= 0, joined("DIS", padded(np.maximum(index, 0) + 1, 12)))

    def order_no(self, index: Array) -> pa.Array:
        """Return the numbers of orders; -1 gives null."""
        return only(index >= 0, joined("SO", padded(np.maximum(index, 0) + 1, 10)))

    def member_code(self, index: Array) -> pa.Array:
        """Return the codes of members; -1 gives null."""
        return only(index >= 0, joined("M", padded(np.maximum(index, 0) + 30_001, 7)))

    def staff_id(self, index: Array) -> pa.Array:
        """Return the codes of staff; -1 gives null."""
        return rows_of(self.staff.code, index)

    def dealer_code(self, index: Array) -> pa.Array:
        """Return the codes of dealers; -1 gives null."""
        return rows_of(self.dealers.code, index)


def build_world(seed: int, timeline: Timeline, count: int) -> World:
    """Return the world of `count` persons."""
    dealers = build_dealers(seed, count)
    people, households = settle_households(seed, build_people(seed, dealers, count))
    people, namesakes = cast.name_alike(seed, people, households.person)
    staff = build_staff(seed, timeline, dealers, np.flatnonzero(people.uses_app))
    hubs = build_hubs(seed, count, dealers, staff)
    people = use_shared_devices(seed, people, hubs)
    companies = build_companies(seed, count, dealers)
    hot = journeys.draw_hot(seed, timeline, people)
    inquiries = journeys.draw_inquiries(seed, timeline, people, hot)
    members = journeys.draw_members(seed, timeline, people)
    referrals = journeys.draw_referrals(seed, timeline, people, members)
    rng = draw_from(seed, "advisers")
    leads = journeys.draw_leads(seed, timeline, people, inquiries, referrals)
    leads = replace(leads, adviser=staff.adviser_of(leads.dealer, rng.random(len(leads))))
    employees = staff.person[staff.person >= 0]
    orders = sales.draw_orders(seed, timeline, leads, people, companies, employees)
    orders = sales.place_advisers(orders, leads, staff, rng.random(len(orders)))
    vehicles = sales.build_vehicles(seed, timeline, orders, dealers)
    own = phones(seed, np.arange(len(staff)) + 3 * count)
    staff_mobile = pc.coalesce(rows_of(people.mobile, staff.person), own)
    known = np.r_[employees, members.person, households.person]
    numbers = pass_on_numbers(seed, timeline, people, (leads, orders), known)
    known = np.r_[known, numbers.involved]
    companies = cast.join_companies(seed, people, companies, known)
    groups = cast.Groups(households, hubs, numbers, namesakes)
    known = np.r_[known, companies.contact]
    shared = cast.gather_cast(seed, people, groups, (staff, staff_mobile), leads, known)
    return World(
        seed=seed,
        timeline=timeline,
        people=people,
        companies=companies,
        dealers=dealers,
        staff=staff,
        staff_mobile=staff_mobile,
        staff_unionid=rows_of(people.unionid, staff.person),
        hot=hot,
        inquiries=inquiries,
        members=members,
        referrals=referrals,
        leads=leads,
        orders=orders,
        vehicles=vehicles,
        ownership=sales.draw_ownership(seed, timeline, orders, count),
        vin=vehicle_numbers(np.arange(len(vehicles)), vehicles.series),
        plate=plates(np.arange(len(vehicles)), dealers.place[vehicles.dealer]),
        cast=shared,
    )
