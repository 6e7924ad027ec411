"""Loading the declared tags, with every mistake reported by file and line."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from zhongtai.contracts.document import Section
from zhongtai.errors import ConfigurationError
from zhongtai.tags.grammar import (
    PYTHON_TYPES,
    measure_type,
    read_banded,
    read_condition,
    read_layers,
    read_measure,
    read_preference,
)
from zhongtai.tags.model import (
    CONSENTS,
    KINDS,
    STATUSES,
    VALUE_TYPES,
    Attribute,
    Banded,
    Comparison,
    Consent,
    Filter,
    Kind,
    Measure,
    Measured,
    OtherTag,
    Rule,
    Status,
    Tag,
    ValueType,
    leaves,
)

_HINT = "any file in seeds/tags/ is an example; docs/adding.md has the grammar"
_TAG_ID = re.compile(r"[a-z][a-z0-9_]{2,49}")
_BODIES = ("rule", "values", "stages", "measure", "prefer")
_KEYS = (
    "id", "name", "description", "owner", "kind", "value_type", "status", "consent",
    "exclusive_group", "ttl_days", "history_days", "otherwise", "bands", *_BODIES,
)  # fmt: skip
_DEFAULT_HISTORY_DAYS = 400


class Tags(Mapping[str, Tag]):
    """Tags by id, in the order declared (files by name)."""

    def __init__(self, tags: dict[str, Tag]) -> None:
        self._tags = tags

    def __getitem__(self, tag_id: str) -> Tag:
        return self._tags[tag_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tags)

    def __len__(self) -> int:
        return len(self._tags)

    @property
    def published(self) -> tuple[Tag, ...]:
        """The tags that are computed, in the order declared."""
        return tuple(tag for tag in self.values() if tag.is_published)

    def levels(self) -> list[tuple[Tag, ...]]:
        """The published tags, each after the tags it reads; a level needs only those before it."""
        done: set[str] = set()
        left = list(self.published)
        levels = []
        while left:
            level = tuple(tag for tag in left if done.issuperset(self._before(tag)))
            if not level:
                circle = left[0]
                raise _error(
                    circle,
                    f"tag {circle.tag_id} waits for itself, by way of the tags that it reads"
                    " or that its exclusive group ranks higher",
                )
            levels.append(level)
            done.update(tag.tag_id for tag in level)
            left = [tag for tag in left if tag.tag_id not in done]
        return levels

    def exclusive_before(self, tag: Tag) -> tuple[Tag, ...]:
        """The published tags of the same exclusive group that are declared before `tag`."""
        if tag.exclusive_group is None:
            return ()
        group = [t for t in self.published if t.exclusive_group == tag.exclusive_group]
        return tuple(group[: group.index(tag)]) if tag in group else ()

    def _before(self, tag: Tag) -> set[str]:
        """The tags whose values the value of `tag` depends on."""
        return {*tag.parents, *(t.tag_id for t in self.exclusive_before(tag))}


def load_tags(project_dir: Path) -> Tags:
    """Every tag of `<project_dir>/seeds/tags/*.yml`.

    Raises ConfigurationError with file, line and what was expected.
    """
    folder = project_dir / "seeds" / "tags"
    files = sorted(folder.glob("*.yml"))
    if not files:
        raise ConfigurationError(f"{folder} holds no tag group (*.yml)", hint=_HINT)
    tags: dict[str, Tag] = {}
    for file in files:
        for tag in _read_group(file):
            if tag.tag_id in tags:
                first = tags[tag.tag_id].place
                raise _error(tag, f"tag {tag.tag_id} exists since {first}; ids are never reused")
            tags[tag.tag_id] = tag
    loaded = Tags(tags)
    _check_parents(loaded)
    _check_groups(loaded)
    loaded.levels()
    return loaded


def _read_group(file: Path) -> Iterator[Tag]:
    top = Section.of_file(file, "the tag group", _HINT)
    top.expect_keys(("group", "title", "owner", "tags"))
    if top.text("group") != file.stem:
        raise top.error_at("group", f"group is {top.text('group')!r}, the file is {file.name}")
    top.text("title")
    owner = top.text("owner")
    for section in top.sections("tags"):
        yield _read_tag(section, file, owner)


def _read_tag(section: Section, file: Path, owner: str) -> Tag:
    tag_id = section.text("id")
    section.title = f"tag {tag_id}"
    section.expect_keys(_KEYS)
    if not _TAG_ID.fullmatch(tag_id):
        raise section.error_at("id", f"{tag_id!r} is no id: small letters, digits and _, 3 to 50")
    kind = cast(Kind, section.choice("kind", KINDS))
    value_type = cast(ValueType, section.choice("value_type", VALUE_TYPES))
    name = section.section("name")
    name.expect_keys(("zh", "en"))
    return Tag(
        tag_id=tag_id,
        name_zh=name.text("zh"),
        name_en=name.text("en"),
        description=" ".join(section.text("description").split()),
        owner=section.text("owner", owner),
        group=file.stem,
        kind=kind,
        value_type=value_type,
        rule=_read_rule(section, kind, value_type),
        status=cast(Status, section.choice("status", STATUSES)),
        consent=cast(Consent, section.choice("consent", CONSENTS, "none")),
        exclusive_group=section.text("exclusive_group") if "exclusive_group" in section else None,
        ttl_days=section.integer("ttl_days", 0) or None,
        history_days=section.integer("history_days", _DEFAULT_HISTORY_DAYS),
        file=file,
        line=section.line,
    )


def _read_rule(section: Section, kind: Kind, value_type: ValueType) -> Rule:
    if kind == "manual":
        return _read_manual(section, value_type)
    body = _body(section, kind)
    if body == "rule":
        _expect_type(section, value_type, "boolean", "a tag with one 'rule'")
        return _of_tags_only(section, kind, read_condition(section.section("rule")))
    if body in ("values", "stages"):
        layers = read_layers(section, body, value_type, last_wins=body == "stages")
        return _of_tags_only(section, kind, layers)
    if body == "prefer":
        _expect_type(section, value_type, "text", "a preference")
        return read_preference(section.section("prefer"))
    return _read_measured(section, kind, value_type)


def _read_manual(section: Section, value_type: ValueType) -> Rule:
    """A tag that people set: what crm.manual_tags says of the person now."""
    for key in (*_BODIES, "otherwise", "bands"):
        if key in section:
            raise section.error_at(key, f"a tag of kind manual has no {key!r}: people set it")
    own = Filter("tag_id", Comparison("is", section.text("id")))
    if value_type == "boolean":
        is_set = Filter("is_set", Comparison("is", True))
        return Measured(
            Measure("manual_tags", "count", where=(own, is_set)), Comparison("at_least", 1)
        )
    _expect_type(section, value_type, "text", "a tag of kind manual, where it is not boolean,")
    return Banded(Measure("manual_tags", "last", of="value", where=(own,)), (), None)


def _read_measured(section: Section, kind: Kind, value_type: ValueType) -> Rule:
    if kind == "first_last":
        measure = read_measure(section.section("measure"), take_key="take")
        if measure.take not in ("first", "last"):
            raise section.error_at(
                "measure", "a first_last tag takes 'first' or 'last' of a column"
            )
        rule = Banded(measure, (), None)
    else:
        rule = read_banded(section)
        measure = rule.measure
    found = "text" if rule.bands else measure_type(measure).replace("time", "date")
    _expect_type(section, value_type, found, "the measure" if not rule.bands else "a banded tag")
    return rule


def _body(section: Section, kind: Kind) -> str:
    """The key that holds the rule: which ones a kind may have, and exactly one of them."""
    allowed = {
        "rule": ("rule", "values"),
        "composite": ("rule", "values"),
        "lifecycle": ("stages",),
        "metric": ("measure",),
        "first_last": ("measure",),
        "preference": ("prefer",),
    }[kind]
    found = [key for key in _BODIES if key in section]
    if len(found) != 1 or found[0] not in allowed:
        raise section.error(
            f"a tag of kind {kind} needs {' or '.join(allowed)}; found {', '.join(found) or 'none'}"
        )
    body = found[0]
    for key, bodies in (("bands", ("measure",)), ("otherwise", ("values", "stages", "measure"))):
        if key in section and body not in bodies:
            raise section.error_at(key, f"{key!r} has no meaning beside {body!r}")
    return body


def _of_tags_only(section: Section, kind: Kind, rule: Rule) -> Rule:
    """A composite reads tags and nothing else, any other kind reads no tag."""
    for leaf in leaves(rule):
        if kind == "composite" and isinstance(leaf, Attribute | Measured):
            raise section.error("a composite reads other tags only; make the rest a tag of its own")
        if kind != "composite" and isinstance(leaf, OtherTag):
            raise section.error(f"reads tag {leaf.tag_id}: declare it with kind composite")
    return rule


def _expect_type(section: Section, found: str, expected: str, what: str) -> None:
    if found != expected:
        raise section.error_at("value_type", f"{what} is {expected}, value_type says {found}")


def _check_parents(tags: Tags) -> None:
    for tag in tags.values():
        for parent_id in tag.parents:
            if parent_id not in tags:
                raise _error(tag, f"tag {tag.tag_id} reads {parent_id}, which is declared nowhere")
            parent = tags[parent_id]
            if tag.is_published and not parent.is_published:
                raise _error(
                    tag, f"published tag {tag.tag_id} reads {parent_id}, which is {parent.status}"
                )
        for leaf in leaves(tag.rule):
            if isinstance(leaf, OtherTag):
                _check_operand(tag, leaf, tags[leaf.tag_id].value_type)


def _check_operand(tag: Tag, leaf: OtherTag, value_type: ValueType) -> None:
    operator, operand = leaf.comparison.operator, leaf.comparison.operand
    operands = operand if isinstance(operand, tuple) else (operand,)
    allowed = (bool,) if operator == "known" else PYTHON_TYPES[value_type]
    wrong = [
        o
        for o in operands
        if not isinstance(o, allowed) or (isinstance(o, bool) and bool not in allowed)
    ]
    if wrong:
        raise _error(tag, f"{tag.tag_id} compares {leaf.tag_id} ({value_type}) with {wrong[0]!r}")


def _check_groups(tags: Tags) -> None:
    for tag in tags.values():
        if tag.exclusive_group and tag.value_type != "boolean":
            raise _error(tag, f"{tag.tag_id}: only boolean tags can be in an exclusive group")


def _error(tag: Tag, what: str) -> ConfigurationError:
    return ConfigurationError(f"{tag.place}: {what}", hint=_HINT)
