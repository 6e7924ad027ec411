"""Since when a person has had a tag: what the last published snapshot says, for the next build."""

from zhongtai.settings import Settings
from zhongtai.warehouse import open_build

_COLUMNS = (
    "one_id varchar, tag_id varchar, tag_version varchar, value varchar, valid_from timestamp"
)


def load_history(settings: Settings) -> int:
    """Put the tags that the current snapshot says persons have into `tags.history`; their number.

    Writes build.duckdb, so the caller holds the build. Without a published snapshot the table is
    empty and every tag is valid from as-of.
    """
    published = settings.path("published", "profiles", "current.duckdb")
    with open_build(settings) as connection:
        connection.execute("create schema if not exists tags")
        connection.execute(f"create or replace table tags.history ({_COLUMNS})")
        if not published.exists():
            return 0
        source = str(published.resolve()).replace("'", "''")
        connection.execute(f"attach '{source}' as published (read_only)")
        if not connection.execute(
            "select 1 from duckdb_tables()"
            " where database_name = 'published' and table_name = 'fct_user_tags'"
        ).fetchone():
            return 0
        connection.execute(
            "insert into tags.history"
            " select one_id, tag_id, tag_version, value, valid_from"
            " from published.main.fct_user_tags where valid_to is null"
        )
        found = connection.execute("select count(*) from tags.history").fetchone()
        connection.execute("detach published")
    return int(found[0]) if found else 0
