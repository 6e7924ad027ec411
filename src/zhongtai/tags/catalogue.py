"""Loading the declared tags, with every mistake reported by file and line."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import cast

from zhongtai.contracts.document import Section
from zhongtai.errors import ConfigurationError
from zhongtai.tags.comparisons import PYTHON_TYPES, fits
from zhongtai.tags.grammar import measure_type, read_condition, read_layers, read_measure
from zhongtai.tags.kinds import (
    read_banded,
    read_distribution,
    read_list,
    read_preference,
    read_rfm,
    read_set,
    read_slot,
    read_split,
    read_steps,
)
from zhongtai.tags.model import (
    CONSENTS,
    KINDS,
    STATUSES,
    VALUE_TYPES,
    Attribute,
    Banded,
    Consent,
    Kind,
    Measured,
    OtherTag,
    Rule,
    Share,
    Status,
    Tag,
    ValueType,
    leaves,
)
from zhongtai.tags.queries import read_query
from zhongtai.tags.wants import DATE_OPERATORS, LIST_OPERATORS, Measure

HINT = "any file in seeds/tags/ is an example; docs/tags.md has the grammar"
_TAG_ID = re.compile(r"[a-z][a-z0-9_]{2,49}")
# the key that holds the rule of a kind; a manual tag has none
_BODIES_OF: dict[str, tuple[str, ...]] = {
    "rule": ("rule", "values"),
    "composite": ("rule", "values"),
    "lifecycle": ("stages",),
    "metric": ("measure",),
    "first_last": ("measure",),
    "preference": ("prefer",),
    "distribution": ("distribution",),
    "list": ("list",),
    "share": ("share",),
    "rfm": ("rfm",),
    "sequence": ("sequence",),
    "sql": ("sql",),
    "import": ("import",),
    "control": ("control",),
    "predictive": ("predict",),
    "manual": (),
}
_BODIES = tuple(dict.fromkeys(body for bodies in _BODIES_OF.values() for body in bodies))
# what may stand beside a body
_BESIDE = {
    "bands": ("measure", "share"),
    "otherwise": ("values", "stages", "measure", "share", "rfm"),
}
_MEANING = ("kind", "value_type", "exclusive_group", "ttl_days", *_BODIES, *_BESIDE)
_KEYS = (
    "id", "name", "description", "owner", "status", "consent", "history_days",
    *_MEANING,
)  # fmt: skip
_DEFAULT_HISTORY_DAYS = 400
# of values that hardly last a day: a year of them would be a row per person and day
_RESTLESS_HISTORY_DAYS = 31
# what an imported tag is read from -> the fact that holds it
_IMPORTS = {"crm.manual_tags": "manual_tags", "seeds/tag_imports.csv": "imported_tags"}

_FIXED_TYPES = {"preference": "text", "list": "list", "distribution": "shares", "rfm": "text"}
_READERS: dict[str, Callable[[Section, ValueType], Rule]] = {
    "preference": read_preference,
    "list": read_list,
    "distribution": read_distribution,
    "rfm": read_rfm,
    "sequence": read_steps,
    "sql": read_query,
    "control": read_split,
    "predictive": read_slot,
}


class Tags(Mapping[str, Tag]):
    """Tags by id, in the order declared (files by name).

    `has_scores` says whether the project has fct_user_scores, for the predictive ones to read.
    """

    def __init__(self, tags: dict[str, Tag], project_dir: Path, *, has_scores: bool) -> None:
        self._tags = tags
        self.project_dir = project_dir
        self.has_scores = has_scores

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
                raise error_of(
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
        raise ConfigurationError(f"{folder} holds no tag group (*.yml)", hint=HINT)
    tags: dict[str, Tag] = {}
    for file in files:
        for tag in _read_group(file):
            if tag.tag_id in tags:
                first = tags[tag.tag_id].place
                raise error_of(tag, f"tag {tag.tag_id} exists since {first}; ids are never reused")
            tags[tag.tag_id] = tag
    models = project_dir / "dbt_project" / "models"
    loaded = Tags(tags, project_dir, has_scores=any(models.rglob("fct_user_scores.sql")))
    _check_parents(loaded)
    _check_groups(loaded)
    loaded.levels()
    return loaded


def error_of(tag: Tag, what: str) -> ConfigurationError:
    """An error that points at the declaration of a tag."""
    return ConfigurationError(f"{tag.place}: {what}", hint=HINT)


def _read_group(file: Path) -> Iterator[Tag]:
    top = Section.of_file(file, "the tag group", HINT)
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
    rule = _read_rule(section, kind, value_type)
    history = _RESTLESS_HISTORY_DAYS if _is_restless(rule, value_type) else _DEFAULT_HISTORY_DAYS
    return Tag(
        tag_id=tag_id,
        name_zh=name.text("zh"),
        name_en=name.text("en"),
        description=" ".join(section.text("description").split()),
        owner=section.text("owner", owner),
        group=file.stem,
        kind=kind,
        value_type=value_type,
        rule=rule,
        status=cast(Status, section.choice("status", STATUSES)),
        consent=cast(Consent, section.choice("consent", CONSENTS, "none")),
        exclusive_group=section.text("exclusive_group") if "exclusive_group" in section else None,
        ttl_days=section.integer("ttl_days", 0) or None,
        history_days=section.integer("history_days", history),
        declared=_canonical(section),
        file=file,
        line=section.line,
    )


def _is_restless(rule: Rule, value_type: ValueType) -> bool:
    """Whether the value becomes another one from day to day, or with each thing that happens."""
    if value_type in ("number", "shares"):
        return True
    if not isinstance(rule, Banded) or rule.bands or not isinstance(rule.measure, Measure):
        return False
    return rule.measure.take.startswith("days_since")


def _canonical(section: Section) -> str:
    """What the declaration says of the value; words about it, owner and status are left out."""
    said = {key: section.value(key) for key in section.keys() if key in _MEANING}  # noqa: SIM118
    return json.dumps(said, sort_keys=True, ensure_ascii=False, default=str)


def _read_rule(section: Section, kind: Kind, value_type: ValueType) -> Rule:
    body = _body(section, kind)
    if "ttl_days" in section and kind not in ("manual", "import"):
        raise section.error_at(
            "ttl_days", f"a tag of kind {kind} is computed anew by every run: give it a window"
        )
    if body in ("rule", "values", "stages"):
        return _read_conditions(section, kind, body, value_type)
    if kind in ("metric", "first_last", "share"):
        return _read_measured(section, kind, body, value_type)
    if kind in ("manual", "import"):
        return _read_set(section, kind, value_type)
    if kind in _FIXED_TYPES:
        _expect_type(section, value_type, _FIXED_TYPES[kind], f"a tag of kind {kind}")
    return _READERS[kind](section, value_type)


def _read_conditions(section: Section, kind: Kind, body: str, value_type: ValueType) -> Rule:
    if body == "rule":
        _expect_type(section, value_type, "boolean", "a tag with one 'rule'")
        return _of_tags_only(section, kind, read_condition(section.section("rule")))
    if value_type in ("list", "shares"):
        raise section.error_at("value_type", f"{body!r} give single values, not {value_type}")
    layers = read_layers(section, body, value_type, last_wins=body == "stages")
    return _of_tags_only(section, kind, layers)


def _read_set(section: Section, kind: Kind, value_type: ValueType) -> Rule:
    """A tag that people set (crm.manual_tags), or that is delivered (that, or the seed file)."""
    if kind == "manual":
        if value_type not in ("boolean", "text"):
            _expect_type(section, value_type, "text", "a tag of kind manual, where not boolean,")
        return read_set(section, "manual_tags", value_type)
    if value_type in ("list", "shares"):
        raise section.error_at("value_type", f"an imported tag is a single value, not {value_type}")
    body = section.section("import")
    body.expect_keys(("from",))
    return read_set(section, _IMPORTS[body.choice("from", _IMPORTS)], value_type)


def _read_measured(section: Section, kind: Kind, body: str, value_type: ValueType) -> Rule:
    if kind == "first_last":
        measure = read_measure(section.section("measure"), take_key="take")
        if measure.take not in ("first", "last"):
            raise section.error_at(
                "measure", "a first_last tag takes 'first' or 'last' of a column"
            )
        rule = Banded(measure, (), None)
    else:
        rule = read_banded(section, body)
    if rule.bands:
        found = "text"
    elif isinstance(rule.measure, Share):
        found = "number"
    else:
        found = measure_type(rule.measure).replace("time", "date")
    _expect_type(section, value_type, found, "the value" if not rule.bands else "a banded tag")
    return rule


def _body(section: Section, kind: Kind) -> str:
    """The key that holds the rule: which ones a kind may have, and exactly one of them."""
    allowed = _BODIES_OF[kind]
    found = [key for key in (*_BODIES, *_BESIDE) if key in section]
    if not allowed:
        if found:
            raise section.error_at(
                found[0], f"a tag of kind {kind} has no {found[0]!r}: people set it"
            )
        return ""
    bodies = [key for key in found if key in _BODIES]
    if len(bodies) != 1 or bodies[0] not in allowed:
        said = ", ".join(bodies) or "none"
        raise section.error(f"a tag of kind {kind} needs {' or '.join(allowed)}; found {said}")
    for key, beside in _BESIDE.items():
        if key in section and (bodies[0] not in beside or (kind, key) == ("first_last", "bands")):
            raise section.error_at(key, f"{key!r} has no meaning beside {bodies[0]!r}")
    return bodies[0]


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
                raise error_of(
                    tag, f"tag {tag.tag_id} reads {parent_id}, which is declared nowhere"
                )
            parent = tags[parent_id]
            if tag.is_published and not parent.is_published:
                raise error_of(
                    tag, f"published tag {tag.tag_id} reads {parent_id}, which is {parent.status}"
                )
        for leaf in leaves(tag.rule):
            if isinstance(leaf, OtherTag):
                _check_operand(tag, leaf, tags[leaf.tag_id].value_type)


def _check_operand(tag: Tag, leaf: OtherTag, value_type: ValueType) -> None:
    operator, operand = leaf.comparison.operator, leaf.comparison.operand
    wrong_operator = fits(operator, value_type)
    if wrong_operator:
        raise error_of(tag, f"{tag.tag_id} reads {leaf.tag_id} ({value_type}): {wrong_operator}")
    if operator == "known" or operator in DATE_OPERATORS:
        return
    operands = operand if isinstance(operand, tuple) else (operand,)
    allowed = (str,) if operator in LIST_OPERATORS else PYTHON_TYPES[value_type]
    wrong = [
        o
        for o in operands
        if not isinstance(o, allowed) or (isinstance(o, bool) and bool not in allowed)
    ]
    if wrong:
        raise error_of(tag, f"{tag.tag_id} compares {leaf.tag_id} ({value_type}) with {wrong[0]!r}")


def _check_groups(tags: Tags) -> None:
    for tag in tags.values():
        if tag.exclusive_group and tag.value_type != "boolean":
            raise error_of(tag, f"{tag.tag_id}: only boolean tags can be in an exclusive group")
