"""People who leave records in seven sources, and the files that the sources make of them.

Every value is drawn here, so what belongs together is known without asking anybody. Nobody has a
name or a birth date and each has one of every identifier: no guard rail has a reason to act.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from simulated_ledger import File, Mark, Row

SHANGHAI = timezone(timedelta(hours=8))
START = datetime(2026, 3, 1, tzinfo=SHANGHAI)
COMPLETION = {
    "app.events": "done",
    "miniprogram.events": "done",
    "website.visits": "done",
    "website.pages": "done",
    "crm.contacts": "manifest",
    "crm.leads": "manifest",
    "crm.follow_ups": "manifest",
    "dms.customers": "stable",
    "dms.store_visits": "stable",
    "partner.members": "manifest",
    "workforce.staff": "manifest",
}
IMMUTABLE = frozenset(
    ("app.events", "miniprogram.events", "website.visits", "website.pages", "crm.follow_ups",
     "dms.store_visits")
)  # fmt: skip
NEW_KEY = "客户编号"
ADDED = "会员积分"
_JSON = ("app.events", "miniprogram.events")
_ENCODINGS = {"crm": "gb18030", "dms": "gb18030"}
_TIMES = {"crm.follow_ups": "跟进时间", "crm.leads": "线索创建时间", "dms.store_visits": "到店时间"}
_WORD = re.compile(r"[0-9A-Za-z_.@+-]{6,}")
Cells = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """What sources call one person. `role` says whether people may decide about the records."""

    number: int
    phone: str
    role: str = ""

    def value(self, kind: str) -> str:
        """The person's own identifier of a kind."""
        return self.phone if kind == "mobile" else f"{kind}{self.phone[3:]}"


@dataclass
class World:
    """Draws rows and files; `headers` are the delivered columns of each entity."""

    seed: int
    headers: Mapping[str, Sequence[str]]
    has_added_column: bool = False
    persons: list[Person] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    told: dict[str, list[tuple[Row, Cells]]] = field(default_factory=dict)
    leads: list[tuple[str, Person, datetime]] = field(default_factory=list)
    ticks: int = 0

    def __post_init__(self) -> None:
        self.random = Random(f"world {self.seed}")  # noqa: S311

    def moment(self, day: int) -> datetime:
        """A moment of a day, later than any that was given before for this day."""
        self.ticks += 1
        return START + timedelta(days=day, hours=1, seconds=self.ticks % 36_000)

    def person(self) -> Person:
        """Somebody known or, more often at first, somebody new; nobody with a role."""
        plain = [p for p in self.persons if not p.role]
        if plain and self.random.random() < len(plain) / (len(plain) + 4):
            return self.random.choice(plain)
        return self.newcomer()

    def newcomer(self, role: str = "") -> Person:
        """Somebody new."""
        number = len(self.persons)
        phone = f"13{self.random.choice('56789')}{self.seed % 1000:03d}{number * 37 % 10_000:04d}"
        person = Person(number, f"{phone}{number % 10}", role)
        self.persons.append(person)
        return person

    def draw(self, entity: str, day: int, rows: int) -> list[tuple[Row, Cells]]:
        """Rows of an entity, some of them told before, some with a fault."""
        known = self.told.setdefault(entity, [])
        drawn = []
        for _ in range(rows):
            if known and self.random.random() < 0.15:
                drawn.append(self.random.choice(known))
                continue
            row, cells = _DRAW[entity](self, self.person(), self.moment(day))
            drawn.append(self._spoil(entity, row, cells))
            if not drawn[-1][0].fault:
                known.append(drawn[-1])
        return drawn

    def tell(self, entity: str, person: Person, day: int) -> tuple[Row, Cells]:
        """One sound row of an entity about a person with a role, which names only the phone."""
        drawn = _DRAW[entity](self, person, self.moment(day))
        self.told.setdefault(entity, []).append(drawn)
        return drawn

    def _spoil(self, entity: str, row: Row, cells: Cells) -> tuple[Row, Cells]:
        """The row, in one of ten cases with a fault that sets it aside."""
        fault = self.random.choices(("", "no_key", "no_time", "ahead", "broken"), (36, 1, 1, 1, 1))
        match fault[0]:
            case "no_key" if entity not in _JSON:
                key = next(iter(cells))
                marks = row.marks - {row.subject}
                names = row.names - {row.key, cells[key]}
                lost = replace(row, fault="no_key", subject=None, marks=marks, names=names)
                return lost, cells | {key: " "}
            case "no_time" if entity in _TIMES and entity in IMMUTABLE:
                return replace(row, fault="no_time"), cells | {_TIMES[entity]: "soon"}
            case "ahead" if entity in _TIMES and row.at:
                late = row.at + timedelta(days=3)
                return replace(row, at=late), cells | {_TIMES[entity]: _local(late)}
            case "broken" if entity in _JSON:
                return Row("", fault="broken"), {}
        return row, cells

    def name(self, kind: str, person: Person) -> str:
        """The person's value of a kind, remembered with its kind."""
        value = person.value(kind)
        self.kinds[value] = kind
        return value

    def chance(self, share: float, person: Person) -> bool:
        """Whether something holds; of people with a role only what everything hangs on."""
        return not person.role and self.random.random() < share

    def file(
        self, entity: str, label: str, drawn: Sequence[tuple[Row, Cells]], modified: datetime
    ) -> File:
        """The file that a source makes of these rows."""
        rows = tuple(row for row, _ in drawn)
        source = entity.partition(".")[0]
        if entity in _JSON:
            text = "".join(
                f"{json.dumps(cells, ensure_ascii=False)}\n" if cells else '{"type": "tr\n'
                for _, cells in drawn
            )
        else:
            text = self._delimited(entity, [cells for _, cells in drawn])
        content = text.encode(_ENCODINGS.get(source, "utf-8"))
        if label.endswith(".gz"):
            content = gzip.compress(content, mtime=0)
        words = frozenset(_WORD.findall(text))
        return File(entity, label, content, rows, modified.astimezone(UTC), len(rows), words)

    def _delimited(self, entity: str, cells: Sequence[Cells]) -> str:
        header = list(self.headers[entity])
        if entity == "crm.contacts" and self.has_added_column:
            header.append(ADDED)
        text = io.StringIO()
        writer = csv.DictWriter(text, header, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(cells)
        return text.getvalue()


def rename_key(file: File) -> File:
    """The same file with another name for its key column."""
    content = file.content.replace("客户ID".encode("gb18030"), NEW_KEY.encode("gb18030"), 1)
    return replace(file, content=content, has_new_header=True)


def cut_short(file: File) -> File:
    """What is left when a transfer breaks off: a packed stream that ends early, or lines less.

    Of delimited text the last row goes, so that what is left is sound in itself.
    """
    if file.label.endswith(".gz"):
        content = file.content[: len(file.content) * 2 // 3]
        left = zlib.decompressobj(31).decompress(content).decode("utf-8", "ignore")
        lines = [line for line in left.split("\n")[not file.label.endswith("jsonl.gz") :] if line]
        words = frozenset(_WORD.findall(left))
        return replace(file, content=content, is_cut=True, countable=len(lines), words=words)
    lines = file.content.splitlines(keepends=True)
    left = b"".join(lines[:-1])
    words = frozenset(_WORD.findall(left.decode("gb18030", "ignore")))
    rows = file.rows[:-1]
    return replace(file, content=left, rows=rows, countable=len(rows), words=words)


def _local(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _contact(world: World, person: Person, at: datetime) -> tuple[Row, Cells]:
    key = world.name("crm_customer_id", person)
    cells: Cells = {"客户ID": key, "创建时间": _local(at), "更新时间": _local(at), ADDED: "7"}
    names = {key}
    if person.role or world.random.random() < 0.8:
        cells["手机号"] = world.name("mobile", person)
    if world.chance(0.5, person):
        cells["微信UnionID"] = world.name("unionid", person)
    names |= {cells[c] for c in ("手机号", "微信UnionID") if c in cells}
    return _record("crm.contacts", key, names, updated=at, has_phone="手机号" in cells), cells


def _lead(world: World, person: Person, at: datetime) -> tuple[Row, Cells]:
    own = [lead for lead in world.leads if lead[1] is person]
    if own and world.random.random() < 0.5:
        key, _, created = world.random.choice(own)
    else:
        key, created = f"LEAD{person.phone[3:]}{len(world.leads)}", at
        world.leads.append((key, person, created))
    cells: Cells = {"线索唯一ID": key, "线索创建时间": _local(created), "更新时间": _local(at)}
    names: set[str] = set()
    if person.role or world.random.random() < 0.7:
        cells["手机号"] = world.name("mobile", person)
    if world.chance(0.4, person):
        cells["客户ID"] = world.name("crm_customer_id", person)
    names |= {cells[c] for c in ("手机号", "客户ID") if c in cells}
    return _record("crm.leads", key, names, updated=at, at=created), cells


def _follow_up(world: World, person: Person, at: datetime) -> tuple[Row, Cells]:
    lead = world.random.choice(world.leads)[0] if world.leads else f"LEAD{person.phone[3:]}none"
    key = f"FOLLOW{world.ticks}"
    cells = {"跟进ID": key, "线索唯一ID": lead, "跟进时间": _local(at)}
    return Row(key, marks=frozenset({("crm.leads", lead)}), at=at), cells


def _customer(world: World, person: Person, at: datetime) -> tuple[Row, Cells]:
    dealer = f"DEAL0{world.random.randrange(3)}"
    number = person.value("dmsno")
    key = f"{dealer}|{number}"
    world.kinds[key] = "dms_customer_id"
    cells: Cells = {
        "经销商代码": dealer, "DMS客户号": number, "客户性质": "个人", "最后更新": _local(at)
    }  # fmt: skip
    names = {key}
    if world.random.random() < 0.8:
        cells["手机"] = world.name("mobile", person)
        names.add(cells["手机"])
    return _record("dms.customers", key, names, updated=at), cells


def _store_visit(world: World, person: Person, at: datetime) -> tuple[Row, Cells]:
    key, phone = f"STORE{world.ticks}", world.name("mobile", person)
    cells = {"接待单号": key, "经销商代码": "DEAL01", "手机": phone, "到店时间": _local(at)}
    return _record("dms.store_visits", key, {phone}, at=at), cells


def _member(world: World, person: Person, at: datetime) -> tuple[Row, Cells]:
    key = world.name("member_code", person)
    cells: Cells = {"member_code": key, "kind": "迈享客", "updated_at": _local(at)}
    names = {key}
    if world.random.random() < 0.6:
        cells["mobile"] = world.name("mobile", person)
    if world.random.random() < 0.6:
        cells["unionid"] = world.name("unionid", person)
    names |= {cells[c] for c in ("mobile", "unionid") if c in cells}
    return _record("partner.members", key, names, updated=at), cells


def _staff(world: World, person: Person, at: datetime) -> tuple[Row, Cells]:
    key = f"STAFF{world.random.randrange(9)}"
    return Row(key, updated=at), {"staff_id": key, "role": "客服", "updated_at": _local(at)}


def _app_event(world: World, person: Person, at: datetime) -> tuple[Row, Cells]:
    device = world.name("anonymous_id", person)
    identities = {"$identity_anonymous_id": device}
    subject = device
    if world.random.random() < 0.5:
        subject = world.name("login_id", person)
        identities["$identity_login_id"] = subject
    return _event("app.events", world, at, subject, identities)


def _mini_event(world: World, person: Person, at: datetime) -> tuple[Row, Cells]:
    openid = world.name("openid", person)
    identities = {"$identity_mp_wx1_openid": openid}
    if world.random.random() < 0.5:
        identities["$identity_mp_unionid"] = world.name("unionid", person)
    return _event("miniprogram.events", world, at, openid, identities)


def _event(
    entity: str, world: World, at: datetime, subject: str, identities: dict[str, str]
) -> tuple[Row, Cells]:
    cells: Cells = {
        "type": "track", "event": "ViewSeries", "distinct_id": subject, "time": _ms(at),
        "_track_id": world.ticks, "_flush_time": _ms(at) + 500, "identities": identities,
        "properties": {"series_code": "S1"},
    }  # fmt: skip
    key = f"track|ViewSeries|{subject}|{_ms(at)}|{world.ticks}"
    names = frozenset({subject, *identities.values()})
    return Row(key, names, frozenset({(entity, subject)}), (entity, subject), at=at), cells


def _visit(world: World, person: Person, at: datetime) -> tuple[Row, Cells]:
    visitor = world.name("visitor_id", person)
    cells = {
        "visitUserId": visitor, "sessionId": "s1", "time": _ms(at), "vstRequestId": world.ticks
    }  # fmt: skip
    return _seen(f"{visitor}|s1|{world.ticks}", visitor, {visitor}, at), cells


def _page(world: World, person: Person, at: datetime) -> tuple[Row, Cells]:
    visitor = world.name("visitor_id", person)
    cells: Cells = {
        "visitUserId": visitor, "sessionId": "s1", "time": _ms(at), "pageRequestId": world.ticks
    }  # fmt: skip
    names = {visitor}
    if world.random.random() < 0.4:
        cells["loginUserId"] = world.name("login_id", person)
        names.add(cells["loginUserId"])
    return _seen(f"{visitor}|s1|{world.ticks}", visitor, names, at), cells


def _seen(key: str, visitor: str, names: set[str], at: datetime) -> Row:
    mark = ("website.visits", visitor)
    return Row(key, frozenset(names), frozenset({mark}), mark, at=at)


def _record(
    entity: str,
    key: str,
    names: set[str],
    *,
    updated: datetime | None = None,
    at: datetime | None = None,
    has_phone: bool = True,
) -> Row:
    mark: Mark = (entity, key)
    return Row(key, frozenset(names), frozenset({mark}), mark, updated, at, has_phone=has_phone)


_DRAW: dict[str, Callable[[World, Person, datetime], tuple[Row, Cells]]] = {
    "app.events": _app_event,
    "miniprogram.events": _mini_event,
    "website.visits": _visit,
    "website.pages": _page,
    "crm.contacts": _contact,
    "crm.leads": _lead,
    "crm.follow_ups": _follow_up,
    "dms.customers": _customer,
    "dms.store_visits": _store_visit,
    "partner.members": _member,
    "workforce.staff": _staff,
}
