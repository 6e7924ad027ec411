"""What computing the tags took: seconds and rows of the statements that measure for each tag."""

from typing import TYPE_CHECKING

import pyarrow as pa

from zhongtai.settings import Settings
from zhongtai.tags.catalogue import Tags, load_tags
from zhongtai.tags.plan import Plan, Scan, plan_scans
from zhongtai.transform import TransformReport
from zhongtai.warehouse import open_build

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COLUMNS = "tag_id varchar, seconds double, rows_scanned bigint"


def prepare_costs(connection: "DuckDBPyConnection") -> None:
    """Make the table tags.costs, empty until the tags are computed."""
    connection.execute(f"create or replace table tags.costs ({_COLUMNS})")


def record_costs(settings: Settings, report: TransformReport) -> None:
    """Write tags.costs from the results of the step that computed the tags.

    A statement measures for many tags, and each is told the whole of it: the seconds of two tags
    do not add up. Writes build.duckdb, so the caller holds the build.
    """
    tags = load_tags(settings.project_dir)
    plan = plan_scans(tags)
    seconds = {node.node.split(".")[-1]: node.seconds for node in report.nodes}
    with open_build(settings) as connection:
        rows = _count_rows(connection, plan)
        costs = [(tag_id, *_sum(scans, seconds, rows)) for tag_id, scans in _scans_of(tags, plan)]
        table = pa.table(
            {
                "tag_id": pa.array([cost[0] for cost in costs], pa.string()),
                "seconds": pa.array([cost[1] for cost in costs], pa.float64()),
                "rows_scanned": pa.array([cost[2] for cost in costs], pa.int64()),
            }
        )
        connection.register("measured_costs", table)
        connection.execute("create or replace table tags.costs as from measured_costs")
        connection.unregister("measured_costs")


def _scans_of(tags: Tags, plan: Plan) -> list[tuple[str, list[Scan]]]:
    """The statements behind each published tag, those of the tags that it reads included."""
    own = {
        tag.tag_id: {
            scan.model: scan
            for scan in plan.scans
            if any(wanted in tag.wanted for _, wanted in scan.columns)
        }
        for tag in tags.published
    }
    for level in tags.levels():
        for tag in level:
            for parent in tag.parents:
                own[tag.tag_id] |= own[parent]
    return [(tag_id, list(scans.values())) for tag_id, scans in own.items()]


def _sum(
    scans: list[Scan], seconds: dict[str, float], rows: dict[str, int]
) -> tuple[float | None, int]:
    """Seconds (None where no statement was run) and rows of these statements."""
    took = [seconds[scan.model] for scan in scans if scan.model in seconds]
    read = {fact.model: rows.get(fact.model, 0) for scan in scans for fact in scan.facts}
    return sum(took) if took or not scans else None, sum(read.values())


def _count_rows(connection: "DuckDBPyConnection", plan: Plan) -> dict[str, int]:
    """How many rows the tables that the statements read have, by model."""
    models = sorted({fact.model for scan in plan.scans for fact in scan.facts})
    found = connection.execute(
        "select table_schema, table_name from information_schema.tables"
        " where table_name in (select unnest(?::varchar[]))"
        " and table_schema in ('intermediate', 'profiles')",
        [models],
    ).fetchall()
    return {
        name: int(
            connection.execute(f'select count(*) from "{schema}"."{name}"').fetchall()[0][0]  # noqa: S608
        )
        for schema, name in found
    }
