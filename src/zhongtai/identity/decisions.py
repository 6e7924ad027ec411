"""What people decided about who is who: recorded in PostgreSQL, applied at every rebuild.

A merge makes two records one person whatever contradicts it; a split keeps them two whatever joins
them. Of the decisions about one pair that stand the last one holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import psycopg
import pyarrow as pa
from psycopg import errors

from zhongtai import locks
from zhongtai.database import connect, name_session
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.identity.contradictions import find_contradiction
from zhongtai.identity.references import Reference
from zhongtai.settings import Settings

if TYPE_CHECKING:
    import duckdb

Kind = Literal["merge", "split"]

_COLUMNS = (
    "decision_id, kind, source, entity, record_key, other_source, other_entity, other_record_key,"
    " author, reason, decided_at, undone_at, undone_by, undone_because"
)
_SELECT = f"select {_COLUMNS} from identity.decisions order by decision_id"  # noqa: S608
_INSERT = (
    "insert into identity.decisions (kind, source, entity, record_key, other_source,"  # noqa: S608
    " other_entity, other_record_key, author, reason)"
    f" values (%s, %s, %s, %s, %s, %s, %s, %s, %s) returning {_COLUMNS}"
)
_UNDO = (
    "update identity.decisions set undone_at = clock_timestamp(), undone_by = %s,"  # noqa: S608
    f" undone_because = %s where decision_id = %s returning {_COLUMNS}"
)


@dataclass(frozen=True)
class Decision:
    """One recorded decision; `left` is the record whose name sorts first. Instants are aware."""

    decision_id: int
    kind: Kind
    left: Reference
    right: Reference
    author: str
    reason: str
    decided_at: datetime
    undone_at: datetime | None = None
    undone_by: str | None = None
    undone_because: str | None = None

    @property
    def pair(self) -> tuple[Reference, Reference]:
        """Both records."""
        return self.left, self.right

    def __str__(self) -> str:
        return f"decision {self.decision_id} ({self.kind} {self.left} {self.right}, {self.author})"


def decide(  # noqa: PLR0913
    settings: Settings,
    kind: Kind,
    record: Reference,
    other: Reference,
    *,
    author: str,
    because: str,
) -> Decision:
    """Record that two records are one person or two; takes effect at the next build.

    Raises ZhongtaiError where a record is unknown, both are the same, the same is decided already,
    or the decision contradicts others, which are named.
    """
    _refuse_empty(author, because)
    if record == other:
        raise ConfigurationError(
            f"{record} was given twice, expected two records",
            hint="name the two records that the decision is about",
        )
    for reference in (record, other):
        require_person_record(settings, reference)
    left, right = sorted((record, other))
    with connect(settings) as connection:
        standing = effective(_lock_and_read(connection))
        for earlier in standing:
            if earlier.pair == (left, right) and earlier.kind == kind:
                raise ZhongtaiError(
                    f"already decided: {earlier}",
                    hint="nothing needs to be done; the next build applies it",
                )
        row = connection.execute(
            _INSERT,
            [kind, *_fields(left), *_fields(right), author, because],
        ).fetchone()
        made = _read(row or ())
        _refuse_contradiction([*standing, made], f"{kind} {left} {right}")
    return made


def undo_decision(settings: Settings, decision_id: int, *, author: str, because: str) -> Decision:
    """Take a decision back; an earlier one about the same pair holds again from the next build on.

    Raises ZhongtaiError where there is no such decision, where it was undone before, or where what
    holds then contradicts other decisions.
    """
    _refuse_empty(author, because)
    with connect(settings) as connection:
        decisions = _lock_and_read(connection)
        found = next((d for d in decisions if d.decision_id == decision_id), None)
        if found is None:
            raise ConfigurationError(
                f"there is no decision {decision_id}",
                hint="`zhongtai identity list --all` shows every decision",
            )
        if found.undone_at:
            raise ZhongtaiError(
                f"{found} was undone by {found.undone_by} on {found.undone_at:%Y-%m-%d}",
                hint="record a new decision instead",
            )
        _refuse_contradiction([d for d in decisions if d is not found], f"undo {decision_id}")
        row = connection.execute(_UNDO, [author, because, decision_id]).fetchone()
    return _read(row or ())


def list_decisions(settings: Settings, *, with_undone: bool = False) -> list[Decision]:
    """The decisions that hold, oldest first; or every one that was ever recorded."""
    with connect(settings) as connection:
        decisions = _read_all(connection)
    return decisions if with_undone else effective(decisions)


def effective(decisions: Iterable[Decision]) -> list[Decision]:
    """Those that hold: of the ones about a pair that were not undone the last."""
    last: dict[tuple[Reference, Reference], Decision] = {}
    for decision in sorted(decisions, key=lambda d: d.decision_id):
        if decision.undone_at is None:
            last[decision.pair] = decision
    return sorted(last.values(), key=lambda d: d.decision_id)


def load_decisions(settings: Settings, connection: "duckdb.DuckDBPyConnection") -> None:
    """Write identity.decisions of the working file: those that hold, times as naive UTC."""
    write_decisions(connection, list_decisions(settings))


def write_decisions(connection: "duckdb.DuckDBPyConnection", decisions: Sequence[Decision]) -> None:
    """Write the table identity.decisions, one row for each of these decisions."""
    table = pa.table(
        {
            "decision_id": pa.array([d.decision_id for d in decisions], pa.int64()),
            "kind": pa.array([d.kind for d in decisions], pa.string()),
            **{
                f"{prefix}{name}": pa.array(
                    [getattr(getattr(d, side), name) for d in decisions], pa.string()
                )
                for prefix, side in (("", "left"), ("other_", "right"))
                for name in ("source", "entity", "record_key")
            },
            "author": pa.array([d.author for d in decisions], pa.string()),
            "reason": pa.array([d.reason for d in decisions], pa.string()),
            "decided_at": pa.array(
                [d.decided_at.replace(tzinfo=None) for d in decisions], pa.timestamp("us")
            ),
        }
    )
    connection.execute("create schema if not exists identity")
    connection.register("decided", table)
    connection.execute("create or replace table identity.decisions as select * from decided")
    connection.unregister("decided")


def require_person_record(settings: Settings, reference: Reference) -> None:
    """Raise ZhongtaiError unless the published map holds the record as a person's."""
    from zhongtai.publish.encryption import open_published

    current = settings.path("published", "profiles", "current.duckdb")
    if not current.exists():
        raise ZhongtaiError(
            f"nothing is published in {settings.home} yet, so {reference} is not known",
            hint="publish first with `zhongtai run`, then decide",
        )
    with open_published(settings, current) as profiles:
        for table, is_person in (
            ("bridge_user_records", True),
            ("bridge_organisation_records", False),
        ):
            found = profiles.execute(
                f"select 1 from {table} where record_key = ? and source = ? and entity = ?",  # noqa: S608
                [reference.record_key, reference.source, reference.entity],
            ).fetchone()
            if found and is_person:
                return
            if found:
                raise ConfigurationError(
                    f"{reference} is a record of a company, which is no person",
                    hint="decisions are about records in profiles.bridge_user_records",
                )
    raise ConfigurationError(
        f"there is no record {reference} in the published map",
        hint="records are named SOURCE:ENTITY:KEY as in profiles.bridge_user_records",
    )


def _refuse_empty(author: str, because: str) -> None:
    for name, text in (("author", author), ("reason", because)):
        if not text.strip():
            raise ConfigurationError(
                f"the {name} of the decision is empty",
                hint="say who decides and why: --author NAME --because REASON",
            )


def _refuse_contradiction(decisions: Sequence[Decision], attempt: str) -> None:
    found = find_contradiction(effective(decisions))
    if found:
        apart, path = found
        raise ZhongtaiError(
            f"`{attempt}` is refused: {apart} keeps apart what would become one person through "
            + ", ".join(str(step) for step in path),
            hint="undo one of them first: `zhongtai identity undo ID --because REASON`",
        )


def _lock_and_read(connection: psycopg.Connection) -> list[Decision]:
    """All decisions, with the others kept from deciding until this one is recorded.

    Raises BusyError that names who has been at it for long.
    """
    name_session(connection, "identity")
    try:
        connection.execute(f"set local lock_timeout = {round(locks.WAIT_SECONDS * 1000)}")
        connection.execute("lock table identity.decisions in share row exclusive mode")
    except errors.LockNotAvailable as error:
        connection.rollback()
        raise locks.BusyError(
            f"another process is deciding: {locks.table_holder(connection, 'identity.decisions')}",
            hint="nothing was recorded; wait until it has finished, then decide again",
        ) from error
    return _read_all(connection)


def _read_all(connection: psycopg.Connection) -> list[Decision]:
    return [_read(row) for row in connection.execute(_SELECT)]


def _read(row: Sequence[object]) -> Decision:
    number, kind, *rest = row
    left, right = Reference(*rest[0:3]), Reference(*rest[3:6])  # type: ignore[arg-type]
    return Decision(number, kind, left, right, *rest[6:])  # type: ignore[arg-type]


def _fields(reference: Reference) -> tuple[str, str, str]:
    return reference.source, reference.entity, reference.record_key
