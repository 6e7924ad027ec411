"""What people decide about persons: tags put by hand, and requests for erasure."""

import numpy as np
import pyarrow as pa

from zhongtai.generate.crm import known_to_crm
from zhongtai.generate.draws import (
    MISSING,
    Array,
    chosen,
    draw_from,
    joined,
    later,
    padded,
    pick,
    pick_any,
    rows_of,
    strings,
)
from zhongtai.generate.frames import (
    NOBODY,
    SHARED_VALUE,
    UNKNOWN_TAG,
    Frame,
    build_frame,
    versions_of,
)
from zhongtai.generate.timeline import DAY, at_hours
from zhongtai.generate.world import World

TAG_KINDS = ("mobile", "unionid", "login_id", "crm_customer_id")
MANUAL_TAGS = ("vip", "key_account", "media")


def governance_frames(world: World) -> list[Frame]:
    """Return manual tags and erasure requests."""
    return [_manual_tags(world), _erasure_requests(world)]


def _hub_mobile(world: World) -> pa.Array:
    return rows_of(world.staff_mobile, world.cast.hubs.advisers[:1])


def _manual_tags(world: World) -> Frame:
    """Return tags put by hand, one with an unknown id and one on a number that many share."""
    rng = draw_from(world.seed, "manual tags")
    people = world.people
    known = np.setdiff1d(np.flatnonzero(known_to_crm(world)), world.cast.involved)
    person = rng.choice(known, min(max(10, len(people) // 200), len(known)), replace=False)
    count = len(person)
    login = people.login.is_valid().to_numpy(zero_copy_only=False)[person]
    kind = np.where(login, rng.choice([0, 2, 3], count), rng.choice([0, 3], count))
    kind[0] = 0
    value = chosen(kind == 0, rows_of(people.mobile, person), rows_of(people.crm[0], person))
    value = chosen(kind == 2, rows_of(people.login, person), value)
    created = world.timeline.begin + rng.integers(0, world.timeline.days * DAY, count)
    created = at_hours(created, 8, 21, rng.random(count))
    created[:2] = world.timeline.begin + 10 * 3600
    back = later(created, rng.integers(DAY, 10 * DAY, count), rng.random(count) < 0.1)
    back[:2] = MISSING
    tag = pick_any(rng, MANUAL_TAGS, count)
    first, second = (np.arange(count) == place for place in (0, 1))
    columns = {
        "标识类型": pick(TAG_KINDS, kind), "标识值": chosen(first, _hub_mobile(world)[0], value),
        "tag_id": chosen(second, "no_such_tag", tag),
        "作者": world.staff_id(rng.integers(0, len(world.staff), count)),
        "原因": pick_any(rng, ("大客户", "媒体老师", "多次复购"), count),
        "到期时间": created + 180 * DAY,
    }  # fmt: skip
    versions = versions_of(world.timeline, 7, created, back)
    shown = {name: versions.take(values) for name, values in columns.items()}
    shown["value"] = chosen(versions.seen(back) != MISSING, pa.scalar(None, pa.string()), "true")
    shown["更新时间"] = versions.latest(created, back)
    frame = build_frame("crm.manual_tags", shown, person[versions.row], versions.batch)
    frame.fate[versions.row == 0] = SHARED_VALUE
    frame.fate[versions.row == 1] = UNKNOWN_TAG
    return frame


def _erasure_requests(world: World) -> Frame:
    """Return a few requests of the last day: of plain persons, of an owner, on a shared number."""
    person = _plain_persons(world)
    count = len(person)
    by_crm = np.arange(count) % 2 == 1
    values = chosen(
        by_crm, rows_of(world.people.crm[0], person), rows_of(world.people.mobile, person)
    )
    sold = np.flatnonzero((world.ownership.person >= 0) & (world.ownership.until != MISSING))[:1]
    seller, vin = world.ownership.person[sold], rows_of(world.vin, world.ownership.vehicle[sold])
    # The car was sold on: the request means who owns it now, not who did.
    later_owner = np.flatnonzero(
        np.isin(world.ownership.vehicle, world.ownership.vehicle[sold])
        & (world.ownership.until == MISSING)
    )[: len(seller)]
    owner = world.ownership.person[later_owner]
    kinds = ["crm_customer_id" if by else "mobile" for by in by_crm]
    kinds += ["vin_owner"] * len(owner) + ["mobile"]
    total = len(kinds)
    columns = {
        "申请ID": joined("SQ", padded(np.arange(total) + 1, 6)), "标识类型": strings(kinds),
        "标识值": pa.concat_arrays([values, vin[: len(owner)], _hub_mobile(world)]),
        "申请时间": np.full(total, world.timeline.end - 36_000) + np.arange(total) * 61,
        "类型": pick(["删除", "撤回同意"], (np.arange(total) == count - 1).astype(int)),
    }  # fmt: skip
    batch = np.full(total, world.timeline.days - 1)
    subject = np.r_[person, owner, [NOBODY]]
    return build_frame("crm.erasure_requests", columns, subject, batch)


def _plain_persons(world: World) -> Array:
    """Return up to four persons outside households who are neither staff nor members."""
    rng = draw_from(world.seed, "erasures")
    in_house = world.people.household >= 0
    in_house[world.people.household[in_house]] = True
    plain = np.flatnonzero(known_to_crm(world) & ~in_house)
    others = np.r_[world.staff.person, world.members.person, world.cast.involved]
    plain = np.setdiff1d(plain, others)
    return np.asarray(rng.choice(plain, min(4, len(plain)), replace=False))
