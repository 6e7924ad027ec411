"""Audiences: who is selected, for what purpose, for whom, and by which identifier.

Declared in seeds/audiences/*.yml, each mistake reported by file and line.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from zhongtai.contracts.document import Section
from zhongtai.errors import ConfigurationError
from zhongtai.tags.catalogue import Tags, load_tags
from zhongtai.tags.conditions import Column, Condition, clauses, names_of, parse_condition
from zhongtai.tags.model import Banded, Layers, Tag
from zhongtai.tags.population import declared_columns
from zhongtai.tags.preview import NEEDS_CONSENT, PURPOSES
from zhongtai.tags.versions import tag_version

STATUSES = ("draft", "published", "inactive", "retired")
IDENTIFIERS = (
    "mobile", "email", "unionid", "openid", "wecom_external_id", "login_id", "crm_customer_id",
    "member_code", "one_id",
)  # fmt: skip
FORMS = ("clear", "hashed")
_ID = re.compile(r"[a-z][a-z0-9_]{2,49}")
_HINT = "docs/audiences.md describes the form; any file in seeds/audiences/ is an example"
_KEYS = (
    "id", "name", "description", "owner", "purpose", "condition", "destination", "identifier",
    "scope", "form", "with", "includes_staff", "status",
)  # fmt: skip


@dataclass(frozen=True)
class Audience:
    """One declared audience. `columns` go along with the identifier; `scope` is an app's id."""

    audience_id: str
    name_zh: str
    name_en: str
    description: str
    owner: str
    purpose: str
    condition: str
    destination: str
    identifier: str
    scope: str | None
    form: str
    columns: tuple[str, ...]
    includes_staff: bool
    status: str
    tag_ids: tuple[str, ...]
    file: Path = field(compare=False)
    line: int = field(compare=False)

    @property
    def needs_consent(self) -> bool:
        """Whether only persons who agreed may be in it."""
        return self.purpose in NEEDS_CONSENT

    @property
    def place(self) -> str:
        """`file:line` of the declaration."""
        return f"{self.file}:{self.line}"


class Audiences(Mapping[str, Audience]):
    """Audiences by id, in the order declared (files by name)."""

    def __init__(self, audiences: Mapping[str, Audience]) -> None:
        self._audiences = dict(audiences)

    def __getitem__(self, audience_id: str) -> Audience:
        return self._audiences[audience_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._audiences)

    def __len__(self) -> int:
        return len(self._audiences)

    def find(self, audience_id: str) -> Audience:
        """An audience. Raises ConfigurationError where none has the id."""
        if audience_id not in self._audiences:
            raise ConfigurationError(
                f"there is no audience {audience_id}",
                hint="one of " + (", ".join(self._audiences) or "(none is declared)"),
            )
        return self._audiences[audience_id]

    @property
    def conditions(self) -> dict[str, str]:
        """The condition of each audience that is not retired."""
        return {a.audience_id: a.condition for a in self.values() if a.status != "retired"}


def load_audiences(project_dir: Path, tags: Tags | None = None) -> Audiences:
    """Every audience of `<project_dir>/seeds/audiences/*.yml`; none where there is no folder.

    Raises ConfigurationError with file, line and what was expected.
    """
    tags = tags or load_tags(project_dir)
    columns = declared_columns(tags)
    found: dict[str, Audience] = {}
    for file in sorted((project_dir / "seeds" / "audiences").glob("*.yml")):
        for audience in _read_file(file, tags, columns):
            first = found.setdefault(audience.audience_id, audience)
            if first is not audience:
                raise ConfigurationError(
                    f"{audience.place}: audience {audience.audience_id} exists since {first.place}",
                    hint=_HINT,
                )
    return Audiences(found)


def tags_used_by_audiences(
    project_dir: Path, tags: Tags | None = None
) -> dict[str, tuple[str, ...]]:
    """For each tag that an audience reads the audiences that do; those retired do not count."""
    users: dict[str, list[str]] = {}
    for audience in load_audiences(project_dir, tags).values():
        if audience.status != "retired":
            for tag_id in audience.tag_ids:
                users.setdefault(tag_id, []).append(audience.audience_id)
    return {tag_id: tuple(names) for tag_id, names in users.items()}


def audience_version(audience: Audience, tags: Tags) -> str:
    """Content hash of what decides who is in the audience and what is told of them."""
    parts = {
        name: value
        for name, value in asdict(audience).items()
        if name
        not in ("name_zh", "name_en", "description", "owner", "status", "file", "line", "tag_ids")
    }
    parts["tags"] = {tag_id: tag_version(tags[tag_id], tags) for tag_id in audience.tag_ids}
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _read_file(file: Path, tags: Tags, columns: Mapping[str, Column]) -> Iterator[Audience]:
    top = Section.of_file(file, "the audiences", _HINT)
    top.expect_keys(("group", "title", "owner", "audiences"))
    if top.text("group") != file.stem:
        raise top.error_at("group", f"group is {top.text('group')!r}, the file is {file.name}")
    top.text("title")
    owner = top.text("owner")
    for section in top.sections("audiences"):
        yield _read_audience(section, file, owner, (tags, columns))


def _read_audience(
    section: Section, file: Path, owner: str, known: tuple[Tags, Mapping[str, Column]]
) -> Audience:
    tags, columns = known
    audience_id = section.text("id")
    section.title = f"audience {audience_id}"
    section.expect_keys(_KEYS)
    if not _ID.fullmatch(audience_id):
        raise section.error_at(
            "id", f"{audience_id!r} is no id: small letters, digits and _, 3 to 50"
        )
    if audience_id in columns:
        raise section.error_at("id", f"{audience_id} is a tag or a column of the profile already")
    name = section.section("name")
    name.expect_keys(("zh", "en"))
    purpose = section.choice("purpose", PURPOSES)
    condition = " ".join(section.text("condition").split())
    identifier = section.choice("identifier", IDENTIFIERS)
    if "scope" in section and identifier != "openid":
        raise section.error_at("scope", "only an openid has a scope, the app that gave it")
    if identifier == "openid" and "scope" not in section:
        raise section.error_at("identifier", "an openid is of one app: add its id as 'scope'")
    status = section.choice("status", STATUSES)
    # what a retired one reads may be gone
    reads = status != "retired"
    return Audience(
        audience_id=audience_id,
        name_zh=name.text("zh"),
        name_en=name.text("en"),
        description=" ".join(section.text("description").split()),
        owner=section.text("owner", owner),
        purpose=purpose,
        condition=condition,
        destination=section.text("destination"),
        identifier=identifier,
        scope=section.text("scope") if "scope" in section else None,
        form=section.choice("form", FORMS),
        columns=_read_columns(section, columns) if reads else (),
        includes_staff=section.flag("includes_staff"),
        status=status,
        tag_ids=_read_tags(section, condition, purpose, (tags, columns)) if reads else (),
        file=file,
        line=section.line,
    )


def _read_columns(section: Section, columns: Mapping[str, Column]) -> tuple[str, ...]:
    names = section.texts("with")
    for name in names:
        if name not in columns:
            raise section.error_at("with", f"{section.title}: there is no tag or column {name}")
        if columns[name].is_personal:
            raise section.error_at(
                "with", f"{section.title}: {name} is personal data; only the identifier is exported"
            )
    return names


def _read_tags(
    section: Section, text: str, purpose: str, known: tuple[Tags, Mapping[str, Column]]
) -> tuple[str, ...]:
    """The tags that the audience reads, each of which its purpose must allow."""
    tags, columns = known
    try:
        condition = parse_condition(text, columns)
    except ConfigurationError as error:
        raise section.error_at("condition", f"{section.title}: {error.message}") from error
    read = dict.fromkeys([*names_of(condition), *section.texts("with")])
    for name in read:
        if name in tags and purpose == "service" and tags[name].consent != "none":
            raise section.error_at(
                "purpose",
                f"{section.title}: {name} may be used with consent to {tags[name].consent} only,"
                " so the purpose cannot be service",
            )
    _refuse_unknown_words(section, condition, tags)
    return tuple(name for name in read if name in tags)


def _refuse_unknown_words(section: Section, condition: Condition, tags: Tags) -> None:
    """Raise for a value that a tag can never have: the audience would be empty for ever."""
    for clause in clauses(condition):
        tag = tags.get(clause.column.name)
        words = _words_of(tag) if tag else None
        for operand in clause.operands:
            if words and isinstance(operand, str) and operand not in words:
                raise section.error_at(
                    "condition",
                    f"{section.title}: {clause.column.name} is never {operand!r}; it is one of "
                    + ", ".join(words),
                )


def _words_of(tag: Tag) -> tuple[str, ...]:
    """The texts that a tag can have; empty where they are not declared."""
    rule = tag.rule
    if tag.value_type != "text" or not isinstance(rule, Layers | Banded):
        return ()
    parts = rule.layers if isinstance(rule, Layers) else rule.bands
    words = [str(part.value) for part in parts]
    # a measure without bands is whatever the data says
    return (
        tuple(dict.fromkeys([*words, *([str(rule.otherwise)] if rule.otherwise else [])]))
        if words
        else ()
    )
