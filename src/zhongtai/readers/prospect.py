"""From an ADF prospect to the columns of its contract."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

_SPACES = re.compile(r"\s+")
_IDEOGRAPH = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
_GIVEN_AWAY = ("trade-in", "tradein", "sell")
_MOBILE = ("cellphone", "mobile", "cell")
_COLUMNS = {
    "vehicle_year": "vehicle/year",
    "vehicle_make": "vehicle/make",
    "vehicle_model": "vehicle/model",
    "vehicle_trim": "vehicle/trim",
    "email": "customer/contact/email",
    "city": "customer/contact/address/city",
    "regioncode": "customer/contact/address/regioncode",
    "comments": "customer/comments",
    "vendor_id": "vendor/id",
    "provider_name": "provider/name",
    "requestdate": "requestdate",
}


def read_prospect(prospect: Element) -> dict[str, str]:
    """The columns of a prospect by delivered name; what has no column under its path.

    `source` is the attribute of the id, else the provider's name. Chinese names are joined last
    name first, others first name first.
    """
    for element in prospect.iter():
        element.tag = element.tag.rsplit("}", 1)[-1].lower()
        element.attrib = {name.lower(): value for name, value in element.attrib.items()}
    used: set[Element] = set()
    vehicle = _pick_vehicle(prospect)
    values: dict[str, str | None] = {}
    for name, path in _COLUMNS.items():
        inside = path.startswith("vehicle/") and vehicle is not None
        found = vehicle.find(path[8:]) if inside and vehicle is not None else prospect.find(path)
        values[name] = _take(found, used)
    identifier = prospect.find("id")
    values["id"] = _take(identifier, used)
    values["source"] = identifier.get("source") if identifier is not None else None
    values["source"] = values["source"] or values["provider_name"]
    values["vehicle_interest"] = vehicle.get("interest") if vehicle is not None else None
    contact = prospect.find("customer/contact")
    if contact is not None:
        values["name"] = _join_name(contact.findall("name"), used)
        values["phone"] = _pick_phone(contact.findall("phone"), used)
        values["address"] = _join_address(contact.find("address"), used)
    columns = {name: value for name, value in values.items() if value is not None}
    return columns | dict(_leaves(prospect, used))


def _text(element: Element) -> str:
    return "".join(element.itertext()).strip()


def _take(element: Element | None, used: set[Element]) -> str | None:
    """The text of an element, which is used up by that."""
    if element is None:
        return None
    used.add(element)
    return _text(element)


def _pick_vehicle(prospect: Element) -> Element | None:
    """The first vehicle that is wanted; one given away says nothing about the wish."""
    vehicles = prospect.findall("vehicle")
    wanted = [v for v in vehicles if v.get("interest", "").lower() not in _GIVEN_AWAY]
    return next(iter(wanted or vehicles), None)


def _join_name(names: list[Element], used: set[Element]) -> str | None:
    parts: dict[str, str] = {}
    for name in names:
        text = _text(name)
        if text and name.get("part", "full").lower() not in parts:
            parts[name.get("part", "full").lower()] = text
            used.add(name)
    if not parts or "full" in parts:
        return parts.get("full")
    if any(_IDEOGRAPH.search(part) for part in parts.values()):
        order, separator = ("last", "middle", "first"), ""
    else:
        order, separator = ("first", "middle", "last"), " "
    known = [parts[part] for part in order if part in parts]
    return separator.join(known or parts.values())


def _pick_phone(phones: list[Element], used: set[Element]) -> str | None:
    """A mobile number where one is marked so, else the first that is filled."""
    filled = [phone for phone in phones if _text(phone)]
    mobile = [phone for phone in filled if phone.get("type", "").lower() in _MOBILE]
    return _take(next(iter(mobile or filled), None), used)


def _join_address(address: Element | None, used: set[Element]) -> str | None:
    if address is None:
        return None
    streets = address.findall("street")
    lines = [_take(street, used) for street in streets] or [address.text]
    if not len(address):
        used.add(address)
    return _SPACES.sub(" ", " ".join(line for line in lines if line)).strip()


def _leaves(prospect: Element, used: set[Element]) -> Iterator[tuple[str, str]]:
    """Filled leaf elements that no column took, by path; `#2` marks a second one."""
    seen: dict[str, int] = {}

    def walk(element: Element, path: str) -> Iterator[tuple[str, str]]:
        for child in element:
            at = f"{path}{child.tag}"
            if len(child):
                yield from walk(child, f"{at}/")
            elif child not in used and (text := _text(child)):
                seen[at] = seen.get(at, 0) + 1
                yield (at if seen[at] == 1 else f"{at}#{seen[at]}"), text

    yield from walk(prospect, "")
