"""Listing the quarantine by rule, and showing what is in it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from difflib import get_close_matches

import psycopg
import pyarrow.compute as pc
from psycopg.rows import class_row

from zhongtai.access import OPS
from zhongtai.advice import ADVICE, advise
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError
from zhongtai.ingest.setaside import read_rows, rows_file
from zhongtai.settings import Settings


@dataclass(frozen=True)
class Selection:
    """Which part of the quarantine is meant; what is None is not looked at."""

    source: str | None = None
    entity: str | None = None
    delivery_id: str | None = None
    rule: str | None = None


EVERYTHING = Selection()


@dataclass(frozen=True)
class QuarantineItem:
    """Rows of one delivery that broke one rule. `rows` is what is still set aside."""

    delivery_id: str
    source: str
    entity: str
    file: str
    level: str
    rule: str
    column: str
    reason: str
    severity: str
    rows: int
    replayed_rows: int
    loaded_at: datetime

    @property
    def advice(self) -> str:
        """What to do about it."""
        return advise(self.rule)


@dataclass(frozen=True)
class QuarantinedRow:
    """A row as delivered: personal data, for the terminal of whoever asked only."""

    line: int
    rule: str
    column: str
    reason: str
    original: str


def list_(
    settings: Settings, selection: Selection = EVERYTHING, *, with_warnings: bool = False
) -> list[QuarantineItem]:
    """What is set aside, newest first; with `with_warnings` also what loaded with a warning."""
    with connect(settings.acting_as(OPS)) as connection:
        cursor = connection.cursor(row_factory=class_row(QuarantineItem))
        return cursor.execute(
            "select d.delivery_id, d.source, d.entity, d.file, q.level, q.rule,"
            ' q.column_name as "column", q.reason, q.severity, q.rows - q.replayed_rows as rows,'
            " q.replayed_rows, d.loaded_at"
            " from ledger.quarantine q join ledger.deliveries d using (delivery_id)"
            " where (%(source)s::text is null or d.source = %(source)s)"
            " and (%(entity)s::text is null or d.entity = %(entity)s)"
            " and (%(delivery_id)s::text is null or d.delivery_id = %(delivery_id)s)"
            " and (%(rule)s::text is null or q.rule = %(rule)s)"
            " and (%(with_warnings)s or q.level = 'row' and q.rows > q.replayed_rows"
            "      or q.level = 'file' and d.status = 'quarantined')"
            " order by d.sequence desc, q.level, q.rule, q.column_name",
            {**asdict(selection), "with_warnings": with_warnings},
        ).fetchall()


def find_delivery(connection: psycopg.Connection, delivery_id: str) -> tuple[str, str, str]:
    """Source, entity and sha256 of a delivery. Raises ConfigurationError where there is none."""
    found: tuple[str, str, str] | None = connection.execute(
        "select source, entity, sha256 from ledger.deliveries where delivery_id = %s",
        [delivery_id],
    ).fetchone()
    if found is None:
        raise ConfigurationError(
            f"there is no delivery {delivery_id!r}", hint="see `zhongtai quarantine list`"
        )
    return found


def expect_rule(settings: Settings, contracts: Contracts, rule: str) -> None:
    """Raise ConfigurationError for a rule that nothing was ever judged by.

    A rule that a contract had once may still have rows set aside: the ledger knows it.
    """
    known = set(ADVICE)
    for contract in contracts.values():
        known |= {one.rule for one in (*contract.row_rules, *contract.file_rules)}
    if rule in known:
        return
    with connect(settings.acting_as(OPS)) as connection:
        broken = {r for (r,) in connection.execute("select distinct rule from ledger.quarantine")}
    if rule not in broken:
        near = get_close_matches(rule, known | broken)
        raise ConfigurationError(
            f"there is no rule {rule!r}",
            hint=(f"did you mean {' or '.join(near)}? " if near else "")
            + "`zhongtai quarantine list` shows the rules that were broken",
        )


def show(
    settings: Settings, delivery_id: str, *, rule: str | None = None, limit: int = 20
) -> list[QuarantinedRow]:
    """The first rows of a delivery that are set aside, as delivered.

    A file that was quarantined whole has none here. Raises ConfigurationError for an unknown
    delivery.
    """
    with connect(settings.acting_as(OPS)) as connection:
        found = find_delivery(connection, delivery_id)
    rows = read_rows(rows_file(settings, *found))
    if rule:
        rows = rows.filter(pc.equal(rows["rule"], rule))
    shown = (
        rows.sort_by("line")
        .slice(0, limit)
        .select(["line", "rule", "column", "reason", "original"])
    )
    return [QuarantinedRow(**row) for row in shown.to_pylist()]
