"""The dbt models that the tags compile to: written by `zhongtai generate tags`, and committed."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from textwrap import fill, indent
from typing import Any

import yaml

from zhongtai.settings import Settings
from zhongtai.tags.catalogue import Tags, load_tags
from zhongtai.tags.expressions import SQL_TYPES, attribute_sql, literal, rule_sql
from zhongtai.tags.facts import FACTS
from zhongtai.tags.model import Attribute, Tag, leaves
from zhongtai.tags.plan import ZERO_WITHOUT_FACTS, Plan, plan_scans
from zhongtai.tags.scans import describe, header, scan_columns, scan_sql

_INTERMEDIATE = Path("dbt_project/models/intermediate/tags")
_PROFILES = Path("dbt_project/models/marts/profiles")
_METRICS = Path("dbt_project/models/marts/metrics")
_CATALOGUE_COLUMNS = {
    "tag_id": ("varchar", "Id of the tag; never given to another tag"),
    "tag_version": ("varchar", "Hash of the rule and of the tags that it reads"),
    "tag_group": ("varchar", "File in seeds/tags/ that declares it"),
    "name_zh": ("varchar", "Name in Chinese"),
    "name_en": ("varchar", "Name in English"),
    "description": ("varchar", "What the tag says about a person"),
    "owner": ("varchar", "Who answers for the rule"),
    "kind": ("varchar", "rule, lifecycle, metric, first_last, preference, composite or manual"),
    "value_type": ("varchar", "boolean, text, integer, number or date"),
    "exclusive_group": ("varchar", "A person has at most one tag of a group; NULL outside of any"),
    "consent_purpose": ("varchar", "Consent that its use needs: none, marketing, personalisation"),
    "ttl_days": ("bigint", "Days that a value holds without being computed again; NULL: for ever"),
    "history_days": ("bigint", "Days that past values are kept"),
    "status": ("varchar", "draft, in_review, published (computed), inactive or retired"),
    "sources": ("varchar", "Source data that the rule reads, by way of parent tags included"),
}  # fmt: skip


def write_models(settings: Settings) -> list[Path]:
    """Write the models of the declared tags below `project_dir`; the paths that changed.

    Models of scans that no tag needs any more are removed. Raises ConfigurationError with file and
    line for a wrong declaration, before anything is written.
    """
    wanted = render_models(load_tags(settings.project_dir))
    changed = []
    for path, text in wanted.items():
        file = settings.project_dir / path
        if not file.exists() or file.read_text("utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
            changed.append(file)
    for file in _left_over(settings.project_dir, wanted):
        file.unlink()
        changed.append(file)
    return changed


def stale_models(settings: Settings) -> list[Path]:
    """The generated files that differ from what the declarations say now; empty when up to date."""
    project = settings.project_dir
    wanted = render_models(load_tags(project))
    stale = [
        project / path
        for path, text in wanted.items()
        if not (project / path).exists() or (project / path).read_text("utf-8") != text
    ]
    return stale + _left_over(project, wanted)


def render_models(tags: Tags) -> dict[Path, str]:
    """The text of every generated file, by its path below the project folder."""
    plan = plan_scans(tags)
    texts: dict[Path, str] = {}
    for scan in plan.scans:
        texts[_INTERMEDIATE / f"{scan.model}.sql"] = scan_sql(scan)
        texts[_INTERMEDIATE / f"{scan.model}.yml"] = _properties(
            scan.model,
            f"What tags measure over {scan.fact.name} ({scan.fact.source}), in one statement",
            [(name, None, text) for name, text in scan_columns(scan)],
            unique="one_id",
        )
    texts[_INTERMEDIATE / "int_tags__measures.sql"] = _measures_sql(tags, plan)
    texts[_INTERMEDIATE / "int_tags__measures.yml"] = _properties(
        "int_tags__measures",
        "What the rules of the tags read: attributes and measures of every person, side by side",
        [("one_id", None, "The person"), *_measure_columns(tags, plan)],
    )
    texts[_INTERMEDIATE / "int_tags__held.sql"] = _held_sql(tags)
    texts[_INTERMEDIATE / "int_tags__held.yml"] = _properties(
        "int_tags__held",
        "The tags that persons have, one row each",
        [
            ("one_id", None, "The person"),
            ("tag_id", None, "The tag, described in dim_tags"),
            ("value", None, "Its value as text; true for a boolean tag"),
        ],
    )
    texts[_PROFILES / "dim_user_tags.sql"] = _wide_sql(tags, plan)
    texts[_PROFILES / "dim_user_tags.yml"] = _properties(
        "dim_user_tags",
        "One row per person: every published tag in a typed column of its own",
        [
            ("one_id", "varchar", "The person"),
            *((t.tag_id, SQL_TYPES[t.value_type], _described(t)) for t in tags.published),
        ],
        unique="one_id",
    )
    texts[_METRICS / "dim_tags.sql"] = _catalogue_sql(tags)
    texts[_METRICS / "dim_tags.yml"] = _properties(
        "dim_tags",
        "One row per declared tag: what it means, who owns it and which version is in force",
        [(name, kind, text) for name, (kind, text) in _CATALOGUE_COLUMNS.items()],
        unique="tag_id",
    )
    return texts


def tag_version(tag: Tag, tags: Tags) -> str:
    """Content hash of the rule, its value type, and the versions of the tags that it reads.

    The order of the exclusive group counts too: it decides who gets the tag.
    """

    @cache
    def version(tag_id: str) -> str:
        read = tags[tag_id]
        parts = {
            "rule": asdict(read.rule),
            "shape": type(read.rule).__name__,
            "value_type": read.value_type,
            "parents": [version(parent) for parent in read.parents],
            "ranked_above": [t.tag_id for t in tags.exclusive_before(read)],
        }
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    return version(tag.tag_id)


def sources_of(tag: Tag, tags: Tags) -> tuple[str, ...]:
    """The source entities a tag rests on, parents included, in name order."""
    facts = {measure.fact for measure in tag.measures}
    if hasattr(tag.rule, "fact"):
        facts.add(tag.rule.fact)
    found = {source for fact in facts for source in FACTS[fact].source.split(", ")}
    if any(isinstance(leaf, Attribute) for leaf in leaves(tag.rule)):
        found.add("profile")
    for parent in tag.parents:
        found.update(sources_of(tags[parent], tags))
    return tuple(sorted(found))


def _attributes(tags: Tags) -> list[str]:
    """Names of the attributes that the rules read."""
    read = {leaf for tag in tags.published for leaf in leaves(tag.rule)}
    return sorted(leaf.name for leaf in read if isinstance(leaf, Attribute))


def _measures_sql(tags: Tags, plan: Plan) -> str:
    """Every attribute and measure that a rule reads, beside each person."""
    columns = [f"    {attribute_sql(name)} as profile__{name}" for name in _attributes(tags)]
    for scan in plan.scans:
        for name, wanted in scan.columns:
            column = f"{scan.alias}.{name}"
            if getattr(wanted, "take", None) in ZERO_WITHOUT_FACTS:
                column = f"coalesce({column}, 0)"
            columns.append(f"    {column} as {scan.alias}__{name}")
    joins = "".join(
        f"left join {{{{ ref('{s.model}') }}}} as {s.alias} on {s.alias}.one_id = users.one_id\n"
        for s in plan.scans
    )
    return (
        f"{header('one row per person, with what the rules of the tags read.')}"  # noqa: S608  # our own names
        "{{ config(materialized='view') }}\n"
        "with users as (select *, {{ as_of() }} as as_of from {{ ref('dim_users') }})\n"
        f"select\n{_listed(['    users.one_id', *columns])}\nfrom users\n{joins}"
    )


def _measure_columns(tags: Tags, plan: Plan) -> list[tuple[str, None, str]]:
    """Name and description of every column of int_tags__measures but the person."""
    attributes = [(f"profile__{n}", None, f"{n} of the profile") for n in _attributes(tags)]
    measures = [
        (f"{scan.alias}__{name}", None, describe(wanted))
        for scan in plan.scans
        for name, wanted in scan.columns
    ]
    return [*attributes, *measures]


def _value_sql(tag: Tag, tags: Tags, plan: Plan) -> str:
    before = "".join(f" and not {other.tag_id}" for other in tags.exclusive_before(tag))
    return f"cast({rule_sql(tag.rule, plan)}{before} as {SQL_TYPES[tag.value_type]})"


def _wide_sql(tags: Tags, plan: Plan) -> str:
    """The tags level by level: a composite one reads the levels before its own."""
    levels = ["level_0 as (select * from {{ ref('int_tags__measures') }})"]
    for number, level in enumerate(tags.levels(), 1):
        rules = _listed(f"    {_value_sql(tag, tags, plan)} as {tag.tag_id}" for tag in level)
        levels.append(
            f"level_{number} as (\n    select *,\n{rules}\n    from level_{number - 1}\n)"  # noqa: S608  # our own names
        )
    ctes = ",\n".join(levels)
    chosen = fill(", ".join(["one_id", *(tag.tag_id for tag in tags.published)]), 96)
    return (
        f"{header('one row per person, every published tag in a column of its own.')}"
        f"with\n{ctes}\nselect\n{indent(chosen, '    ')}\nfrom level_{len(tags.levels())}\n"
    )


def _held_sql(tags: Tags) -> str:
    branches = []
    for tag in tags.published:
        is_flag = tag.value_type == "boolean"
        value = "'true'" if is_flag else f"cast({tag.tag_id} as varchar)"
        test = tag.tag_id if is_flag else f"{tag.tag_id} is not null"
        branches.append(
            f"select one_id, '{tag.tag_id}' as tag_id, {value} as value from tags where {test}"  # noqa: S608  # our own names
        )
    lines = [
        f"{header('one row per person and tag that the person has.')}"
        "{{ config(materialized='view') }}",
        "with tags as (select * from {{ ref('dim_user_tags') }})",
        "\nunion all ".join(branches),
    ]
    return "\n".join(lines) + "\n"


def _catalogue_sql(tags: Tags) -> str:
    rows = []
    for tag in tags.values():
        values = (
            tag.tag_id, tag_version(tag, tags), tag.group, tag.name_zh, tag.name_en,
            tag.description, tag.owner, tag.kind, tag.value_type, tag.exclusive_group,
            tag.consent, tag.ttl_days, tag.history_days, tag.status,
            ", ".join(sources_of(tag, tags)),
        )  # fmt: skip
        rows.append(f"    ({', '.join('null' if v is None else literal(v) for v in values)})")
    names = ", ".join(_CATALOGUE_COLUMNS)
    selected = _listed(
        [f"    cast({name} as {kind}) as {name}" for name, (kind, _) in _CATALOGUE_COLUMNS.items()]
    )
    return (
        f"{header('one row per declared tag.')}"
        f"select\n{selected}\nfrom (values\n{_listed(rows)}\n) as tag ({names})\n"
    )


def _properties(
    model: str,
    description: str,
    columns: Iterable[tuple[str, str | None, str]],
    unique: str | None = None,
) -> str:
    """The YAML beside a model. Columns are (name, SQL type or None, description)."""
    listed = []
    for name, kind, text in columns:
        column: dict[str, Any] = {"name": name}
        if kind:
            column["data_type"] = kind
        column["description"] = text
        if name == unique:
            column["data_tests"] = ["not_null", "unique"]
        listed.append(column)
    document = {"version": 2, "models": [
        {"name": model, "description": description, "columns": listed}
    ]}  # fmt: skip
    body = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100)
    return f"# Generated by `zhongtai generate tags` from seeds/tags/: edit the tags there.\n{body}"


def _described(tag: Tag) -> str:
    return f"{tag.name_zh}: {tag.description}"


def _listed(lines: Iterable[str]) -> str:
    return ",\n".join(lines)


def _left_over(project: Path, wanted: dict[Path, str]) -> list[Path]:
    """Generated models of scans that the declarations no longer need."""
    return [
        file
        for file in sorted((project / _INTERMEDIATE).glob("int_tags__*"))
        if file.relative_to(project) not in wanted
    ]
