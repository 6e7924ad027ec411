"""Balance: every row that was delivered is where the ledger says it is, counted once more.

Never released: a candidate that lost rows is wrong whatever anybody says.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from zhongtai.quality.results import Check, Evidence, Finding, OwnCheck

SUITE = "balance"
_Item = TypeVar("_Item")
_SHOWN = 5


def _find_unbalanced(evidence: Evidence) -> Finding:
    """rows_in is the sum of where the rows went, for every delivery."""
    row = evidence.ledger.execute(
        "select count(*), coalesce(sum(rows_in), 0), count(*) filter (where rows_in <>"
        " rows_loaded + rows_quarantined + rows_duplicate + rows_suppressed) from ledger.deliveries"
    ).fetchone()
    deliveries, rows, wrong = row or (0, 0, 0)
    return Finding(wrong == 0, f"{deliveries} deliveries, {rows} rows in, {wrong} out of balance")


def _find_part_differences(evidence: Evidence) -> Finding:
    """Each Parquet part has the rows that the ledger says, by its own footer."""
    from zhongtai.ingest.parts import RESTORE_HINT, Lake

    parts = evidence.ledger.execute(
        "select p.part, p.rows, d.file from ledger.parts p join ledger.deliveries d"
        " using (delivery_id) order by p.part"
    ).fetchall()
    # what was loaded since the footers were read counts as well
    late = Lake(evidence.settings).inspect(p for p, _, _ in parts if p not in evidence.footers)
    footers = {**evidence.footers, **late}
    wrong = []
    for part, rows, file in parts:
        found = footers[part]
        if isinstance(found, str):
            wrong.append(f"{part} of {file} {found}: {RESTORE_HINT}")
        elif found != rows:
            wrong.append(f"{part} of {file}: {rows} rows in the ledger, {found} in the file")
    return _tell(wrong, f"{len(parts)} parts")


def _find_loaded_differences(evidence: Evidence) -> Finding:
    """A loaded delivery has its rows in parts: the loaded ones and the repeated keys."""
    wrong = evidence.ledger.execute(
        "select d.source || '.' || d.entity, d.delivery_id, d.rows_loaded + d.rows_duplicate,"
        " coalesce(sum(p.rows), 0) from ledger.deliveries d"
        " left join ledger.parts p using (delivery_id) where d.status = 'loaded'"
        " group by d.delivery_id having coalesce(sum(p.rows), 0)"
        " <> d.rows_loaded + d.rows_duplicate order by d.delivery_id"
    ).fetchall()
    count = evidence.ledger.execute(
        "select count(*) from ledger.deliveries where status = 'loaded'"
    ).fetchone()
    told = [f"{name} {id_}: {said} rows said, {held} in parts" for name, id_, said, held in wrong]
    return _tell(told, f"{count[0] if count else 0} loaded deliveries")


def _find_quarantine_differences(evidence: Evidence) -> Finding:
    """What was set aside is kept; where it is not, a second look tells whether a replay took it."""
    finding = _compare_quarantine(evidence)
    return finding if finding.is_good else _compare_quarantine(evidence)


def _compare_quarantine(evidence: Evidence) -> Finding:
    """Whether there are as many rows as counted, or the whole file."""
    import pyarrow.parquet as pq

    from zhongtai.ingest.setaside import rows_file, whole_file

    def differs(delivery: tuple[str, str, str, str, str, int, int]) -> str | None:
        source, entity, sha256, file, status, rows, replayed = delivery
        if status == "quarantined":
            kept = whole_file(evidence.settings, source, entity, sha256, Path(file).name)
            return None if kept.exists() else f"{source}.{entity} {sha256[:12]}: file not kept"
        rows_kept = rows_file(evidence.settings, source, entity, sha256)
        found = pq.read_metadata(rows_kept).num_rows if rows_kept.exists() else 0
        if found in (rows, rows + replayed):
            return None
        return f"{source}.{entity} {sha256[:12]}: {rows} rows in the ledger, {found} kept"

    deliveries = evidence.ledger.execute(
        "select d.source, d.entity, d.sha256, d.file, d.status, d.rows_quarantined,"
        " coalesce((select sum(q.replayed_rows) from ledger.quarantine q"
        " where q.delivery_id = d.delivery_id and q.level = 'row'), 0)::bigint"
        " from ledger.deliveries d where (d.status = 'quarantined' or d.rows_quarantined > 0)"
        # what nobody could read and named an erased person is not kept
        " and not exists (select 1 from erasure.named_files n"
        " where n.delivery_id = d.delivery_id and n.is_dropped)"
        " order by d.delivery_id"
    ).fetchall()
    return _all_agree(deliveries, differs, "deliveries with rows set aside")


def _all_agree(items: list[_Item], differs: Callable[[_Item], str | None], what: str) -> Finding:
    """A finding over many small files, read side by side."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        return _tell([d for d in pool.map(differs, items) if d], f"{len(items)} {what}")


def _tell(differences: Iterable[str], looked_at: str) -> Finding:
    told = list(differences)
    if not told:
        return Finding(True, f"{looked_at}, all as the ledger says")
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return Finding(False, f"{looked_at}, {len(told)} wrong: {'; '.join(told[:_SHOWN])}{more}")


def _checks() -> Iterator[OwnCheck]:
    for name, because, find in (
        (
            "every_delivery_balances",
            "rows in = loaded + quarantined + duplicate + suppressed, or rows were lost",
            _find_unbalanced,
        ),
        (
            "every_part_has_its_rows",
            "a part that is gone or cut short would silently drop out of every number",
            _find_part_differences,
        ),
        (
            "every_loaded_row_is_in_a_part",
            "rows that the ledger counts as loaded must be there to be built from",
            _find_loaded_differences,
        ),
        (
            "every_quarantined_row_is_kept",
            "what was set aside must be there to be looked at and replayed",
            _find_quarantine_differences,
        ),
    ):
        yield OwnCheck(Check(SUITE, name, "critical", because), find)


CHECKS = tuple(_checks())
