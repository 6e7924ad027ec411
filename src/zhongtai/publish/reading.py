"""Reading what is published, as any reader would: through the current links."""

from zhongtai.publish.content import STORES, literal, quoted
from zhongtai.publish.duckdb_store import CURRENT, open_engine
from zhongtai.settings import Settings


def published_tables(settings: Settings) -> list[tuple[str, str, int, str]]:
    """(store, table, rows, what it answers) of the current snapshot; empty before the first."""
    found: list[tuple[str, str, int, str]] = []
    with open_engine(settings) as engine:
        for store in STORES:
            link = settings.path("published", store, CURRENT)
            if not link.exists():
                continue
            engine.execute(f"attach {literal(str(link.resolve()))} as {store} (read_only)")
            for name, comment in engine.execute(
                "select table_name, comment from duckdb_tables() where database_name = ?"
                " order by table_name",
                [store],
            ).fetchall():
                query = f"select count(*) from {store}.main.{quoted(name)}"  # noqa: S608  # quoted
                row = engine.execute(query).fetchone()
                found.append((store, name, int(row[0]) if row else 0, comment or ""))
    return found
