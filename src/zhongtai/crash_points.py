"""Crash points: the names of durable steps, at which a test kills this process.

Nothing happens at any of them unless ZHONGTAI_CRASH_AT names one. `tests/faults` goes through them.
"""

import os
import signal
from collections import Counter
from collections.abc import Mapping
from functools import cache

from zhongtai.errors import ConfigurationError
from zhongtai.settings import load_settings

# Name -> what has just become durable there, or is about to.
POINTS: Mapping[str, str] = {
    # every file that moves into place
    "file.synced": "a file is whole on disk under its working name",
    "file.renamed": "the file has its final name, which may not be on disk yet",
    "file.placed": "the file and its name are on disk",
    # land
    "land.workspace_opened": "a folder for unfinished files is there",
    "land.workspace_abandoned": "the folder of a dead process is gone",
    "land.fetched": "a landed file can be read under a name of its own",
    "land.part_written": "the rows of a file stand in an unfinished part",
    "land.tidied": "what is left of a settled file in the workspace is gone",
    "land.marker_removed": "the marker of a recorded file is gone, the file is still there",
    "land.archived": "a recorded file is in the archive",
    "land.landing_removed": "an archived file has left the landing zone",
    # ledger
    "ledger.files_placed": "the files of a delivery are in place and do not count yet",
    "ledger.delivery_written": "the row of a delivery is written, not committed",
    "ledger.recorded": "all rows of a delivery are written, not committed",
    "ledger.committed": "a delivery counts",
    "ledger.orphan_removed": "a file that no row of the ledger knows is gone",
    "ledger.replay_recorded": "a replay is written, not committed",
    "ledger.replay_committed": "a replay counts",
    "ledger.replayed_file_removed": "a replayed file has left the quarantine",
    "run.started": "a run is recorded",
    "run.resumed": "a later step goes on with a run",
    "run.interrupted": "runs of dead processes are marked",
    "run.finished": "how a run ended is recorded",
    # build
    "build.candidate_discarded": "the working file holds no candidate any more",
    "build.working_file_removed": "an unreadable working file is gone",
    "build.prepared": "the working file knows the ledger",
    "build.snapshot_named": "the working file knows which snapshot it makes",
    "build.staging_forgotten": "staging tables are gone, to be built from all parts",
    "build.nodes_recorded": "the ledger knows what dbt built",
    "build.staging_recorded": "the working file knows which parts staging has seen",
    "build.identity_resolved": "every record has a person",
    "build.step_done": "a step of the build is complete",
    "build.candidate_recorded": "the database knows the candidate",
    "build.candidate_sealed": "the working file says that it holds the candidate",
    "build.checkpointed": "the working file needs no write-ahead log",
    # check
    "check.page_cleared": "the folder for the page of the checks is empty",
    "check.content_recorded": "the hashes of what is judged are recorded",
    "check.results_recorded": "what each check found is recorded",
    "check.accepted": "the candidate may be published",
    "check.held": "the candidate may not be published",
    "check.released": "a person has let a held candidate be published",
    # publish
    "publish.state_recorded": "the ledger has a row of the snapshot",
    "publish.state_set": "a snapshot has another state, perhaps not committed",
    "publish.duckdb_table": "a table stands in a staged DuckDB file",
    "publish.duckdb_written": "a staged DuckDB file is written",
    "publish.duckdb_staged": "a staged DuckDB file is on disk",
    "publish.parent_ready": "PostgreSQL has the partitioned table",
    "publish.part_created": "a partition is made, not committed",
    "publish.part_copied": "a partition is filled, not committed",
    "publish.part_attached": "a partition is attached and recorded, not committed",
    "publish.part_committed": "a partition is there",
    "publish.parquet_table": "a table stands in the staged Parquet folder",
    "publish.parquet_staged": "the staged Parquet folder is complete",
    "publish.identity_file": "a file of the identity map is written",
    "publish.identity_replaced": "an older map of the same snapshot is gone",
    "publish.identity_kept": "the identity map of the snapshot is in place",
    "publish.views_updated": "the views are up to date, not committed",
    "publish.pointer_moved": "the pointer shows the snapshot, not committed",
    "publish.flipped": "PostgreSQL shows the snapshot: the point of no return",
    "publish.revealed": "a staged file or folder has its final name",
    "publish.link_made": "the new link stands beside the current one",
    "publish.link_swapped": "the link shows the snapshot",
    "publish.duckdb_flipped": "DuckDB readers see the snapshot",
    "publish.parquet_flipped": "Parquet readers see the snapshot",
    "publish.current_set": "the ledger says which snapshot is published",
    "publish.bitmap_numbers": "every person has a number",
    "publish.bitmaps_ready": "the bitmaps of the snapshot are in place",
    # rollback
    "rollback.pointer_moved": "PostgreSQL shows the earlier snapshot",
    # clean-up
    "clean_up.file_removed": "a published file or folder is gone",
    "clean_up.part_detached": "readers cannot see a partition any more",
    "clean_up.part_dropped": "a partition is gone",
    "clean_up.snapshot_dropped": "a snapshot is gone from every store",
    "clean_up.bitmaps_dropped": "the bitmaps of a snapshot are gone",
    "clean_up.abandoned": "a snapshot that was left unfinished is given up",
    # erase
    "erase.key_drawn": "the key of the tombstones is drawn",
    "erase.values_written": "whom to erase stands in a file",
    "erase.tombstones_written": "the tombstones stand in a file",
    "erase.recorded": "the erasure is recorded and will be completed",
    "erase.lost_recorded": "an erasure that only a file knew is recorded again",
    "erase.unrecorded_removed": "what an erasure that was never recorded wrote is gone",
    "erase.requests_recorded": "which requests are left open is recorded",
    "erase.rows_staged": "quarantined rows are written anew, beside the old ones",
    "erase.staged_removed": "quarantined rows that an earlier try wrote anew are gone",
    "erase.rows_counted": "the ledger counts the quarantined rows as suppressed",
    "erase.file_counted": "the ledger counts a quarantined file as suppressed",
    "erase.file_dropped": "a quarantined file is gone",
    "erase.part_placed": "a part without the person is in place and does not count yet",
    "erase.parts_replaced": "the parts without the person count",
    "erase.archive_removed": "an archived file is gone",
    "erase.landed_removed": "a landed file is gone",
    "erase.statements_deleted": "decisions about the person are gone",
    "erase.map_written": "a file of the identity map is written anew, beside the old one",
    "erase.map_replaced": "a file of the identity map names the person no more",
    "erase.snapshot_written": "a snapshot is written anew, beside the old one",
    "erase.snapshot_replaced": "the DuckDB file of a snapshot names the person no more",
    "erase.part_left": "a partition of the rows that stay is there, not attached",
    "erase.part_filled": "a partition without the person was sent anew, and is not attached",
    "erase.part_swapped": "the partition of a snapshot names the person no more",
    "erase.parquet_replaced": "a Parquet file of a snapshot names the person no more",
    "erase.hash_recorded": "the ledger has the new hash of a snapshot",
    "erase.manifest_replaced": "the manifest of a snapshot is true again",
    "erase.working_file_removed": "the working file is gone",
    "erase.leftover_removed": "an export or a page that names the person is gone",
    "erase.log_cut": "a log names the person no more",
    "erase.database_cleaned": "PostgreSQL holds no bytes of the person",
    "erase.report_written": "the report of the erasure is in place",
    "erase.values_removed": "what sources call the person is gone",
    "erase.finished": "the erasure is complete",
}

_passed: Counter[str] = Counter()


def reach(point: str) -> None:
    """Pass a durable step; where it is the one that the setting names, the process dies here.

    Raises ConfigurationError where the setting names no point.
    """
    armed = _read_armed()
    if armed is None:
        return
    _passed[point] += 1
    if armed == (point, _passed[point]):
        # no handler, no `finally`, no flush: as after a power cut of this process
        os.kill(os.getpid(), signal.SIGKILL)


def passings() -> Mapping[str, int]:
    """How often each point was passed since the setting was read; nothing where it is empty."""
    return dict(_passed)


@cache
def _read_armed() -> tuple[str, int] | None:
    setting = load_settings().crash_at
    if not setting:
        return None
    point, _, occurrence = setting.partition(":")
    if point not in POINTS or not occurrence.isdecimal():
        raise ConfigurationError(
            f"ZHONGTAI_CRASH_AT={setting!r} names no crash point",
            hint="it is for tests alone: NAME:N with a name of src/zhongtai/crash_points.py",
        )
    return point, int(occurrence)
