"""Raw Parquet parts and their ledger rows, as ingestion would leave them."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from zhongtai.contracts import Contract
from zhongtai.database import connect
from zhongtai.runs import Run
from zhongtai.settings import Settings

AS_OF = datetime(2026, 6, 30, 16, tzinfo=UTC)


def deliver(
    settings: Settings,
    run: Run,
    contract: Contract,
    rows: Sequence[Mapping[str, str | None]],
    *,
    file: str,
    exported_at: datetime | None = None,
    as_of: datetime = AS_OF,
    columns: Sequence[str] | None = None,
) -> str:
    """Load rows (by delivered column name) as one delivery; returns its id.

    `columns` are those the part has, by default all of the contract.
    """
    names = list(columns or contract.by_delivered)
    delivery = hashlib.sha256(f"{contract.name} {file} {rows!r}".encode()).hexdigest()
    part = f"raw/{contract.source}/{contract.entity}/{delivery}.parquet"
    cells: dict[str, pa.Array] = {
        name: pa.array([row.get(name) for row in rows], pa.string()) for name in names
    }
    cells |= {
        "_extra": pa.array([row.get("_extra") for row in rows], pa.string()),
        "_row_number": pa.array(range(1, len(rows) + 1), pa.int64()),
        "_raw": pa.array([None] * len(rows), pa.string()),
        "_key_hash": pa.array([0] * len(rows), pa.int64()),
        "_delivery_id": pa.array([delivery] * len(rows), pa.string()),
    }
    path = Path(settings.lake_url, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(cells), path)
    content_hash = contract.content_hash if columns is None else "an earlier contract"
    with connect(settings) as connection:
        connection.execute(
            "insert into ledger.deliveries (delivery_id, source, entity, file, sha256, bytes,"
            " modified_at, exported_at, status, rows_in, rows_loaded, rows_quarantined,"
            " rows_duplicate, part, contract_hash, as_of, discovered_at, run_id)"
            " values (%s, %s, %s, %s, %s, 1, %s, %s, 'loaded', 1, 1, 0, 0, %s, %s, %s, %s, %s)",
            [
                delivery, contract.source, contract.entity, file, delivery, AS_OF, exported_at,
                part, content_hash, as_of, AS_OF, run.run_id,
            ],
        )  # fmt: skip
        connection.execute(
            "insert into ledger.parts (part, delivery_id, kind, rows, run_id)"
            " values (%s, %s, 'delivery', %s, %s)",
            [part, delivery, len(rows), run.run_id],
        )
    return delivery


def repeat(settings: Settings, delivery: str, *, file: str, exported_at: datetime) -> None:
    """Deliver the bytes of a loaded delivery again, under another name."""
    with connect(settings) as connection:
        connection.execute(
            "insert into ledger.deliveries (delivery_id, source, entity, file, sha256, bytes,"
            " modified_at, exported_at, status, rows_in, rows_loaded, rows_quarantined,"
            " rows_duplicate, contract_hash, as_of, discovered_at, run_id)"
            " select %s, source, entity, %s, sha256, bytes, modified_at, %s, 'duplicate', rows_in,"
            " 0, 0, rows_in, contract_hash, as_of, discovered_at, run_id"
            " from ledger.deliveries where delivery_id = %s",
            [f"{delivery} again", file, exported_at, delivery],
        )
