"""What the last published snapshot says of tags, for the next build: periods and daily health.

Read from the published DuckDB files. Where those are gone, PostgreSQL holds the same rows, so that
nothing begins anew.
"""

from collections.abc import Mapping

from zhongtai.publish.past import read_published
from zhongtai.settings import Settings
from zhongtai.tags.health import prepare_costs
from zhongtai.warehouse import open_build

# table of schema tags -> store and table that it is read from, and its columns
_KEPT: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "history": (
        "profiles",
        "fct_user_tags",
        {
            "one_id": "varchar",
            "tag_id": "varchar",
            "tag_version": "varchar",
            "value": "varchar",
            "valid_from": "timestamp",
            "valid_to": "timestamp",
            "source": "varchar",
            "held_since": "timestamp",
        },
    ),
    "days": (
        "metrics",
        "metrics_tag_daily",
        {
            "date": "date",
            "tag_id": "varchar",
            "tag_version": "varchar",
            "value": "varchar",
            **dict.fromkeys(
                ("users", "user_share_den", "coverage_num", "users_entered", "users_stayed",
                 "users_left", "tag_entered", "tag_stayed", "tag_left", "churn_num", "churn_den"),
                "bigint",
            ),
            "stability_index": "double",
            "seconds": "double",
            "rows_scanned": "bigint",
        },
    ),
}  # fmt: skip


def load_history(settings: Settings) -> int:
    """Put what the current snapshot says into schema `tags`; the number of periods of tags.

    Writes build.duckdb, so the caller holds the build. Without a published snapshot the tables are
    empty and every tag is valid from as-of.
    """
    with open_build(settings) as connection:
        connection.execute("create schema if not exists tags")
        for name, (store, table, columns) in _KEPT.items():
            listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
            connection.execute(f"create or replace table tags.{name} ({listed})")
            read_published(settings, connection, f"tags.{name}", (store, table), columns)
        prepare_costs(connection)
        found = connection.execute("select count(*) from tags.history").fetchone()
    return int(found[0]) if found else 0
