"""Read what is published, as any reader of the DuckDB files does."""

import csv

from zhongtai.publish.encryption import open_published
from zhongtai.settings import Settings

STORES = ("metrics", "profiles")


def published_tables(settings: Settings) -> list[tuple[str, str, int, str]]:
    """Store, table, rows and the question it answers, for each table of the current snapshot.

    Empty before the first publish.
    """
    with (settings.project_dir / "seeds" / "published_tables.csv").open(
        encoding="utf-8-sig"
    ) as file:
        questions = {row["table_name"]: row["question"] for row in csv.DictReader(file)}
    found = []
    for store in STORES:
        current = settings.path("published", store, "current.duckdb")
        if not current.exists():
            continue
        with open_published(settings, current) as snapshot:
            names = snapshot.execute(
                "select table_name from duckdb_tables() where database_name = current_database()"
                " order by 1"
            ).fetchall()
            for (name,) in names:
                rows = snapshot.table(name).aggregate("count(*)").fetchall()[0][0]
                found.append((store, name, rows, questions.get(name, "")))
    return found
