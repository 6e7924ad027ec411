"""What conditions may name: the tags and the columns of the profile, with type and SQL."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from zhongtai.masks import mask_sql
from zhongtai.publish.content import quoted
from zhongtai.tags.conditions import Column, Type

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from zhongtai.tags.catalogue import Tags

# Of the profile what is neither here nor a flag is personal: a condition may ask whether it is
# known. A column that is new is personal until it is named here.
_PROFILE: Mapping[str, Type] = {
    "gender": "text",
    "province": "text",
    "city": "text",
    "lifecycle_stage": "text",
    "nurture_pool": "text",
    "lead_tier": "text",
    "source_count": "integer",
    "record_count": "integer",
    # instants of the profile are compared by their local date
    "first_seen_at": "date",
    "last_seen_at": "date",
    "is_owner": "boolean",
    "is_staff": "boolean",
    "is_partner": "boolean",
    "allows_marketing": "boolean",
}
_PERSONAL = ("name", "birth_date", "mobile", "email")
_OF_THE_PIPELINE = ("one_id", "identity_version", "snapshot_id")
_TYPES: Mapping[str, Type] = {
    "BOOLEAN": "boolean",
    "BIGINT": "integer",
    "INTEGER": "integer",
    "DOUBLE": "number",
    "DATE": "date",
    "VARCHAR": "text",
}
KNOWN = "(known)"
# Purposes of audiences, and from which age on somebody may be in one: docs/audiences.md says why.
LEAST_AGE: Mapping[str, int] = {"marketing": 18, "personalisation": 18, "service": 14}
# The bitmaps of who is known to be younger than such an age.
MINOR = "minor"
_MASKED = ("name", "mobile")
_SHOWN = ("province", "city", "lifecycle_stage")


@dataclass(frozen=True)
class Populace:
    """The columns of a published profile file.

    `sql_of` is over dim_users (alias users) and dim_user_tags (alias tags); `flags` are queries,
    by name and value, of one flag per number of a person; they read a table `moment` with `as_of`.
    """

    columns: Mapping[str, Column]
    tag_ids: frozenset[str]
    sql_of: Mapping[str, str]
    flags: tuple[tuple[str, str, str], ...]


def declared_columns(tags: "Tags") -> dict[str, Column]:
    """What a condition may name once the declared tags are published."""
    columns = {name: Column(name, kind) for name, kind in _PROFILE.items()}
    columns |= {name: Column(name, "text", is_personal=True) for name in _PERSONAL}
    for tag in tags.published:
        columns[tag.tag_id] = Column(tag.tag_id, _type_of_tag(tag.value_type))
    return columns


def is_younger(age: int, as_of: str) -> str:
    """SQL over dim_users (alias users): known to be younger on the local day of `as_of` (SQL)."""
    grown = f"users.birth_date + interval {age} year"
    return f"coalesce({grown} > ({as_of} + interval 8 hour)::date, false)"


def describe_columns(engine: "DuckDBPyConnection") -> Populace:
    """What the attached database `profiles` has."""
    columns: dict[str, Column] = {}
    sql_of: dict[str, str] = {}
    for name, kind in _list_columns(engine, "dim_users"):
        of_type = _PROFILE.get(name) or ("boolean" if kind == "BOOLEAN" else None)
        columns[name] = Column(name, of_type or "text", is_personal=of_type is None)
        sql_of[name] = f"users.{quoted(name)}"
        if of_type == "date" and kind.startswith("TIMESTAMP"):
            sql_of[name] = f"cast(users.{quoted(name)} + interval 8 hour as date)"
    tag_ids = set()
    for name, kind in _list_columns(engine, "dim_user_tags"):
        columns[name] = Column(name, _TYPES.get(kind, "list" if kind.endswith("[]") else "text"))
        sql_of[name] = f"tags.{quoted(name)}"
        tag_ids.add(name)
    personal = [name for name, column in columns.items() if column.is_personal]
    lists = [name for name, column in columns.items() if column.type == "list"]
    flags = [("everybody", "true", _of_everybody("users.one_id is not null"))]
    flags += [
        (name, KNOWN, _of_everybody(f"{sql_of[name]} is not null")) for name in personal + lists
    ]
    flags += [
        (MINOR, str(age), _of_everybody(is_younger(age, "(select as_of from moment)")))
        for age in sorted(set(LEAST_AGE.values()))
    ]
    flags += [
        ("identifier", kind, _OF_IDENTIFIER.format(kind=kind.replace("'", "''")))
        for (kind,) in engine.execute(
            "select distinct identifier_type from profiles.main.bridge_user_identifiers"
            " where not is_shared order by 1"
        ).fetchall()
    ]
    return Populace(
        columns,
        frozenset(tag_ids),
        sql_of,
        tuple(flags),
    )


def read_columns(populace: Populace, names: Sequence[str]) -> str:
    """A query of these columns, one row per number of a person."""
    listed = ", ".join(f"{populace.sql_of[name]} as {quoted(name)}" for name in names)
    return f"select {listed} from {_NUMBERED}"  # noqa: S608  # quoted names


def describe_persons(engine: "DuckDBPyConnection") -> str:
    """A query of what is shown of each number of a person: one_id, and the profile, masked."""
    there = {name for name, _ in _list_columns(engine, "dim_users")}
    listed = [f"{mask_sql(f'users.{quoted(c)}')} as {c}" for c in _MASKED if c in there]
    listed += [f"users.{quoted(c)} as {c}" for c in _SHOWN if c in there]
    return f"select {', '.join(['one_id', *listed])} from {_NUMBERED}"  # noqa: S608  # quoted names


def _type_of_tag(value_type: str) -> Type:
    # shares are a text, of which one may hardly ask more than whether it is known
    return "text" if value_type == "shares" else cast("Type", value_type)


def _list_columns(engine: "DuckDBPyConnection", table: str) -> Iterable[tuple[str, str]]:
    rows = engine.execute(
        "select column_name, data_type from duckdb_columns()"
        " where database_name = 'profiles' and table_name = ? order by column_index",
        [table],
    ).fetchall()
    return [(name, kind) for name, kind in rows if name not in _OF_THE_PIPELINE]


_NUMBERED = (
    "numbers left join profiles.main.dim_users as users using (one_id)"
    " left join profiles.main.dim_user_tags as tags using (one_id) order by user_seq"
)
_OF_IDENTIFIER = (
    "select holder.one_id is not null from numbers left join (select distinct one_id"
    " from profiles.main.bridge_user_identifiers"
    " where identifier_type = '{kind}' and not is_shared) as holder using (one_id)"
    " order by user_seq"
)


def _of_everybody(test: str) -> str:
    return f"select {test} from {_NUMBERED}"  # noqa: S608  # quoted names
