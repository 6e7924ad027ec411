"""Small identity maps for tests: records and the identifier values they name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import duckdb

from zhongtai.identity import History, ResolutionReport, Sources, declare, resolve_records
from zhongtai.identity.decisions import Decision, effective, write_decisions
from zhongtai.identity.declaration import IdentifierType
from zhongtai.identity.references import Reference
from zhongtai.identity.state import write_state
from zhongtai.runs import Run

START = datetime(2026, 1, 1, tzinfo=UTC)
# Types without any limit: what shares a value is one person.
PLAIN = declare(
    IdentifierType("id_card", 1), IdentifierType("mobile", 9), IdentifierType("phone", 10)
)
Records = Mapping[str, Sequence[str]]


def decision(number: int, kind: Literal["merge", "split"], *keys: str) -> Decision:
    """A decision about the records with two keys."""
    left, right = sorted(Reference("crm", "leads", key) for key in keys)
    return Decision(number, kind, left, right, "mei", "ticket", START)


@dataclass
class Identity:
    """Resolves and publishes one state of the records after another, each a day later."""

    folder: Path
    history: History = field(default_factory=History)
    connection: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    days: int = 0
    decisions: list[Decision] = field(default_factory=list)

    def resolve(
        self, records: Records, *, as_of: datetime | None = None, relation: str = "records_in"
    ) -> ResolutionReport:
        """`records`: record key -> identifier values; "phone:1" has type phone, else mobile.

        `relation` may name another table of records than the one made of them.
        """
        now = as_of or START + timedelta(days=self.days)
        rows = [(key, *self._split(value)) for key, values in records.items() for value in values]
        self.connection.execute("create or replace temp table records_in (record_key varchar)")
        self.connection.execute(
            "create or replace temp table evidence_in"
            " (record_key varchar, identifier_type varchar, identifier_value varchar)"
        )
        for key in records:
            self.connection.execute("insert into records_in values (?)", [key])
        for row in rows:
            self.connection.execute("insert into evidence_in values (?, ?, ?)", row)
        write_decisions(self.connection, effective(self.decisions))
        subject = "'crm' as source, 'leads' as entity, record_key"
        sources = Sources(
            records=(
                f"(select {subject}, timestamp '2025-01-01' as first_seen_at,"
                f" null::varchar as name, null::varchar as hint,"
                f" null::date as birth_date from {relation})"
            ),
            evidence=(
                f"(select distinct {subject}, identifier_type, '' as identifier_scope,"
                " identifier_value, timestamp '2025-02-02' as first_seen_at,"
                " timestamp '2025-02-02' as last_seen_at, 1 as record_count,"
                " false as is_verified, false as needs_name from evidence_in)"
            ),
            must_links="(select * from identity.decisions where kind = 'merge')",
            cannot_links="(select * from identity.decisions where kind = 'split')",
        )
        return resolve_records(
            self.connection,
            sources,
            PLAIN,
            history=self.history,
            run=Run(f"run-{self.days}", "test", now, now),
        )

    def publish(self, records: Records, *, as_of: datetime | None = None) -> dict[str, str]:
        """Resolve, keep the result as the published map, and return record key -> one_id."""
        self.resolve(records, as_of=as_of)
        self.days += 1
        folder = self.folder / f"snapshot-{self.days}"
        write_state(self.connection, folder)
        self.history = History(folder, (*self.history.published, folder))
        return self.ids()

    def ids(self) -> dict[str, str]:
        return dict(
            self.connection.execute("select record_key, one_id from identity.record_map").fetchall()
        )

    def partition(self) -> set[frozenset[str]]:
        groups: dict[str, set[str]] = {}
        for key, one_id in self.ids().items():
            groups.setdefault(one_id, set()).add(key)
        return {frozenset(group) for group in groups.values()}

    def changes(self) -> list[tuple[str, str, str | None, int]]:
        """Change, one_id, previous_one_id and record count of the last run only."""
        return self.connection.execute(
            "select change, one_id, previous_one_id, record_count from identity.changes"
            " where changed_at = (select max(changed_at) from identity.changes) order by all"
        ).fetchall()

    def reasons(self) -> dict[tuple[str, str], str]:
        """Why, by change and one_id, of the last run only."""
        found = self.connection.execute(
            "select change, one_id, reason from identity.changes"
            " where changed_at = (select max(changed_at) from identity.changes)"
        ).fetchall()
        return {(change, one_id): reason for change, one_id, reason in found}

    def redirects(self) -> dict[str, str]:
        return dict(
            self.connection.execute(
                "select retired_one_id, one_id from identity.redirects"
            ).fetchall()
        )

    @staticmethod
    def _split(value: str) -> tuple[str, str]:
        kind, separator, rest = value.partition(":")
        return (kind, rest) if separator else ("mobile", value)
