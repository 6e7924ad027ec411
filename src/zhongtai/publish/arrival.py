"""What a published table tells of the way the input came, and not of what it says.

The same files, delivered in another order and in other batches, give tables that are equal but for
what is declared here. The content hash leaves it out.
"""

from collections.abc import Mapping

# In any table: which run and snapshot, the version of an identity map whose ids were drawn on the
# way, and what was published before it.
RUN_COLUMNS = frozenset({"snapshot_id", "run_id", "identity_version", "restated_at"})

# Of two rows, or files, that are equal the one that came later is the repeat. The sums over what is
# equal stay the same: see the test of the order of deliveries.
COLUMNS: Mapping[str, frozenset[str]] = {
    "metrics.meta_ledger": frozenset(
        {
            # made from the time of the landed file too
            "delivery_id",
            "loaded_at",
            # which of two equal files is the duplicate, and which was set aside in parts
            "status",
            "reason",
            "rows_quarantined",
            # which of two files counts a row that both have
            "rows_loaded",
            "rows_duplicate",
        }
    ),
    "metrics.meta_freshness": frozenset({"last_loaded_at"}),
    # the day it was loaded, and of two equal files the one that was not the duplicate
    "metrics.meta_quarantine_daily": frozenset({"date", "file"}),
    "profiles.bridge_user_records": frozenset({"linked_at"}),
    # how long it took, and of how many rows where only what is new was read
    "metrics.metrics_tag_daily": frozenset({"seconds", "rows_scanned"}),
}

# Tables of what happened, row by row: other batches are other runs.
TABLES = frozenset(
    {
        "metrics.meta_snapshots",
        "metrics.meta_gate_results",
        "metrics.meta_restatements",
        # a one_id that two batches gave a person merges into one; a single batch gave it at once
        "profiles.bridge_user_records_history",
        "profiles.fct_identity_changes",
        "profiles.one_id_redirects",
    }
)


def is_content(table: str, column: str) -> bool:
    """Whether a column of a table (`<store>.<name>`) is the same however the input came."""
    return (
        table not in TABLES
        and column not in RUN_COLUMNS
        and column not in COLUMNS.get(table, frozenset())
    )
