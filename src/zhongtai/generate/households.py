"""Families: persons who share a home, and at times a phone, an e-mail address or a tablet."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.draws import Array, Generator, chosen, draw_from, only, pick, rows_of
from zhongtai.generate.names import RARE_SURNAMES
from zhongtai.generate.people import People

SHARE = 0.1  # of the persons live in such a household
GENERATION = 18 * 365  # days
HEAD, SPOUSE, CHILD, SIBLING = range(4)
ROLES = ("head", "spouse", "child", "sibling")


@dataclass(frozen=True)
class Households:
    """One value per member: household by household, its head first."""

    number: Array
    person: Array
    head: Array  # the person who is the head of the member's household
    role: Array
    shares_phone: Array  # others write down the head's phone for this member
    shares_email: Array
    shares_tablet: Array  # logs in on the head's device too

    def head_of(self, count: int, shares: Array) -> Array:
        """Return per person of a world of `count` whose things it shares, -1 for none."""
        found = np.full(count, -1)
        found[self.person[shares]] = self.head[shares]
        return found


def settle_households(seed: int, people: People) -> tuple[People, Households]:
    """Return the persons with families among them, and the families: two to four members each."""
    rng = draw_from(seed, "households")
    families = _draw_families(rng, people)
    member, head = families.person, families.head
    is_other = families.role != HEAD
    others, heads, roles = member[is_other], head[is_other], families.role[is_other]
    count = len(people)
    source = np.arange(count)
    source[others] = heads
    kin = people.household.copy()
    kin[others] = heads
    first = np.r_[True, heads[1:] != heads[:-1]] if len(heads) else np.empty(0, bool)
    kin[heads[first]] = others[first]
    named = np.full(count, -1)
    named[others[roles != SPOUSE]] = heads[roles != SPOUSE]
    mailing = families.head_of(count, families.shares_email)
    tablet = families.head_of(count, families.shares_tablet)
    second_device = pc.coalesce(rows_of(people.devices[0], tablet), people.devices[1])
    backup = pc.coalesce(rows_of(people.mobile, kin), people.backup_mobile)
    settled = replace(
        people,
        name=_with_surnames(people.name, named),
        household=kin,
        backup_mobile=backup,
        email=pc.coalesce(rows_of(people.email, mailing), people.email),
        devices=(people.devices[0], only(people.uses_app, second_device)),
        address=people.address.take(pa.array(source)),
        place=people.place[source],
        dealer=people.dealer[source],
    )
    return settled, families


def _draw_families(rng: Generator, people: People) -> Households:
    paired = people.household >= 0
    paired[people.household[paired]] = True
    free = rng.permutation(np.flatnonzero(~paired))[: max(8, int(len(people) * SHARE))]
    sizes = rng.choice([2, 3, 4], len(free), p=(0.5, 0.3, 0.2))
    sizes = sizes[np.cumsum(sizes) <= len(free)]
    number = np.repeat(np.arange(len(sizes)), sizes)
    person = free[: len(number)]
    order = np.lexsort((person, people.birth[person], number))  # the oldest first: the head
    person = person[order]
    starts = np.r_[True, number[1:] != number[:-1]]
    head = person[np.maximum.accumulate(np.where(starts, np.arange(len(number)), 0))]
    role = np.where(people.birth[person] - people.birth[head] >= GENERATION, CHILD, SIBLING)
    role[starts] = HEAD
    second = np.r_[False, starts[:-1]] & ~starts & (role == SIBLING)
    role[second] = SPOUSE
    other = role != HEAD
    both = people.uses_app[person] & people.uses_app[head]
    has_mail = people.email.is_valid().to_numpy(zero_copy_only=False)[head]
    return Households(
        number=number,
        person=person,
        head=head,
        role=role,
        shares_phone=other & (rng.random(len(person)) < 0.8),
        shares_email=other & has_mail & (rng.random(len(person)) < 0.5),
        shares_tablet=other & both & (rng.random(len(person)) < 0.6),
    )


def _with_surnames(name: pa.Array, source: Array) -> pa.Array:
    """Return the names, with the surname of another person where `source` names one."""
    own, theirs = surname_lengths(name), surname_lengths(rows_of(name, source))
    taken = pc.utf8_slice_codeunits(rows_of(name, source), 0, 1)
    long = pc.utf8_slice_codeunits(rows_of(name, source), 0, 2)
    surname = pc.if_else(pc.equal(pc.fill_null(theirs, 1), 2), long, taken)
    given = chosen(
        pc.equal(own, 2).to_numpy(zero_copy_only=False),
        pc.utf8_slice_codeunits(name, 2),
        pc.utf8_slice_codeunits(name, 1),
    )
    return pc.coalesce(pc.binary_join_element_wise(surname, given, ""), name)


def surname_lengths(name: pa.Array) -> pa.Array:
    """Return how many characters of each name are its surname."""
    is_long = pc.is_in(pc.utf8_slice_codeunits(name, 0, 2), pa.array(RARE_SURNAMES))
    lengths = pc.if_else(is_long, 2, 1)
    return pc.if_else(pc.is_valid(name), lengths, pa.scalar(None, lengths.type))


def role_names(role: Array) -> pa.Array:
    """Return the names of roles within a family."""
    return pick(ROLES, role)
