"""Reading the published map by its keys: whose a record is, what a person consists of.

Every file is sorted by what it is asked for, so that a question reads a few row groups of it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.identity.decisions import Decision, list_decisions
from zhongtai.identity.references import Reference
from zhongtai.identity.state import read_history
from zhongtai.masks import mask_asked
from zhongtai.settings import Settings

if TYPE_CHECKING:
    import duckdb

_NAMES = "source, entity, record_key"
_OLDEST_FIRST = "order by valid_from, source, entity, record_key, one_id"
_KEPT_SINCE_EXPLAIN = ("evidence", "refused_links", "matched_pairs")


@dataclass(frozen=True)
class Trace:
    """A record naming a value; without identifier_type a record that names none.

    `standing` is `link` where sharing the value makes one person, else why it does not.
    """

    reference: Reference
    linked_by: str
    linked_at: datetime
    valid_from: datetime
    identifier_type: str | None
    identifier_scope: str | None
    masked: str | None
    value_key: int | None
    named_key: int | None
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    record_count: int | None
    is_verified: bool | None
    standing: str | None


@dataclass(frozen=True)
class Period:
    """A record being somebody's; it still is where there is no valid_to. Times are naive UTC."""

    reference: Reference
    one_id: str
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True)
class PublishedMap:
    """The files of one published map and the decisions that were ever recorded."""

    connection: "duckdb.DuckDBPyConnection"
    folder: Path
    decisions: tuple[Decision, ...] = ()

    def select(
        self, stem: str, columns: str, condition: str, *values: object
    ) -> list[tuple[Any, ...]]:
        """Rows of one of the files; the question marks of the condition are `values`."""
        file = str(self.folder / f"{stem}.parquet")
        return self.connection.execute(
            f"select {columns} from read_parquet(?) where {condition}",  # noqa: S608
            [file, *values],
        ).fetchall()

    def find_one_id(self, reference: Reference) -> str | None:
        """Whose the record is; None where it is nobody's."""
        found = self.select(
            "record_map",
            "one_id",
            "source = ? and entity = ? and record_key = ?",
            reference.source,
            reference.entity,
            reference.record_key,
        )
        return str(found[0][0]) if found else None

    def read_traces(self, *one_ids: str) -> dict[str, list[Trace]]:
        """What is known of these persons, by one_id; those that are nobody are left out."""
        traces: dict[str, list[Trace]] = {}
        # one by one: what lies between two ids is not read then
        for one_id in dict.fromkeys(one_ids):
            rows = self.select(
                "evidence",
                f"{_NAMES}, linked_by, linked_at, valid_from, identifier_type,"
                " identifier_scope, masked, value_key, named_key, first_seen_at, last_seen_at,"
                " record_count, is_verified, standing",
                "one_id = ? order by all",
                one_id,
            )
            if rows:
                traces[one_id] = [Trace(Reference(*row[:3]), *row[3:]) for row in rows]
        return traces

    def follow(self, one_id: str) -> str | None:
        """The living id that a retired one leads to."""
        found = self.select("redirects", "one_id", "retired_one_id = ?", one_id)
        return str(found[0][0]) if found else None

    def read_changes(self, one_id: str) -> list[tuple[Any, ...]]:
        """changed_at, change, one_id, previous_one_id, record_count, reason; oldest first."""
        columns = "changed_at, change, one_id, previous_one_id, record_count, reason"
        # one by one: either condition alone skips what cannot match
        found = [
            *self.select("changes", columns, "one_id = ?", one_id),
            *self.select("changes", columns, "previous_one_id = ?", one_id),
        ]
        return sorted(found, key=lambda row: [str(part) for part in row])

    def applied(self, kind: str) -> list[Decision]:
        """The decisions that the published map was made with, the last of each pair."""
        rows = self.select(
            "standing_decisions",
            "source, entity, record_key, other_source, other_entity, other_record_key",
            "kind = ?",
            kind,
        )
        pairs = {(Reference(*row[:3]), Reference(*row[3:])) for row in rows}
        last = {d.pair: d for d in self.decisions if d.kind == kind and d.pair in pairs}
        return list(last.values())

    def read_past_of_records(self, references: Sequence[Reference]) -> list[Period]:
        """Whose these records were, as far as that is over; oldest first."""
        if not references:
            return []
        rows = self.select(
            "past_map",
            f"{_NAMES}, one_id, valid_from, valid_to",
            f"record_key in ({', '.join('?' * len(references))}) {_OLDEST_FIRST}",
            *(reference.record_key for reference in references),
        )
        wanted = set(references)
        periods = [Period(Reference(*row[:3]), *row[3:]) for row in rows]
        return [period for period in periods if period.reference in wanted]

    def read_past_of_person(self, one_id: str) -> list[Period]:
        """Which records were this person's and no longer are; oldest first."""
        rows = self.select(
            "past_map",
            f"{_NAMES}, one_id, valid_from, valid_to",
            f"one_id = ? {_OLDEST_FIRST}",
            one_id,
        )
        return [Period(Reference(*row[:3]), *row[3:]) for row in rows]


@contextmanager
def open_map(settings: Settings) -> Iterator[PublishedMap]:
    """The map of the published snapshot.

    Raises ZhongtaiError where nothing is published, or by a version that kept no evidence.
    """
    folder = read_history(settings).previous
    if folder is None:
        raise ZhongtaiError(
            f"nothing is published in {settings.home} yet, so nobody is known",
            hint="publish first with `zhongtai run`",
        )
    decisions = tuple(list_decisions(settings, with_undone=True))
    with open_folder(folder, decisions, str(settings.path("tmp"))) as found:
        yield found


@contextmanager
def open_folder(
    folder: Path, decisions: tuple[Decision, ...] = (), spill: str = ""
) -> Iterator[PublishedMap]:
    """The map in a folder of <home>/identity; what does not fit into memory goes to `spill`."""
    import duckdb

    missing = [s for s in _KEPT_SINCE_EXPLAIN if not (folder / f"{s}.parquet").exists()]
    if missing:
        raise ZhongtaiError(
            f"the published map in {folder} lacks {missing[0]}.parquet: an older version made it",
            hint="publish again with `zhongtai run`",
        )
    with duckdb.connect(config={"temp_directory": spill}) as connection:
        yield PublishedMap(connection, folder, decisions)


def refuse_unknown(subject: str) -> ConfigurationError:
    """The error that says there is no such record or person."""
    if ":" in subject:
        return ConfigurationError(
            f"there is no record {mask_asked(subject)} among the persons of the published map",
            hint="records are named SOURCE:ENTITY:KEY as in profiles.bridge_user_records; those of"
            " companies are in profiles.bridge_organisation_records",
        )
    return ConfigurationError(
        f"there is no person {mask_asked(subject)} in the published map",
        hint="give a one_id (u_ and 32 digits), or a record as SOURCE:ENTITY:KEY",
    )
