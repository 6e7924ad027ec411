"""Matching for any table, in one call."""

from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from zhongtai.identity.matching.declaration import Declaration
from zhongtai.identity.matching.linkage import link
from zhongtai.identity.matching.model import Model
from zhongtai.identity.matching.scoring import score_pairs
from zhongtai.identity.matching.training import train

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# ruff: noqa: S608  # names of our own


def resolve_table(
    table: Any,
    declaration: Declaration,
    model: Model | None = None,
    *,
    connection: "duckdb.DuckDBPyConnection | None" = None,
) -> "pa.Table":
    """Which rows are one person: a table (row_key, cluster), each row of the input once.

    `table` is an Arrow table, a data frame or a DuckDB relation, or the name of a relation of
    `connection`. Without a model one is trained on the table itself. A cluster is named by its
    smallest key.
    """
    import duckdb

    if connection is None:
        with (
            # closed to others, unlike the folder that DuckDB would spill into
            TemporaryDirectory(prefix="zhongtai-") as spill,
            duckdb.connect(config={"temp_directory": spill}) as own,
        ):
            return resolve_table(table, declaration, model, connection=own)
    name = table
    if not isinstance(table, str):
        name = "matching_given"
        connection.register(name, table)
    try:
        trained = model or train(connection, name, declaration)
        score_pairs(connection, name, declaration, trained)
        link(connection, declaration)
        key = declaration.key.replace('"', '""')
        return connection.execute(
            f'select t."{key}" as row_key, coalesce(g.group_key, t."{key}") as cluster'
            f' from {name} as t left join matching_groups as g on g.row_key = t."{key}"'
            " order by 1"
        ).to_arrow_table()
    finally:
        for written in ("pairs", "groups", "undecided"):
            connection.execute(f"drop table if exists temp.matching_{written}")
        if not isinstance(table, str):
            connection.unregister(name)
