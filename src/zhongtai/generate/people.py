"""Persons and companies with every identifier that some system knows them by."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate import names
from zhongtai.generate.draws import (
    BASE62,
    LOWER_HEX,
    Array,
    Generator,
    codes,
    draw_from,
    joined,
    only,
    padded,
    pick,
    pick_any,
    rows_of,
)
from zhongtai.generate.places import CITIES, Dealers

PHONE_PREFIXES = (
    "131",
    "135",
    "137",
    "139",
    "150",
    "156",
    "159",
    "177",
    "182",
    "186",
    "188",
    "199",
)
ID_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
COMPANY_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@dataclass(frozen=True)
class People:
    """One value per person; identifiers are null where the person has none."""

    name: pa.Array
    gender: pa.Array
    birth: Array  # days since 1970
    mobile: pa.Array
    backup_mobile: pa.Array  # own second number, or a household member's
    household: Array  # index of the other person of the household, -1 if none
    email: pa.Array
    id_card: pa.Array
    login: pa.Array
    devices: tuple[pa.Array, pa.Array]
    openids: tuple[pa.Array, pa.Array]  # per app id
    unionid: pa.Array
    wecom: pa.Array
    crm: tuple[pa.Array, pa.Array]  # the second is a duplicate contact of a few
    visitors: tuple[pa.Array, pa.Array]
    place: Array
    dealer: Array
    address: pa.Array
    uses_app: Array
    uses_miniprogram: Array
    uses_website: Array
    is_hot: Array  # shows the behaviour of the rule
    old_sdk: Array
    second_login: pa.Array  # another account of the app, on the same phone

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True)
class Companies:
    """One value per company customer."""

    name: pa.Array
    credit_code: pa.Array
    mobile: pa.Array
    dealer: Array
    customer: pa.Array  # its customer number at the dealer
    contact: Array  # the private customer whose mobile it leaves, -1 if an office phone
    driver: Array  # the person who brings its cars to the workshop

    def __len__(self) -> int:
        return len(self.name)


def build_people(seed: int, dealers: Dealers, count: int) -> People:
    """Return `count` persons; identifiers never collide between persons."""
    rng = draw_from(seed, "people")
    place = rng.integers(0, len(CITIES), count)
    uses_app, uses_mini, uses_web = (rng.random(count) < share for share in (0.5, 0.45, 0.4))
    is_hot = rng.random(count) < 0.1
    uses_app |= is_hot
    gender = rng.random(count) < 0.6
    birth = rng.integers(-3_600, 13_000, count)
    household = _households(rng, count)
    mobile = phones(seed, np.arange(count))
    own_second = only(rng.random(count) < 0.05, phones(seed, np.arange(count) + count))
    backup = pc.coalesce(rows_of(mobile, household), own_second)
    has_unionid = uses_mini | (rng.random(count) < 0.2)
    number = np.arange(count)
    return People(
        name=person_names(rng, count),
        gender=pick(["女", "男"], gender.astype(int)),
        birth=birth,
        mobile=mobile,
        backup_mobile=backup,
        household=household,
        email=only(rng.random(count) < 0.4, emails(rng, count)),
        id_card=identity_numbers(rng, place, birth, gender),
        login=only(uses_app, joined("U", padded(number * 7 + 100_000_003, 10))),
        devices=_pair(rng, count, uses_app, 0.25, _device_ids),
        openids=_pair(rng, count, uses_mini, 0.3, _openids),
        unionid=only(has_unionid, joined("oZ7t", codes(rng, count, 24, BASE62 + "-_"))),
        wecom=joined("wm", codes(rng, count, 30, BASE62 + "-_")),
        crm=(joined("C", padded(number + 1, 9)), joined("C", padded(number + 500_000_001, 9))),
        visitors=_pair(rng, count, uses_web, 0.2, _visitor_ids),
        place=place,
        dealer=_near_dealer(rng, dealers, place),
        address=_addresses(rng, place),
        uses_app=uses_app,
        uses_miniprogram=uses_mini,
        uses_website=uses_web,
        is_hot=is_hot,
        old_sdk=rng.random(count) < 0.2,
        second_login=only(
            uses_app & (rng.random(count) < 0.04), joined("U", padded(number * 7 + 100_000_006, 10))
        ),
    )


def build_companies(seed: int, people: int, dealers: Dealers) -> Companies:
    """Return the company customers: two in a hundred of the persons, at least three."""
    rng = draw_from(seed, "companies")
    count = max(3, people // 50)
    dealer = rng.integers(0, len(dealers), count)
    town = pick([city[2].removesuffix("市") for city in CITIES], dealers.place[dealer])
    number = joined(padded(np.arange(count) + 1, 4), "号")
    trade = joined(pick_any(rng, names.COMPANIES, count), pick_any(rng, names.TRADES, count))
    return Companies(
        name=joined(town, trade, number, "有限公司"),
        credit_code=joined("91", codes(rng, count, 16, COMPANY_ALPHABET)),
        mobile=phones(seed, np.arange(count) + 2 * people),
        dealer=dealer,
        customer=joined("K8", padded(np.arange(count) + 1, 7)),
        contact=np.full(count, -1),
        driver=np.full(count, -1),
    )


def phones(seed: int, number: Array) -> pa.Array:
    """Return the mobile number of each index: no two indexes share one.

    The last eight digits are a bijection of the index below 10 ** 8.
    """
    mixed = (np.asarray(number, dtype=np.int64) * 61_803_393 + seed * 7_919 + 23_571_113) % 10**8
    return joined(pick(PHONE_PREFIXES, (mixed // 97) % len(PHONE_PREFIXES)), padded(mixed, 8))


def person_names(rng: Generator, count: int) -> pa.Array:
    """Return Chinese names; a few have characters outside GBK and outside the basic plane."""
    surname = pick_any(rng, list(names.SURNAMES), count)
    rare_surname = pick_any(rng, names.RARE_SURNAMES, count)
    surname = pc.if_else(pa.array(rng.random(count) < 0.01), rare_surname, surname)
    first = pick_any(rng, list(names.GIVEN_FIRST), count)
    second = pick_any(rng, [*names.GIVEN_SECOND, "", "", ""], count)
    rare = rng.random(count) < 0.01
    rare[: 2 * len(names.RARE_GIVEN)] = True
    given = pc.if_else(
        pa.array(rare), pick(names.RARE_GIVEN, np.arange(count) % 4), joined(first, second)
    )
    return joined(surname, given)


def emails(rng: Generator, count: int) -> pa.Array:
    """Return e-mail addresses at reserved domains, none twice."""
    domain = pick_any(rng, ("example.com", "example.cn", "mail.example.org"), count)
    return joined(
        codes(rng, count, 5, "abcdefghjkmnpqrstuvwxyz"), padded(np.arange(count), 6), "@", domain
    )


def identity_numbers(rng: Generator, place: Array, birth: Array, is_male: Array) -> pa.Array:
    """Return 18-character identity numbers with their check character, none twice."""
    count = len(place)
    prefix = pick([city[3] for city in CITIES], place)
    day = pc.strftime(pa.array(birth.astype(np.int32)).cast(pa.date32()), format="%Y%m%d")
    order = _order_within(place * 100_000 + birth) * 2 + is_male + 2 * rng.integers(0, 50, 1)[0]
    body = joined(prefix, day, padded(order % 1_000, 3))
    figures = np.frombuffer("".join(body.to_pylist()).encode(), np.uint8).reshape(count, 17) - 48
    check = pick(list("10X98765432"), (figures.astype(np.int64) @ ID_WEIGHTS) % 11)
    return joined(body, check)


def _order_within(groups: Array) -> Array:
    order = np.argsort(groups, kind="stable")
    ranked = groups[order]
    first = np.r_[True, ranked[1:] != ranked[:-1]]
    position = np.arange(len(groups))
    place = position - np.maximum.accumulate(np.where(first, position, 0))
    result = np.empty(len(groups), dtype=np.int64)
    result[order] = place
    return result


def _households(rng: Generator, count: int) -> Array:
    other = np.full(count, -1)
    chosen = rng.permutation(count)[: count // 10 // 2 * 2].reshape(-1, 2)
    other[chosen[:, 0]] = chosen[:, 1]
    return other


def _pair(
    rng: Generator,
    count: int,
    used: Array,
    second: float,
    build: Callable[[Generator, int], pa.Array],
) -> tuple[pa.Array, pa.Array]:
    first = only(used, build(rng, count))
    return first, only(used & (rng.random(count) < second), build(rng, count))


def _device_ids(rng: Generator, count: int) -> pa.Array:
    return codes(rng, count, 16, LOWER_HEX)


def _openids(rng: Generator, count: int) -> pa.Array:
    return joined("oA5k", codes(rng, count, 24, BASE62 + "-_"))


def _visitor_ids(rng: Generator, count: int) -> pa.Array:
    parts = [codes(rng, count, width, LOWER_HEX) for width in (8, 4, 4, 12)]
    return joined(parts[0], parts[1], parts[2], parts[3], separator="-")


def _near_dealer(rng: Generator, dealers: Dealers, place: Array) -> Array:
    rounds = len(dealers) // len(CITIES)
    return place + len(CITIES) * rng.integers(0, max(rounds, 1), len(place))


def _addresses(rng: Generator, place: Array) -> pa.Array:
    count = len(place)
    city = pick([city[2] for city in CITIES], place)
    street = pick_any(rng, names.STREETS, count)
    estate = pick_any(rng, names.ESTATES, count)
    number = padded(rng.integers(1, 999, count), 3)
    house = joined(
        padded(rng.integers(1, 40, count), 2), "幢", padded(rng.integers(101, 2_999, count), 4)
    )
    return joined(city, "中心城区滨江街道", street, number, "号", estate, "小区", house, "室")
