"""The dbt models that the tags compile to: written by `zhongtai generate tags`, and committed."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from textwrap import fill, indent
from typing import Any

import yaml

from zhongtai.settings import Settings
from zhongtai.tags.catalogue import Tags, load_tags
from zhongtai.tags.descriptions import describe
from zhongtai.tags.expressions import SQL_TYPES, attribute_sql
from zhongtai.tags.listing import LISTED_COLUMNS, listing_sql
from zhongtai.tags.model import Attribute, Tag, leaves
from zhongtai.tags.plan import Plan, default_of, is_days_since, plan_scans
from zhongtai.tags.scans import header, kept_name, scan_columns, scan_sql
from zhongtai.tags.values import cuts_sql, value_sql
from zhongtai.tags.versions import (
    REGISTRY,
    Version,
    load_versions,
    refuse_unregistered,
    refuse_withdrawal_in_use,
    register,
    unregistered,
)
from zhongtai.tags.wants import Wanted

_INTERMEDIATE = Path("dbt_project/models/intermediate/tags")
_PROFILES = Path("dbt_project/models/marts/profiles")
_METRICS = Path("dbt_project/models/marts/metrics")
# What every person brings along, beside attributes and measures.
_PERSON = ("one_id", "as_of", "drawn_by")
_LEVELS = ("int_tags__measures", "int_tags__held")


def write_models(
    settings: Settings,
    author: str | None = None,
    because: str | None = None,
    on: date | None = None,
) -> list[Path]:
    """Write the models of the declared tags below `project_dir`; the paths that changed.

    Models of scans that no tag needs any more are removed. What changed in meaning or status is
    added to the registry with `author` and `because`, dated `on` (today). Raises
    ConfigurationError, before anything is written, for a wrong declaration, for a change without
    author and reason, and for a tag in use that would no longer be computed.
    """
    project = settings.project_dir
    tags = load_tags(project)
    rows = unregistered(tags, load_versions(project))
    refuse_withdrawal_in_use(project, tags, rows)
    changed = []
    if rows and author is not None and because is not None:
        changed.append(register(project, rows, author, because, on or datetime.now(UTC).date()))
    else:
        refuse_unregistered(rows)
    wanted = render_models(tags, load_versions(project))
    for path, text in wanted.items():
        file = project / path
        if not file.exists() or file.read_text("utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
            changed.append(file)
    for file in _left_over(project, wanted):
        file.unlink()
        changed.append(file)
    return changed


def stale_models(settings: Settings) -> list[Path]:
    """The generated files that differ from what the declarations say now; empty when up to date.

    The registry is among them while it lacks a change.
    """
    project = settings.project_dir
    tags, versions = load_tags(project), load_versions(project)
    wanted = render_models(tags, versions)
    stale = [
        project / path
        for path, text in wanted.items()
        if not (project / path).exists() or (project / path).read_text("utf-8") != text
    ]
    if unregistered(tags, versions):
        stale.append(project / REGISTRY)
    return stale + _left_over(project, wanted)


def render_models(
    tags: Tags, versions: Mapping[str, tuple[Version, ...]] | None = None
) -> dict[Path, str]:
    """The text of every generated file, by its path below the project folder.

    `versions` is the registry, for dim_tags to say who changed a tag and why.
    """
    plan = plan_scans(tags)
    texts = _scan_texts(plan)
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
    texts[_METRICS / "dim_tags.sql"] = listing_sql(tags, versions or {})
    texts[_METRICS / "dim_tags.yml"] = _properties(
        "dim_tags",
        "One row per declared tag: what it means, who owns it and which version is in force",
        [(name, kind, text) for name, (kind, text) in LISTED_COLUMNS.items()],
        unique="tag_id",
    )
    return texts


def _scan_texts(plan: Plan) -> dict[Path, str]:
    texts = {}
    for scan in plan.scans:
        sources = ", ".join(fact.source for fact in scan.facts) or "what is declared"
        texts[_INTERMEDIATE / f"{scan.model}.sql"] = scan_sql(scan)
        texts[_INTERMEDIATE / f"{scan.model}.yml"] = _properties(
            scan.model,
            f"What tags measure over {scan.alias} ({sources}), in one statement",
            [(name, None, text) for name, text in scan_columns(scan)],
            unique="one_id",
        )
    return texts


def _attributes(tags: Tags) -> list[str]:
    """Names of the attributes that the rules read."""
    read = {leaf for tag in tags.published for leaf in leaves(tag.rule)}
    return sorted({leaf.name for leaf in read if isinstance(leaf, Attribute)})


def _measures_sql(tags: Tags, plan: Plan) -> str:
    """Every attribute and measure that a rule reads, beside each person."""
    columns = [f"    {attribute_sql(name)} as profile__{name}" for name in _attributes(tags)]
    for scan in plan.scans:
        for name, wanted in scan.columns:
            column = _joined_column(f"{scan.alias}.{kept_name(name, wanted)}", wanted)
            columns.append(f"    {column} as {scan.alias}__{name}")
    joins = "".join(
        f"left join {{{{ ref('{s.model}') }}}} as {s.alias} on {s.alias}.one_id = users.one_id\n"
        for s in plan.scans
    )
    return (
        f"{header('one row per person, with what the rules of the tags read.')}"  # noqa: S608  # our own names
        "{{ config(materialized='view') }}\n"
        "with\nmet as (select one_id, record from {{ ref('int_users__first_records') }}),\n"
        "users as (\n    select dim_users.*, {{ as_of() }} as as_of,\n"
        "    coalesce(met.record, dim_users.one_id) as drawn_by\n"
        "    from {{ ref('dim_users') }} as dim_users\n"
        "    left join met on met.one_id = dim_users.one_id\n)\n"
        f"select\n{_listed([*(f'    users.{name}' for name in _PERSON), *columns])}\n"
        f"from users\n{joins}"
    )


def _joined_column(column: str, wanted: Wanted) -> str:
    """A measure beside every person: zero without facts where it counts, days from a kept day."""
    if is_days_since(wanted):
        days = f"dbt.datediff('{column}', local_date('users.as_of'), 'day')"
        return f"cast({{{{ {days} }}}} as bigint)"
    default = default_of(wanted)
    return column if default is None else f"coalesce({column}, {default})"


def _measure_columns(tags: Tags, plan: Plan) -> list[tuple[str, None, str]]:
    """Name and description of every column of int_tags__measures but the person."""
    attributes = [(f"profile__{n}", None, f"{n} of the profile") for n in _attributes(tags)]
    measures = [
        (f"{scan.alias}__{name}", None, describe(wanted))
        for scan in plan.scans
        for name, wanted in scan.columns
    ]
    given = [
        ("as_of", None, "The instant of the run"),
        ("drawn_by", None, "What lots are drawn by: the record that the person was first met by"),
    ]
    return [*given, *attributes, *measures]


def _wide_sql(tags: Tags, plan: Plan) -> str:
    """The tags level by level: a composite one reads the levels before its own."""
    levels = [_ground_sql(tags, plan)]
    for number, level in enumerate(tags.levels(), 1):
        rules = _listed(f"    {value_sql(tag, tags, plan)} as {tag.tag_id}" for tag in level)
        levels.append(
            f"level_{number} as (\n    select *,\n{rules}\n    from level_{number - 1}\n)"  # noqa: S608  # our own names
        )
    ctes = ",\n".join(levels)
    chosen = fill(", ".join(["one_id", *(tag.tag_id for tag in tags.published)]), 96)
    return (
        f"{header('one row per person, every published tag in a column of its own.')}"
        f"with\n{ctes}\nselect\n{indent(chosen, '    ')}\nfrom level_{len(tags.levels())}\n"
    )


def _ground_sql(tags: Tags, plan: Plan) -> str:
    """What the first level reads: the measures, and the cuts that everyone's values make."""
    cuts = cuts_sql(tags, plan)
    if not cuts:
        return "level_0 as (select * from {{ ref('int_tags__measures') }})"
    listed = _listed(f"        {cut}" for cut in cuts)
    return (
        "measures as (select * from {{ ref('int_tags__measures') }}),\n"  # noqa: S608  # our own names
        f"cuts as (\n    select\n{listed}\n    from measures\n),\n"
        "level_0 as (select * from measures cross join cuts)"
    )


def _held_sql(tags: Tags) -> str:
    branches = []
    for tag in tags.published:
        is_flag = tag.value_type == "boolean"
        value = "'true'" if is_flag else f"cast({tag.tag_id} as varchar)"
        if tag.value_type == "list":
            value = f"{{{{ each_item('{tag.tag_id}') }}}}"
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
