"""Erasures as they are recorded: tombstones in PostgreSQL and, to outlive a restore, in files.

While an erasure is open, what sources call the person stands in a file that only the owner reads;
it goes with the last step, and from then on only tombstones are left.
"""

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from zhongtai.crash_points import reach
from zhongtai.erasure.key import FOLDER, Key, draw_key, mac_sql, read_key
from zhongtai.erasure.matching import TOMBSTONES_SCHEMA, Suppressor
from zhongtai.ingest.parts import place_file
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AskedBy = Literal["command", "request"]
# Who takes files in holds it together with others; who records an erasure holds it alone. So no
# file that was read before a tombstone is recorded after it.
LOCK = "zhongtai.tombstones"
_TOMBSTONES, _OPEN = "tombstones", "open"


@dataclass(frozen=True)
class Erasure:
    """One erased person. `number` counts erasures; instants are aware."""

    number: int
    erasure_id: str
    asked_by: AskedBy
    author: str
    reason: str
    erased_until: datetime
    recorded_at: datetime
    finished_at: datetime | None


_COLUMNS = "number, erasure_id, asked_by, author, reason, erased_until, recorded_at, finished_at"


def load_suppressor(settings: Settings, connection: psycopg.Connection) -> Suppressor:
    """What keeps erased persons out. Raises ZhongtaiError where there are tombstones and no key."""
    rows = connection.execute(
        "select mac, erased_until at time zone 'UTC' from erasure.tombstones"
    ).fetchall()
    table = pa.table(
        {"mac": [row[0] for row in rows], "until": [row[1] for row in rows]}, TOMBSTONES_SCHEMA
    )
    return Suppressor(read_key(settings) if rows else None, table)


def record_erasure(  # noqa: PLR0913  # what an erasure consists of
    settings: Settings,
    connection: psycopg.Connection,
    duck: "DuckDBPyConnection",
    values: pa.Table,
    one_ids: list[str],
    *,
    handovers: Sequence[tuple[str, datetime]] = (),
    asked_by: AskedBy,
    author: str,
    reason: str,
    erased_until: datetime,
    run_id: str,
) -> Erasure:
    """Record that whom `values` name (WANTED_SCHEMA) is erased; from here on it is completed.

    `handovers`: cars (VIN) that whoever had them before is not to own again, and since when (naive
    UTC). The caller holds LOCK alone, on a connection in autocommit mode.
    """
    erasure_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    macs = _make_macs(duck, draw_key(settings), values)
    _write(settings, _OPEN, erasure_id, values, {"one_ids": one_ids})
    reach("erase.values_written")
    facts = {
        "asked_by": asked_by,
        "author": author,
        "reason": reason,
        "handovers": [(vin, at.replace(tzinfo=UTC).isoformat()) for vin, at in handovers],
    }
    tombstones = pa.table({"mac": macs})
    moment = erased_until.astimezone(UTC).isoformat()
    _write(settings, _TOMBSTONES, erasure_id, tombstones, {**facts, "erased_until": moment})
    reach("erase.tombstones_written")
    with connection.transaction():
        _insert(connection, erasure_id, facts, moment, macs.to_pylist())
        connection.execute(
            "update erasure.erasures set run_id = %s where erasure_id = %s", [run_id, erasure_id]
        )
    reach("erase.recorded")
    return find(connection, erasure_id)


def take_back_lost(settings: Settings, connection: psycopg.Connection) -> list[str]:
    """Record what only the files know, after an older backup was restored: those are open again.

    Returns the ids of such erasures. What an erasure that died before it had tombstones called the
    person is removed: it was never recorded, and nobody else would. The caller keeps others from
    recording one meanwhile, by LOCK or by the right to build.
    """
    known = {row[0] for row in connection.execute("select erasure_id from erasure.erasures")}
    found = dict(_list_files(settings, _TOMBSTONES))
    lost = sorted(set(found) - known)
    for erasure_id in lost:
        table = pq.read_table(found[erasure_id])
        facts = _facts(table)
        with connection.transaction():
            _insert(connection, erasure_id, facts, facts["erased_until"], table["mac"].to_pylist())
        reach("erase.lost_recorded")
    _remove_unrecorded(settings, known | set(found))
    return lost


def _remove_unrecorded(settings: Settings, recorded: set[str]) -> None:
    unfinished = settings.path(FOLDER).glob(".*.part")
    unknown = [file for key, file in _list_files(settings, _OPEN) if key not in recorded]
    for file in (*unfinished, *unknown):
        file.unlink(missing_ok=True)
        reach("erase.unrecorded_removed")


def list_open(connection: psycopg.Connection) -> list[Erasure]:
    """Erasures that were recorded and not completed yet, oldest first."""
    query = f"select {_COLUMNS} from erasure.erasures where finished_at is null order by number"  # noqa: S608
    return [Erasure(*row) for row in connection.execute(query)]


def find(connection: psycopg.Connection, erasure_id: str) -> Erasure:
    """One erasure."""
    query = f"select {_COLUMNS} from erasure.erasures where erasure_id = %s"  # noqa: S608
    row = connection.execute(query, [erasure_id]).fetchone()
    assert row is not None  # noqa: S101  # the caller has its id from the ledger
    return Erasure(*row)


def read_values(settings: Settings, erasure: Erasure) -> tuple[pa.Table, list[str]] | None:
    """What sources call the person, and the ids it had; None where only tombstones are left."""
    file = _file(settings, _OPEN, erasure.erasure_id)
    if not file.exists():
        return None
    table = pq.read_table(file)
    return table.replace_schema_metadata(), list(_facts(table)["one_ids"])


def read_macs(settings: Settings, erasure: Erasure) -> list[str]:
    """The tombstones of one erasure."""
    file = _file(settings, _TOMBSTONES, erasure.erasure_id)
    macs: list[str] = pq.read_table(file)["mac"].to_pylist()
    return macs


def finish(settings: Settings, connection: psycopg.Connection, erasure: Erasure) -> None:
    """Forget what sources called the person; the last step of an erasure."""
    _file(settings, _OPEN, erasure.erasure_id).unlink(missing_ok=True)
    reach("erase.values_removed")
    connection.execute(
        "update erasure.erasures set finished_at = coalesce(finished_at, clock_timestamp())"
        " where erasure_id = %s",
        [erasure.erasure_id],
    )
    reach("erase.finished")


def _make_macs(duck: "DuckDBPyConnection", key: Key, values: pa.Table) -> Any:
    duck.register("called", values)
    try:
        made = duck.execute(
            f"select distinct {mac_sql('kind', 'value')} as mac from called order by mac",  # noqa: S608
            key.pads,
        ).to_arrow_table()
    finally:
        duck.unregister("called")
    return made["mac"].combine_chunks()


def _insert(
    connection: psycopg.Connection,
    erasure_id: str,
    facts: dict[str, Any],
    erased_until: str,
    macs: list[str],
) -> None:
    connection.execute(
        "insert into erasure.erasures (erasure_id, asked_by, author, reason, erased_until)"
        " values (%s, %s, %s, %s, %s) on conflict (erasure_id) do nothing",
        [erasure_id, facts["asked_by"], facts["author"], facts["reason"], erased_until],
    )
    connection.execute(
        "insert into erasure.tombstones as t (mac, erasure_id, erased_until)"
        " select unnest(%s::text[]), %s, %s on conflict (mac) do update"
        " set erased_until = greatest(t.erased_until, excluded.erased_until)",
        [macs, erasure_id, erased_until],
    )
    for vin, taken_over_at in facts.get("handovers", ()):
        connection.execute(
            "insert into erasure.handovers (vin, taken_over_at) values (%s, %s)"
            " on conflict do nothing",
            [vin, taken_over_at],
        )


def _write(
    settings: Settings, stem: str, erasure_id: str, table: pa.Table, facts: dict[str, Any]
) -> None:
    file = _file(settings, stem, erasure_id)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    staged = file.with_name(f".{file.name}.part")
    staged.touch(mode=0o600)
    pq.write_table(table.replace_schema_metadata({"facts": json.dumps(facts)}), staged)
    place_file(staged, file)


def _facts(table: pa.Table) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(table.schema.metadata[b"facts"])
    return facts


def _file(settings: Settings, stem: str, erasure_id: str) -> Path:
    return settings.path(FOLDER, f"{stem}-{erasure_id}.parquet")


def _list_files(settings: Settings, stem: str) -> Iterator[tuple[str, Path]]:
    for file in sorted(settings.path(FOLDER).glob(f"{stem}-*.parquet")):
        yield file.stem.removeprefix(f"{stem}-"), file
