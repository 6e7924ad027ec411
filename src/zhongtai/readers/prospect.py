"""From an ADF prospect to the columns of its contract."""

import html
import re
from xml.etree.ElementTree import XML, Element, ParseError

# The columns in which any run of blanks becomes one.
COLLAPSED = ("address",)
IDEOGRAPHS = "[\u3400-\u9fff\U00020000-\U0003ffff]"
_SPACES = re.compile(r"\s+")
_IDEOGRAPH = re.compile(IDEOGRAPHS)
_COMMENTS = re.compile(r"(<comments\b[^>/]*>)(.*?)(</comments\s*>)", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(r"&(?:(#\d+|#x[0-9a-f]+|amp|lt|gt|quot|apos);|(\w+;))?", re.IGNORECASE)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_MAX_DEPTH = 32
_GIVEN_AWAY = ("trade-in", "tradein", "sell")
_MOBILE = ("cellphone", "mobile", "cell")
_COLUMNS = {
    "id": "id",
    "email": "customer/contact/email",
    "city": "customer/contact/address/city",
    "regioncode": "customer/contact/address/regioncode",
    "comments": "customer/comments",
    "vendor_id": "vendor/id",
    "provider_name": "provider/name",
    "requestdate": "requestdate",
}
_VEHICLE_COLUMNS = {
    "vehicle_year": "year",
    "vehicle_make": "make",
    "vehicle_model": "model",
    "vehicle_trim": "trim",
}


def parse_prospect(text: str) -> Element | None:
    """The element, or None where the text is not well-formed.

    `text` begins with the tag of the prospect, so no declaration can stand in it, and no entity be
    defined: the plain parser is safe here, and ten times as fast as a guarded one.
    """
    if text[:9].lower() != "<prospect":
        return None
    try:
        element = XML(text)
    except (ParseError, ValueError):
        return None
    return element if _is_flat(element) else None


def _is_flat(prospect: Element) -> bool:
    """Whether no element lies deeper than a lead has levels, with room to spare."""
    level = list(prospect)
    for _ in range(_MAX_DEPTH):
        if not level:
            return True
        level = [child for element in level for child in element]
    return False


def escape_comments(text: str) -> str:
    """Make markup within comments text: HTML there is a value, not structure."""

    def escape(match: re.Match[str]) -> str:
        if "<![CDATA[" in match[2] or "<" not in match[2]:
            return match[0]
        return match[1] + match[2].replace("<", "&lt;").replace(">", "&gt;") + match[3]

    return _COMMENTS.sub(escape, text)


def mend_prospect(text: str) -> str:
    """Escape bare ampersands, resolve the entities of HTML, drop forbidden characters."""

    def resolve(match: re.Match[str]) -> str:
        if match[1]:
            return match[0]
        known = html.unescape(match[0]) if match[2] else match[0]
        return known if match[2] and known != match[0] else "&amp;" + match[0][1:]

    return _ENTITY.sub(resolve, _FORBIDDEN.sub("", text))


def read_prospect(prospect: Element) -> dict[str, str]:
    """The columns of a prospect by delivered name; what has no column under its path.

    `source` is the attribute of the id, else the provider's name. Chinese names are joined last
    name first, others first name first.
    """
    _simplify(prospect)
    found = _Found(prospect)
    values: dict[str, str | None] = {name: found.text(path) for name, path in _COLUMNS.items()}
    identifier = found.first("id")
    vehicle = found.vehicle
    values["source"] = identifier.get("source") if identifier is not None else None
    values["source"] = values["source"] or values["provider_name"]
    values["vehicle_interest"] = vehicle.get("interest") if vehicle is not None else None
    for name, part in _VEHICLE_COLUMNS.items():
        values[name] = found.take(None if vehicle is None else vehicle.find(part))
    values["name"] = _join_name(found)
    values["phone"] = _pick_phone(found)
    values["address"] = _join_address(found)
    columns = {name: value for name, value in values.items() if value is not None}
    return columns | found.others()


def _simplify(prospect: Element) -> None:
    """Names of elements and attributes without name space and in lower case."""
    for element in prospect.iter():
        if not element.tag.islower() or "}" in element.tag:
            element.tag = element.tag.rsplit("}", 1)[-1].lower()
        if element.attrib:
            element.attrib = {name.lower(): value for name, value in element.attrib.items()}


class _Found:
    """The elements of a prospect by path, and which of them a column took."""

    def __init__(self, prospect: Element) -> None:
        self._by_path: dict[str, list[Element]] = {}
        self._leaves: list[tuple[str, Element]] = []
        self._used: set[Element] = set()
        self._walk(prospect, "")
        self.vehicle = self._pick_vehicle()

    def _walk(self, element: Element, path: str) -> None:
        for child in element:
            at = path + child.tag
            self._by_path.setdefault(at, []).append(child)
            if len(child):
                self._walk(child, f"{at}/")
            elif child.text:
                self._leaves.append((at, child))

    def _pick_vehicle(self) -> Element | None:
        """The first vehicle that is wanted; one given away says nothing about the wish."""
        vehicles = self.all("vehicle")
        wanted = [v for v in vehicles if v.get("interest", "").lower() not in _GIVEN_AWAY]
        return next(iter(wanted or vehicles), None)

    def all(self, path: str) -> list[Element]:
        """The elements at a path."""
        return self._by_path.get(path, [])

    def first(self, path: str) -> Element | None:
        """The first element at a path."""
        return next(iter(self.all(path)), None)

    def take(self, element: Element | None) -> str | None:
        """The text of an element, which is used up by that."""
        if element is None:
            return None
        self._used.add(element)
        return _text(element)

    def text(self, path: str) -> str | None:
        """The text of the first element at a path, which is used up by that."""
        return self.take(self.first(path))

    def others(self) -> dict[str, str]:
        """Filled leaf elements that no column took, by path; `#2` marks a second one."""
        others: dict[str, str] = {}
        for path, element in self._leaves:
            text = _text(element)
            if element in self._used or not text:
                continue
            name, number = path, 2
            while name in others:
                name, number = f"{path}#{number}", number + 1
            others[name] = text
        return others


def _text(element: Element) -> str:
    if len(element):
        return "".join(element.itertext()).strip()
    return (element.text or "").strip()


def _join_name(found: _Found) -> str | None:
    parts: dict[str, str] = {}
    for name in found.all("customer/contact/name"):
        part = name.get("part", "full").lower()
        if part not in parts and _text(name):
            parts[part] = found.take(name) or ""
    if not parts or "full" in parts:
        return parts.get("full")
    if any(_IDEOGRAPH.search(part) for part in parts.values()):
        order, separator = ("last", "middle", "first"), ""
    else:
        order, separator = ("first", "middle", "last"), " "
    known = [parts[part] for part in order if part in parts]
    return separator.join(known or parts.values())


def _pick_phone(found: _Found) -> str | None:
    """A mobile number where one is marked so, else the first that is filled."""
    filled = [phone for phone in found.all("customer/contact/phone") if _text(phone)]
    mobile = [phone for phone in filled if phone.get("type", "").lower() in _MOBILE]
    return found.take(next(iter(mobile or filled), None))


def _join_address(found: _Found) -> str | None:
    address = found.first("customer/contact/address")
    if address is None:
        return None
    streets = found.all("customer/contact/address/street")
    lines = [found.take(street) for street in streets] or [address.text]
    if not len(address):
        found.take(address)
    return collapse_blanks(" ".join(line for line in lines if line))


def collapse_blanks(text: str) -> str:
    """The text with single spaces for runs of blanks, and none around it."""
    return _SPACES.sub(" ", text).strip()
