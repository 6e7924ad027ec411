"""The dbt models that the tags compile to: written by `zhongtai generate tags`, and committed."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from textwrap import fill, indent
from typing import Any

import yaml

from zhongtai.jinja import as_plain_text
from zhongtai.settings import Settings
from zhongtai.tags.catalogue import Tags, load_tags
from zhongtai.tags.expressions import SQL_TYPES, attribute_sql
from zhongtai.tags.listing import LISTED_COLUMNS, listing_sql
from zhongtai.tags.model import Attribute, Tag, leaves
from zhongtai.tags.plan import STALE, Plan, default_of, gathered_model, is_days_since, plan_scans
from zhongtai.tags.scans import header, incremental_sql, kept_name, scan_columns, scan_sql
from zhongtai.tags.staleness import (
    FINGERPRINT_COLUMNS,
    FINGERPRINTS,
    STALE_COLUMNS,
    fingerprints_sql,
    gathered_sql,
    stale_sql,
)
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
WIDE = "dim_user_tags"
# What every person brings along, beside attributes and measures.
_PERSON = ("one_id", "as_of", "drawn_by")


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


def generated_models(project_dir: Path) -> dict[str, str]:
    """The generated models that compute tags as they stand below `project_dir`, by name."""
    files = [
        *(project_dir / _INTERMEDIATE).glob("int_tags__*.sql"),
        project_dir / _PROFILES / f"{WIDE}.sql",
    ]
    return {file.stem: file.read_text("utf-8") for file in files}


def render_models(
    tags: Tags, versions: Mapping[str, tuple[Version, ...]] | None = None
) -> dict[Path, str]:
    """The text of every generated file, by its path below the project folder.

    `versions` is the registry, for dim_tags to say who changed a tag and why.
    """
    plan = plan_scans(tags)
    texts = _scan_texts(plan)
    texts |= {**_staleness_texts(plan), **_gathered_texts(plan)}
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
    texts[_PROFILES / f"{WIDE}.sql"] = _wide_sql(tags, plan)
    texts[_PROFILES / f"{WIDE}.yml"] = _properties(
        WIDE,
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


def _staleness_texts(plan: Plan) -> dict[Path, str]:
    fingerprints = "one row per concern and person: what tags could read there, as a number."
    stale = "one row per concern and person whose row is to be computed anew; some repeat."
    return {
        _INTERMEDIATE / f"{FINGERPRINTS}.sql": f"{header(fingerprints)}{fingerprints_sql(plan)}",
        _INTERMEDIATE / f"{FINGERPRINTS}.yml": _properties(
            FINGERPRINTS,
            "What tags could read of each person, as numbers that the next run compares with",
            [(name, None, text) for name, text in FINGERPRINT_COLUMNS],
        ),
        _INTERMEDIATE / f"{STALE}.sql": f"{header(stale)}{stale_sql(plan)}",
        _INTERMEDIATE / f"{STALE}.yml": _properties(
            STALE,
            "Persons of whom something changed since tags were computed last; nobody after a full"
            " computation",
            [(name, None, text) for name, text in STALE_COLUMNS],
        ),
    }


def _gathered_texts(plan: Plan) -> dict[Path, str]:
    texts = {}
    facts = {fact.name: fact for scan in plan.scans for fact in scan.facts}
    for name in sorted({name for scan in plan.scans for name in scan.gathered}):
        grain = f"one row per fact of {name} of a person whose tags are computed anew."
        model = gathered_model(name)
        texts[_INTERMEDIATE / f"{model}.sql"] = f"{header(grain)}{gathered_sql(plan, facts[name])}"
        columns = {"one_id": "The person", facts[name].time: "When it happened (naive UTC)"}
        columns |= dict.fromkeys(facts[name].columns, "As in the table of facts")
        texts[_INTERMEDIATE / f"{model}.yml"] = _properties(
            model,
            f"The {name} of persons of whom something changed, read once for all measures",
            [(column, None, text) for column, text in columns.items()],
        )
    return texts


def _attributes(tags: Tags) -> list[str]:
    """Names of the attributes that the rules read."""
    read = {leaf for tag in tags.published for leaf in leaves(tag.rule)}
    return sorted({leaf.name for leaf in read if isinstance(leaf, Attribute)})


def _persons_sql(is_kept: bool) -> str:
    """Everyone, or who is stale, with what lots are drawn by."""
    everyone = "{{ ref('dim_users') }}"
    if is_kept:
        everyone = f"(select * from {everyone} where true {{{{ only_stale() }}}})"  # noqa: S608  # our own names
    met = "met as (select one_id, record from {{ ref('int_users__first_records') }})"
    return (
        f"{met},\nusers as (\n    select dim_users.*, {{{{ as_of() }}}} as as_of,\n"  # noqa: S608
        "    coalesce(met.record, dim_users.one_id) as drawn_by\n"
        f"    from {everyone} as dim_users\n"
        "    left join met on met.one_id = dim_users.one_id\n)"
    )


def _measures_sql(tags: Tags, plan: Plan) -> str:
    """Every attribute and measure that a rule reads, beside each person."""
    columns = [f"    {attribute_sql(name)} as profile__{name}" for name in _attributes(tags)]
    for scan in plan.scans:
        for name, wanted in scan.columns:
            column = _joined_column(f"{scan.alias}.{kept_name(name, wanted)}", wanted)
            columns.append(f"    {column} as {scan.alias}__{name}")
    joins = "".join(
        f"    left join {{{{ ref('{s.model}') }}}} as {s.alias}"
        f" on {s.alias}.one_id = users.one_id\n"
        for s in plan.scans
    )
    selected = _listed([*(f"    users.{name}" for name in _PERSON), *columns])
    return f"measures as (\n    select\n{selected}\n    from users\n{joins})"


def _joined_column(column: str, wanted: Wanted) -> str:
    """A measure beside every person: zero without facts where it counts, days from a kept day."""
    if is_days_since(wanted):
        days = f"dbt.datediff('{column}', local_date('users.as_of'), 'day')"
        return f"cast({{{{ {days} }}}} as bigint)"
    default = default_of(wanted)
    return column if default is None else f"coalesce({column}, {default})"


def _wide_sql(tags: Tags, plan: Plan) -> str:
    """The tags level by level: a composite one reads the levels before its own.

    Where everyone's values cut the bands of one, a changed person may change any other's tags, so
    nothing is kept.
    """
    cuts = cuts_sql(tags, plan)
    levels = [_persons_sql(not cuts), _measures_sql(tags, plan), *_ground_sql(cuts)]
    for number, level in enumerate(tags.levels(), 1):
        rules = _listed(f"    {value_sql(tag, tags, plan)} as {tag.tag_id}" for tag in level)
        levels.append(
            f"level_{number} as (\n    select *,\n{rules}\n    from level_{number - 1}\n)"  # noqa: S608  # our own names
        )
    ctes = ",\n".join(levels)
    chosen = fill(", ".join(["one_id", *(tag.tag_id for tag in tags.published)]), 96)
    return (
        f"{header('one row per person, every published tag in a column of its own.')}"
        f"{'' if cuts else incremental_sql()}"
        f"with\n{ctes}\nselect\n{indent(chosen, '    ')}\nfrom level_{len(tags.levels())}\n"
    )


def _ground_sql(cuts: list[str]) -> list[str]:
    """What the first level reads: the measures, and the cuts that everyone's values make."""
    if not cuts:
        return ["level_0 as (select * from measures)"]
    listed = _listed(f"        {cut}" for cut in cuts)
    return [
        f"cuts as (\n    select\n{listed}\n    from measures\n)",
        "level_0 as (select * from measures cross join cuts)",
    ]


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
        column["description"] = as_plain_text(text)
        if name == unique:
            column["data_tests"] = ["not_null", "unique"]
        listed.append(column)
    document = {"version": 2, "models": [
        {"name": model, "description": as_plain_text(description), "columns": listed}
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
