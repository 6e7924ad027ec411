"""Which rules were ever published under which id: the registry that no tag changes unseen.

A tag is known for ever by its id. Each change of what it means, and each change between published,
inactive and retired, is a row with author, reason and date; ids of retired tags stay taken.
"""

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from datetime import date
from functools import cache
from pathlib import Path

from zhongtai.errors import ConfigurationError
from zhongtai.tags.catalogue import Tags, error_of
from zhongtai.tags.model import Tag
from zhongtai.tags.uses import users_of

REGISTRY = Path("seeds/tag_versions.csv")


@dataclass(frozen=True)
class Version:
    """One row of the registry. `status` is published, inactive or retired."""

    tag_id: str
    version: int
    content_hash: str
    status: str
    author: str
    because: str
    registered_on: str


_HINT = "take the file back as it was, and let `zhongtai generate tags` write it"
_HEADER = [field.name for field in fields(Version)]


def tag_version(tag: Tag, tags: Tags) -> str:
    """Content hash of what the declaration means, and of the versions of the tags that it reads.

    The order of the exclusive group counts too: it decides who gets the tag. Words do not count.
    """

    @cache
    def version(tag_id: str) -> str:
        read = tags[tag_id]
        parts = {
            "declared": read.declared,
            "parents": [version(parent) for parent in read.parents],
            "ranked_above": [t.tag_id for t in tags.exclusive_before(read)],
        }
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    return version(tag.tag_id)


def load_versions(project_dir: Path) -> Mapping[str, tuple[Version, ...]]:
    """The registered versions of each id, oldest first; empty where nothing was registered yet.

    Raises ConfigurationError with file and line for a row that is none.
    """
    file = project_dir / REGISTRY
    found: dict[str, tuple[Version, ...]] = {}
    if not file.exists():
        return found
    with file.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.reader(opened)
        if next(reader, None) != _HEADER:
            raise ConfigurationError(
                f"{file}:1: expected the columns {','.join(_HEADER)}", hint=_HINT
            )
        for row in reader:
            known = found.get(row[0], ()) if row else ()
            found[row[0] if row else ""] = (*known, _read_row(file, reader.line_num, row, known))
    return found


def unregistered(tags: Tags, versions: Mapping[str, tuple[Version, ...]]) -> list[Version]:
    """The rows that the declarations call for and the registry lacks, without author and date.

    Raises ConfigurationError where a retired id is used again.
    """
    return [
        *(row for tag in tags.values() if (row := _missing(tag, tags, versions))),
        *(
            Version(tag_id, known[-1].version, known[-1].content_hash, "retired", "", "", "")
            for tag_id, known in versions.items()
            if tag_id not in tags and known[-1].status != "retired"
        ),
    ]


def refuse_withdrawal_in_use(project_dir: Path, tags: Tags, rows: list[Version]) -> None:
    """Raise ConfigurationError, naming the users, if a tag that is used would stop being computed.

    `rows` are what `unregistered` found.
    """
    for row in rows:
        if row.status == "published":
            continue
        users = users_of(project_dir, tags, row.tag_id)
        if users:
            listed = "; ".join(f"{use.kind} {use.name} ({use.place})" for use in users)
            raise ConfigurationError(
                f"tag {row.tag_id} cannot become {row.status}: it is used by {listed}",
                hint="change its users first, or keep the tag published",
            )


def refuse_unregistered(rows: list[Version]) -> None:
    """Raise ConfigurationError that names every change which has no author and reason yet."""
    if not rows:
        return
    told = ", ".join(
        f"{row.tag_id} (version {row.version}, {row.status}, {row.content_hash})" for row in rows
    )
    raise ConfigurationError(
        f"{REGISTRY} does not know {told}",
        hint="say who changed what these tags mean, and why:"
        " zhongtai generate tags --author NAME --because REASON",
    )


def register(project_dir: Path, rows: list[Version], author: str, because: str, on: date) -> Path:
    """Add the rows to the registry with their author, reason and date; its file.

    Rows that stand in it are never changed. Raises ConfigurationError for a blank author or reason.
    """
    if not author.strip() or not because.strip():
        raise ConfigurationError(
            "a version needs an author and a reason, both not blank",
            hint="zhongtai generate tags --author NAME --because REASON",
        )
    file = project_dir / REGISTRY
    known = [row for rows_of in load_versions(project_dir).values() for row in rows_of]
    added = [
        Version(r.tag_id, r.version, r.content_hash, r.status, author, because, on.isoformat())
        for r in rows
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(_HEADER)
        # sorting is stable: the rows of an id stay in the order of their registration
        writer.writerows(astuple(row) for row in sorted([*known, *added], key=lambda r: r.tag_id))
    return file


def _missing(tag: Tag, tags: Tags, versions: Mapping[str, tuple[Version, ...]]) -> Version | None:
    known = versions.get(tag.tag_id, ())
    latest = known[-1] if known else None
    if latest is None:
        return _row(tag, 1, tag_version(tag, tags), "published") if tag.is_published else None
    if latest.status == "retired" and tag.status != "retired":
        raise error_of(
            tag,
            f"tag {tag.tag_id} was retired on {latest.registered_on}: ids are never reused,"
            " give the new tag an id of its own",
        )
    if tag.is_published:
        content = tag_version(tag, tags)
        if (latest.content_hash, latest.status) == (content, "published"):
            return None
        return _row(tag, latest.version + (latest.content_hash != content), content, "published")
    # a tag that goes back to draft or review is as little computed as an inactive one
    status = "retired" if tag.status == "retired" else "inactive"
    if latest.status == status:
        return None
    return _row(tag, latest.version, latest.content_hash, status)


def _row(tag: Tag, version: int, content: str, status: str) -> Version:
    return Version(tag.tag_id, version, content, status, "", "", "")


def _read_row(file: Path, line: int, row: list[str], known: tuple[Version, ...]) -> Version:
    place = f"{file}:{line}"
    if len(row) != len(_HEADER) or not all(row) or not row[1].isdigit():
        raise ConfigurationError(
            f"{place}: expected {','.join(_HEADER)}, all of them filled", hint=_HINT
        )
    found = Version(row[0], int(row[1]), *row[2:])
    if found.status not in ("published", "inactive", "retired"):
        raise ConfigurationError(
            f"{place}: status is {found.status!r}, expected published, inactive or retired",
            hint=_HINT,
        )
    before = known[-1].version if known else 0
    if found.version not in (before, before + 1) or found.version < 1:
        raise ConfigurationError(
            f"{place}: {found.tag_id} has version {found.version} after {before}", hint=_HINT
        )
    return found
