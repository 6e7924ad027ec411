"""Tags that people set at the command line: recorded in PostgreSQL, applied by every build.

A statement stands on what was named. One about a record follows the record, one about an identifier
whoever has it, one about a person the one_id and what it became.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from zhongtai.database import connect
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.identity.references import Reference, parse_reference
from zhongtai.masks import mask_asked
from zhongtai.settings import Settings
from zhongtai.tags.catalogue import load_tags
from zhongtai.tags.model import Tag
from zhongtai.warehouse import open_build

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Named = Literal["record", "identifier", "person"]
_ONE_ID = re.compile(r"u_\w+")
_COLUMNS = (
    "statement_id, tag_id, value, subject, source, entity, record_key, identifier_type,"
    " identifier_value, one_id, author, reason, said_at, expires_at"
)
_INSERT = (
    "insert into tags.statements (tag_id, value, subject, source, entity, record_key,"  # noqa: S608
    " identifier_type, identifier_value, one_id, author, reason, expires_at)"
    f" values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning {_COLUMNS}"
)
_HINT = (
    "name a person by one_id, by a record as SOURCE:ENTITY:KEY, or by an identifier like"
    " mobile=13812345678"
)


@dataclass(frozen=True)
class Subject:
    """What names a person; the fields of the other two ways are None."""

    named: Named
    reference: Reference | None = None
    identifier_type: str | None = None
    identifier_value: str | None = None
    one_id: str | None = None

    def __str__(self) -> str:
        """The subject with what is personal masked."""
        if self.reference:
            return mask_asked(str(self.reference))
        if self.named == "identifier":
            value = self.identifier_value or ""
            shown = f"{value[: min(len(value) // 4, 3)]}…{value[-min(len(value) // 3, 4) :]}"
            return f"{self.identifier_type}={shown}"
        return str(self.one_id)


@dataclass(frozen=True)
class Statement:
    """Something that was said of a tag; without a value the tag was taken back. Times are aware."""

    statement_id: int
    tag_id: str
    value: str | None
    subject: Subject
    author: str
    reason: str
    said_at: datetime
    expires_at: datetime | None

    def __str__(self) -> str:
        what = f"{self.tag_id} = {self.value}" if self.value else f"{self.tag_id} taken back"
        until = f", until {self.expires_at:%Y-%m-%d %H:%M} UTC" if self.expires_at else ""
        return f"statement {self.statement_id}: {what} for {self.subject}{until}"


def read_subject(text: str) -> Subject:
    """What a person is named by. Raises ConfigurationError for anything else."""
    if "=" in text:
        kind, _, value = (part.strip() for part in text.partition("="))
        if kind and value:
            return Subject("identifier", identifier_type=kind, identifier_value=_tidy(kind, value))
    elif ":" in text:
        return Subject("record", parse_reference(text))
    elif _ONE_ID.fullmatch(text):
        return Subject("person", one_id=text)
    raise ConfigurationError(f"{mask_asked(text)!r} names no person", hint=_HINT)


def state(  # noqa: PLR0913  # what a statement consists of
    settings: Settings,
    tag_id: str,
    person: str,
    value: str | None,
    *,
    author: str,
    because: str,
    expires_at: datetime | None = None,
) -> Statement:
    """Record a value of a tag for a person, or with None that the tag is taken back.

    Raises ConfigurationError for a tag that people do not set or a value that is none of it, and
    ZhongtaiError where the published snapshot knows nobody, or several, by what was named.
    """
    tag = _require_manual(settings, tag_id)
    value = None if value is None else _check_value(tag, value)
    _refuse_unclear(author, because, expires_at)
    subject = _find_subject(settings, read_subject(person))
    record = subject.reference
    named = (record.source, record.entity, record.record_key) if record else (None, None, None)
    with connect(settings) as connection:
        row = connection.execute(
            _INSERT,
            [
                *(tag_id, value, subject.named, *named),
                *(subject.identifier_type, subject.identifier_value, subject.one_id),
                *(author, because, expires_at),
            ],
        ).fetchone()
    return _read(row or ())


def list_statements(settings: Settings, tag_id: str | None = None) -> list[Statement]:
    """Every statement that was recorded, or those about a tag, oldest first."""
    with connect(settings) as connection:
        rows = connection.execute(
            f"select {_COLUMNS} from tags.statements"  # noqa: S608  # our own names
            " where %s::text is null or tag_id = %s order by statement_id",
            [tag_id, tag_id],
        ).fetchall()
    return [_read(row) for row in rows]


def load_statements(settings: Settings) -> int:
    """Write `tags.statements` of the working file, times as naive UTC; how many there are.

    Writes build.duckdb, so the caller holds the build.
    """
    found = list_statements(settings)
    texts: dict[str, list[str | None]] = {
        "tag_id": [s.tag_id for s in found],
        "value": [s.value for s in found],
        "subject": [s.subject.named for s in found],
        **{
            name: [getattr(s.subject.reference, name, None) for s in found]
            for name in ("source", "entity", "record_key")
        },
        **{
            name: [getattr(s.subject, name) for s in found]
            for name in ("identifier_type", "identifier_value", "one_id")
        },
    }
    times: dict[str, list[datetime | None]] = {
        "said_at": [s.said_at for s in found],
        "expires_at": [s.expires_at for s in found],
    }
    table = pa.table(
        {
            "statement_id": pa.array([s.statement_id for s in found], pa.int64()),
            **{name: pa.array(values, pa.string()) for name, values in texts.items()},
            **{
                name: pa.array([t and t.replace(tzinfo=None) for t in values], pa.timestamp("us"))
                for name, values in times.items()
            },
        }
    )
    with open_build(settings) as connection:
        connection.execute("create schema if not exists tags")
        connection.register("said", table)
        connection.execute("create or replace table tags.statements as from said")
        connection.unregister("said")
    return len(found)


def _require_manual(settings: Settings, tag_id: str) -> Tag:
    tags = load_tags(settings.project_dir)
    settable = sorted(tag.tag_id for tag in tags.published if tag.is_manual)
    if tag_id in settable:
        return tags[tag_id]
    what = (
        f"{tag_id} is given by its rule, so nobody sets it"
        if tag_id in tags and tags[tag_id].is_published
        else f"there is no published tag {tag_id}"
    )
    raise ConfigurationError(what, hint="tags that people set: " + ", ".join(settable))


def _refuse_unclear(author: str, because: str, expires_at: datetime | None) -> None:
    for name, text in (("author", author), ("reason", because)):
        if not text.strip():
            raise ConfigurationError(
                f"the {name} of the statement is empty",
                hint="say who sets the tag and why: --author NAME --because REASON",
            )
    if expires_at is not None and expires_at <= datetime.now(expires_at.tzinfo):
        raise ConfigurationError(
            f"--expires {expires_at:%Y-%m-%d %H:%M} UTC is past", hint="give a moment to come"
        )


def _check_value(tag: Tag, value: str) -> str:
    value = value.strip()
    if tag.value_type == "boolean":
        if value.lower() not in ("true", "false"):
            raise ConfigurationError(
                f"{tag.tag_id} is a tag of yes or no, not {value!r}",
                hint="leave --value away for yes, or use `zhongtai tags clear`",
            )
        return value.lower()
    if not value or value.lower() == "true":
        raise ConfigurationError(
            f"{tag.tag_id} is a {tag.value_type} and needs a value", hint="add --value TEXT"
        )
    return value


def _find_subject(settings: Settings, subject: Subject) -> Subject:
    """The subject, checked against the published profiles; a retired one_id becomes the living."""
    from zhongtai.publish.encryption import open_published

    if subject.reference:
        from zhongtai.identity.decisions import require_person_record

        require_person_record(settings, subject.reference)
        return subject
    file = settings.path("published", "profiles", "current.duckdb")
    if not file.exists():
        raise ZhongtaiError(
            f"nothing is published in {settings.home} yet, so {subject} is not known",
            hint="publish first with `zhongtai run`, then set tags",
        )
    with open_published(settings, file) as profiles:
        if subject.named == "person":
            return _find_person(profiles, subject)
        holders = profiles.execute(
            "select count(distinct one_id), coalesce(bool_or(is_shared), false)"
            " from bridge_user_identifiers where identifier_type = ? and identifier_value = ?",
            [subject.identifier_type, subject.identifier_value],
        ).fetchone() or (0, False)
    if not holders[0]:
        raise ConfigurationError(
            f"nobody is known by {subject} in the published profiles", hint=_HINT
        )
    if holders[0] > 1 or holders[1]:
        raise ZhongtaiError(
            f"{subject} is shared by several persons, so it names nobody",
            hint="name the person by a record (SOURCE:ENTITY:KEY) or by one_id",
        )
    return subject


def _find_person(profiles: "DuckDBPyConnection", subject: Subject) -> Subject:
    row = profiles.execute(
        "select one_id from dim_users where one_id = $one_id union all"
        " select one_id from one_id_redirects where retired_one_id = $one_id limit 1",
        {"one_id": subject.one_id},
    ).fetchone()
    if row is None:
        raise ZhongtaiError(f"there is no person {subject} in the published profiles", hint=_HINT)
    return Subject("person", one_id=str(row[0]))


def _tidy(kind: str, value: str) -> str:
    """An identifier as the bridge of identifiers spells it; what is no Chinese mobile stays."""
    if kind != "mobile":
        return value
    digits = re.sub(r"\D", "", value)
    digits = digits.removeprefix("86") if len(digits) == 13 else digits
    return f"+86{digits}" if re.fullmatch(r"1[3-9]\d{9}", digits) else value


def _read(row: tuple[object, ...]) -> Statement:
    number, tag_id, value, named, source, entity, key, kind, identifier, one_id, *rest = row
    reference = Reference(source, entity, key) if source else None  # type: ignore[arg-type]
    subject = Subject(named, reference, kind, identifier, one_id)  # type: ignore[arg-type]
    return Statement(number, tag_id, value, subject, *rest)  # type: ignore[arg-type]
