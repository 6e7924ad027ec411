"""The catalogue table of the tags: what dim_tags says of each."""

from collections.abc import Mapping

from zhongtai.tags.catalogue import Tags
from zhongtai.tags.expressions import literal
from zhongtai.tags.lineage import columns_read, sources_of
from zhongtai.tags.model import Tag
from zhongtai.tags.scans import header
from zhongtai.tags.versions import Version, tag_version
from zhongtai.tags.wants import Scalar

LISTED_COLUMNS = {
    "tag_id": ("varchar", "Id of the tag; never given to another tag"),
    "tag_version": ("varchar", "Hash of the rule and of the tags that it reads"),
    "tag_group": ("varchar", "File in seeds/tags/ that declares it"),
    "name_zh": ("varchar", "Name in Chinese"),
    "name_en": ("varchar", "Name in English"),
    "description": ("varchar", "What the tag says about a person"),
    "owner": ("varchar", "Who answers for the rule"),
    "kind": ("varchar", "How the value comes about: rule, metric, sequence and so on"),
    "value_type": ("varchar", "boolean, text, integer, number, date, list or shares"),
    "exclusive_group": ("varchar", "A person has at most one tag of a group; NULL outside of any"),
    "consent_purpose": ("varchar", "Consent that its use needs: none, marketing, personalisation"),
    "ttl_days": ("bigint", "Days that a value set from outside holds; NULL: until its own expiry"),
    "history_days": ("bigint", "Days that past values are kept"),
    "status": ("varchar", "draft, in_review, published (computed), inactive or retired"),
    "sources": ("varchar", "Source data that the rule reads, by way of parent tags included"),
    "source_columns": ("varchar", "Columns of that source data, entity.column each"),
    "parents": ("varchar", "Tags that the rule reads itself"),
    "version_number": ("bigint", "How often the meaning was published anew; NULL before the first"),
    "version_author": ("varchar", "Who registered the version in force"),
    "version_because": ("varchar", "Why it was registered"),
    "version_on": ("date", "Day on which it was registered"),
}  # fmt: skip


def listing_sql(tags: Tags, versions: Mapping[str, tuple[Version, ...]]) -> str:
    """The model dim_tags: a row per declared tag, with its version as the registry has it."""
    rows = []
    for tag in tags.values():
        values = (*_told(tag, tags), *_registered(versions.get(tag.tag_id, ())))
        rows.append(f"    ({', '.join('null' if v is None else literal(v) for v in values)})")
    names = ", ".join(LISTED_COLUMNS)
    selected = ",\n".join(
        f"    cast({name} as {kind}) as {name}" for name, (kind, _) in LISTED_COLUMNS.items()
    )
    listed = ",\n".join(rows)
    return (
        f"{header('one row per declared tag.')}"
        f"select\n{selected}\nfrom (values\n{listed}\n) as tag ({names})\n"
    )


def _told(tag: Tag, tags: Tags) -> tuple[Scalar | None, ...]:
    return (
        tag.tag_id, tag_version(tag, tags), tag.group, tag.name_zh, tag.name_en,
        tag.description, tag.owner, tag.kind, tag.value_type, tag.exclusive_group,
        tag.consent, tag.ttl_days, tag.history_days, tag.status,
        ", ".join(sources_of(tag, tags)), ", ".join(columns_read(tag, tags)),
        ", ".join(tag.parents) or None,
    )  # fmt: skip


def _registered(known: tuple[Version, ...]) -> tuple[Scalar | None, ...]:
    if not known:
        return None, None, None, None
    latest = known[-1]
    return latest.version, latest.author, latest.because, latest.registered_on
