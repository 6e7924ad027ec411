"""What is known of a tag, or of a person's tags: declaration, use, health and history."""

from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.masks import mask_sql
from zhongtai.settings import Settings
from zhongtai.tags.audiences import Audiences, load_audiences, tags_used_by_audiences
from zhongtai.tags.catalogue import Tags, load_tags
from zhongtai.tags.lineage import columns_read, sources_of
from zhongtai.tags.model import Tag
from zhongtai.tags.uses import users_of
from zhongtai.tags.versions import Version, load_versions, tag_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection

# Columns of metrics_tag_daily that say something of a whole tag, as far as a snapshot has them.
_HEALTH = (
    "tag_version", "coverage", "coverage_num", "tag_entered", "tag_stayed", "tag_left", "churn",
    "churn_num", "churn_den", "stability_index", "seconds", "rows_scanned",
)  # fmt: skip


@dataclass(frozen=True)
class TagUse:
    """A declared tag with where it comes from, who uses it and, where published, its health.

    `used_by` are other tags, audiences, models, checks and metrics, each by kind and name.
    """

    tag: Tag
    version: str
    sources: tuple[str, ...]
    used_by: tuple[str, ...]
    health: Mapping[str, Any] | None


@dataclass(frozen=True)
class VersionDays:
    """From which day to which a version of a rule gave the tag."""

    version: str
    first: date
    last: date


@dataclass(frozen=True)
class TagHistory:
    """The days of a tag, oldest first: a mapping each, with its date and the columns of health.

    `registered` are the changes of its meaning, oldest first, `versions` which was in force when.
    """

    tag_id: str
    registered: tuple[Version, ...]
    versions: tuple[VersionDays, ...]
    days: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class PersonHistory:
    """The periods of a person's tags, oldest first; name and mobile are masked, times naive UTC."""

    one_id: str
    former_ids: tuple[str, ...]
    name: str | None
    mobile: str | None
    periods: tuple[Mapping[str, Any], ...]


def list_tags(settings: Settings) -> list[TagUse]:
    """Every declared tag in the order declared, with its health where it is published."""
    tags = load_tags(settings.project_dir)
    audiences = tags_used_by_audiences(settings.project_dir, tags)
    health = _read_health(settings)
    return [
        TagUse(
            tag,
            tag_version(tag, tags),
            sources_of(tag, tags),
            tuple(_list_users(settings, tag, tags, audiences)),
            health.get(tag.tag_id),
        )
        for tag in tags.values()
    ]


def find_tag(settings: Settings, tag_id: str) -> TagUse:
    """One declared tag. Raises ConfigurationError where there is none of this id."""
    found = next((use for use in list_tags(settings) if use.tag.tag_id == tag_id), None)
    if found is None:
        raise _refuse_unknown(tag_id, load_tags(settings.project_dir))
    return found


def read_lineage(settings: Settings, tag: Tag) -> tuple[str, ...]:
    """The source columns that the value of a tag rests on, as source.entity.column."""
    return columns_read(tag, load_tags(settings.project_dir))


def read_declaration(tag: Tag) -> str:
    """The lines of a tag's declaration, as they stand in its file."""
    lines = tag.file.read_text("utf-8").splitlines()[tag.line - 1 :]
    indent = len(lines[0]) - len(lines[0].lstrip())
    end = next(
        (
            number
            for number, line in enumerate(lines[1:], 1)
            if line.strip() and len(line) - len(line.lstrip()) <= indent
        ),
        len(lines),
    )
    return "\n".join(line[indent:] for line in lines[:end]).rstrip()


def lint(settings: Settings) -> tuple[Tags, Audiences]:
    """Read every declaration of tags and audiences.

    Raises ConfigurationError with file and line for the first mistake, and where the models that
    are generated from the tags are not those of the declarations.
    """
    from zhongtai.tags.models import stale_models

    tags = load_tags(settings.project_dir)
    audiences = load_audiences(settings.project_dir, tags)
    stale = stale_models(settings)
    if stale:
        names = ", ".join(str(file.relative_to(settings.project_dir)) for file in stale[:3])
        raise ConfigurationError(
            f"{len(stale)} generated files do not say what the declarations say: {names}",
            hint="run `zhongtai generate tags` and look at the difference",
        )
    return tags, audiences


def read_tag_history(settings: Settings, tag_id: str) -> TagHistory:
    """The days on which a tag was published.

    Raises ConfigurationError for an unknown tag and ZhongtaiError before anything is published.
    """
    tags = load_tags(settings.project_dir)
    if tag_id not in tags:
        raise _refuse_unknown(tag_id, tags)
    with _published(settings, "metrics") as metrics:
        days = _select_health(metrics, "tag_id = ?", [tag_id])
    versions: dict[str, VersionDays] = {}
    for day in days:
        first = versions.get(day["tag_version"])
        versions[day["tag_version"]] = VersionDays(
            day["tag_version"], first.first if first else day["date"], day["date"]
        )
    registered = load_versions(settings.project_dir).get(tag_id, ())
    return TagHistory(tag_id, registered, tuple(versions.values()), tuple(days))


def read_person_history(
    settings: Settings, one_id: str, tag_id: str | None = None
) -> PersonHistory:
    """What tags a person had and has, also under ids that were merged into this one.

    Raises ConfigurationError where nobody has the id, and ZhongtaiError before anything is
    published.
    """
    with _published(settings, "profiles") as profiles:
        living = profiles.execute(
            "select one_id from dim_users where one_id = $id union all"
            " select one_id from one_id_redirects where retired_one_id = $id limit 1",
            {"id": one_id},
        ).fetchone()
        if living is None:
            raise ConfigurationError(
                f"there is no person {one_id} in the published profiles",
                hint="give a one_id; `zhongtai explain SOURCE:ENTITY:KEY` finds that of a record",
            )
        former = profiles.execute(
            "select retired_one_id from one_id_redirects where one_id = ? order by 1", living
        ).fetchall()
        ids = [living[0], *(row[0] for row in former)]
        person = profiles.execute(
            f"select {mask_sql('name')}, {mask_sql('mobile')} from dim_users where one_id = ?",  # noqa: S608
            living,
        ).fetchone() or (None, None)
        periods = _dictionaries(
            profiles,
            "select tag_id, value, valid_from, valid_to, tag_version, source, one_id"
            " from fct_user_tags where one_id in (select unnest($ids::varchar[]))"
            " and ($tag::varchar is null or tag_id = $tag) order by tag_id, valid_from, value",
            {"ids": ids, "tag": tag_id},
        )
    name, mobile = person
    return PersonHistory(ids[0], tuple(ids[1:]), name, mobile, tuple(periods))


def _list_users(
    settings: Settings, tag: Tag, tags: Tags, audiences: Mapping[str, tuple[str, ...]]
) -> "Iterator[str]":
    yield from (f"audience {name}" for name in audiences.get(tag.tag_id, ()))
    for use in users_of(settings.project_dir, tags, tag.tag_id):
        if use.kind != "audience":
            yield f"{use.kind} {use.name}"


def _read_health(settings: Settings) -> dict[str, Mapping[str, Any]]:
    """Health of each tag on the last day that was published; nothing before the first publish."""
    if not settings.path("published", "metrics", "current.duckdb").exists():
        return {}
    with _published(settings, "metrics") as metrics:
        days = _select_health(metrics, "date = (select max(date) from metrics_tag_daily)", [])
    return {day["tag_id"]: day for day in days}


def _select_health(
    metrics: "DuckDBPyConnection", condition: str, values: Sequence[object]
) -> list[dict[str, Any]]:
    """One mapping for each tag and day, whatever columns the snapshot has."""
    there = {row[0] for row in metrics.execute("describe metrics_tag_daily").fetchall()}
    columns = "".join(f", any_value({name}) as {name}" for name in _HEALTH if name in there)
    return _dictionaries(
        metrics,
        f"select date, tag_id{columns} from metrics_tag_daily where {condition}"  # noqa: S608
        " group by date, tag_id order by date, tag_id",
        values,
    )


def _dictionaries(
    connection: "DuckDBPyConnection", query: str, values: Sequence[object] | Mapping[str, object]
) -> list[dict[str, Any]]:
    cursor = connection.execute(query, values)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def _published(settings: Settings, store: str) -> "Iterator[DuckDBPyConnection]":
    from zhongtai.publish.encryption import open_published

    file = settings.path("published", store, "current.duckdb")
    if not file.exists():
        raise ZhongtaiError(
            f"nothing is published in {settings.home} yet, so tags have no history",
            hint="publish first with `zhongtai run`",
        )
    with open_published(settings, file) as connection:
        yield connection


def _refuse_unknown(tag_id: str, tags: Tags) -> ConfigurationError:
    from difflib import get_close_matches

    near = get_close_matches(tag_id, tags, n=3)
    return ConfigurationError(
        f"there is no tag {tag_id}",
        hint=f"did you mean {' or '.join(near)}?" if near else "see `zhongtai tags list`",
    )
