"""Values that belong to a shop and not to a customer: phones, a kiosk, a browser, an e-mail."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.draws import (
    LOWER_HEX,
    Array,
    Generator,
    codes,
    draw_from,
    joined,
    padded,
    rows_of,
)
from zhongtai.generate.people import People, phones
from zhongtai.generate.places import Dealers, Staff

LEAST, MOST = 16, 300  # customers of a hub; some of them leave no trace
SERVED = 48  # customers under one adviser's number, at most


@dataclass(frozen=True)
class Hubs:
    """One value per hub of a kind, and the dealer at which it stands.

    `advisers` are indexes of staff who type their own number into their customers' records.
    """

    store_dealer: Array
    store_phone: pa.Array
    advisers: Array
    mail_dealer: Array
    email: pa.Array
    kiosk_dealer: Array
    kiosk: pa.Array
    browser_dealer: Array
    browser: pa.Array

    def size(self, people: int) -> int:
        """Return how many customers one hub has in a world of `people`."""
        return min(max(LEAST, people // 40), MOST)


def build_hubs(seed: int, people: int, dealers: Dealers, staff: Staff) -> Hubs:
    """Return the hubs: some dealers have them, most do not."""
    rng = draw_from(seed, "hubs")
    count = len(dealers)
    stores, mails, kiosks, browsers = (
        np.sort(rng.choice(count, max(1, count // share), replace=False))
        for share in (5, 10, 10, 10)
    )
    plain = staff.advisers[staff.person[staff.advisers] < 0]
    advisers = plain[:: max(1, len(plain) // max(1, len(staff.advisers) // 25))]
    number = padded(np.arange(len(mails)) + 1, 3)
    return Hubs(
        store_dealer=stores,
        store_phone=phones(seed, np.arange(len(stores)) + 6 * people),
        advisers=advisers[: max(1, len(staff.advisers) // 25)],
        mail_dealer=mails,
        email=joined("service", number, "@store.example.com"),
        kiosk_dealer=kiosks,
        kiosk=codes(rng, len(kiosks), 16, LOWER_HEX),
        browser_dealer=browsers,
        browser=joined(
            codes(rng, len(browsers), 8, LOWER_HEX),
            "-5b0f-4c1e-",
            codes(rng, len(browsers), 12, LOWER_HEX),
        ),
    )


def use_shared_devices(seed: int, people: People, hubs: Hubs) -> People:
    """Return the persons, of whom some use the kiosk or the browser of a shop besides their own."""
    rng = draw_from(seed, "shared devices")
    size = hubs.size(len(people))
    members = people.uses_website & people.uses_app
    used = []
    for second, dealer, values, uses in (
        (people.devices[1], hubs.kiosk_dealer, hubs.kiosk, people.uses_app),
        (people.visitors[1], hubs.browser_dealer, hubs.browser, members),
    ):
        free = np.flatnonzero(uses & second.is_null().to_numpy(zero_copy_only=False))
        hub = customers_near(rng, people, free, dealer, size)
        used.append(pc.coalesce(rows_of(values, hub), second))
    return replace(
        people,
        devices=(people.devices[0], used[0]),
        visitors=(people.visitors[0], used[1]),
    )


def customers_near(rng: Generator, people: People, free: Array, dealer: Array, size: int) -> Array:
    """Return per person which of the shops at `dealer` counts it among its `size` customers.

    -1 for none. Neighbours come first, others fill up; nobody is a customer of two.
    """
    found = np.full(len(people), -1)
    for number, place in enumerate(dealer):
        left = rng.permutation(free[found[free] < 0])
        near = people.dealer[left] == place
        found[left[np.argsort(~near, kind="stable")][:size]] = number
    return found
