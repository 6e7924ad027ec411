"""dbt: one selector at a time, in this process, with the result of every node in the ledger."""

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhongtai.addresses import masked_within
from zhongtai.contracts import load_contracts
from zhongtai.crash_points import reach
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.parsed_project import PARSED, keep_parsed, restore_parsed
from zhongtai.runs import Run
from zhongtai.seed_faults import describe_broken_rules
from zhongtai.settings import Settings, temporary_environment
from zhongtai.warehouse import (
    forget_staging,
    lake_protocol,
    list_unstaged,
    needs_seeds,
    open_build,
    prepare,
    record_staged,
)

SELECTORS = ("staging", "evidence", "profiles", "tags", "metrics")
_FAILED = ("error", "fail", "runtime error", "partial success")
_STAGING_MODEL = "model.zhongtai.stg_"
_parsed: dict[str, Any] = {}  # the last manifest of this process, and what it was parsed from


@dataclass(frozen=True)
class NodeResult:
    """What became of one seed, model or test. `seconds` is wall time, `parents` what it reads."""

    node: str
    resource_type: str
    status: str
    seconds: float
    rows_affected: int | None
    message: str | None
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class TransformReport:
    """The result of one selector."""

    selector: str
    seconds: float
    nodes: tuple[NodeResult, ...]

    @property
    def failed(self) -> tuple[NodeResult, ...]:
        """Nodes that erred or, for tests, found something."""
        return tuple(node for node in self.nodes if node.status in _FAILED)


def run_dbt(
    settings: Settings, run: Run, selector: str, *, full_refresh: bool = False
) -> TransformReport:
    """Build and test the nodes of a selector (see dbt_project/selectors.yml).

    `warehouse.prepare` must have run. Raises ZhongtaiError that names the failed nodes, and
    ConfigurationError where dbt could not even start.
    """
    if full_refresh and selector == "staging":
        forget_staging(settings)
        prepare(settings, load_contracts(settings.project_dir), run)
    started = time.monotonic()
    # the tests of models are of their code alone: `make test` runs them, a run need not
    chosen = _choose_nodes(settings, selector)
    if not chosen:
        return TransformReport(selector, time.monotonic() - started, ())
    arguments = ["build", *chosen, "--exclude-resource-type", "unit_test"]
    if full_refresh:
        arguments += ["--full-refresh"]
    # parsing left manifest.json; writing it again costs each step a second or two
    result = _invoke(settings, [*arguments, "--no-write-json"], _parse(settings))
    results = getattr(result.result, "results", None) or ()
    nodes = tuple(map(_node_result, results))
    report = TransformReport(selector, time.monotonic() - started, nodes)
    _record(settings, run, report)
    if selector == "staging":
        seeds = any(node.resource_type == "seed" for node in nodes)
        record_staged(settings, _staged_tables(report), has_seeds=seeds and not report.failed)
    if report.failed:
        failed = [one for one in results if str(one.status) in _FAILED]
        raise _find_fault_of_seed(settings, failed) or _failure(report)
    if not result.success:
        raise _refusal(selector, result.exception)
    return report


def _choose_nodes(settings: Settings, selector: str) -> list[str]:
    """What dbt is to build: of staging only what has something to see; empty where nothing has."""
    if selector != "staging":
        return ["--selector", selector]
    seeds = ["path:../seeds"] if needs_seeds(settings) else []
    chosen = [*seeds, *(f"stg_{table}" for table in list_unstaged(settings))]
    return ["--indirect-selection", "buildable", "--select", *chosen] if chosen else []


def parse_project(settings: Settings) -> Path:
    """Parse the dbt project without touching a database; returns the path of manifest.json.

    Raises ConfigurationError where the project cannot be parsed.
    """
    _parse(settings)
    return settings.path("dbt", "target", "manifest.json")


def _parse(settings: Settings) -> Any:
    """The manifest as an object, parsed once in a process while no file of the project changes.

    Reading what an earlier process parsed and looking for changes costs dbt more than a second;
    the five steps of a run would each pay it. Between processes and homes it is kept by what the
    project consists of (see `parsed_project`).
    """
    files = (
        file.stat().st_mtime_ns
        for folder in ("dbt_project", "seeds")
        for file in (settings.project_dir / folder).rglob("*")
    )
    target = settings.path("dbt", "target")
    state = (settings.project_dir, target, settings.threads, sorted(files))
    if _parsed.get("state") != state or not (target / "manifest.json").exists():
        if restore_parsed(settings, target):
            manifest = _read_parsed(target)
        else:
            result = _invoke(settings, ["parse"])
            if not result.success:
                raise _refusal("parse", result.exception)
            manifest = result.result
            keep_parsed(settings, target)
        _parsed.update(state=state, manifest=manifest)
    return _parsed["manifest"]


def _read_parsed(target: Path) -> Any:
    """The manifest that dbt would take from its own file of what it parsed."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    manifest: Any = Manifest.from_msgpack(
        (target / PARSED).read_bytes(), decoder=extended_mashumuro_decoder
    )
    manifest.build_flat_graph()
    return manifest


def list_expected_nodes(settings: Settings) -> list[str]:
    """Every model above staging and every test of one, by the manifest that dbt left last.

    Of staging a run builds only what has something new to see. Empty where there is no manifest.
    """
    manifest = settings.path("dbt", "target", "manifest.json")
    if not manifest.exists():
        return []
    nodes = json.loads(manifest.read_text("utf-8"))["nodes"]
    models = {
        name
        for name, node in nodes.items()
        if node["resource_type"] == "model"
        and not name.startswith(_STAGING_MODEL)
        and node["config"]["materialized"] != "ephemeral"
    }
    tests = {
        name
        for name, node in nodes.items()
        if node["resource_type"] == "test" and models.intersection(node["depends_on"]["nodes"])
    }
    return sorted(models | tests)


def without_values(message: str) -> str:
    """A database message without what may be secret or personal: numbers, addresses, VINs."""
    personal = r"\S+@\S+|\+?\d[\d -]{5,}\d[xX]?|\b(?=\w*\d)[A-HJ-NPR-Z0-9]{17}\b"
    return re.sub(personal, "…", masked_within(message))


def _invoke(settings: Settings, arguments: list[str], manifest: Any = None) -> Any:
    """Run dbt and let go of the working file. With a manifest it does not parse."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    project = settings.project_dir / "dbt_project"
    protocol = lake_protocol(settings)
    log = settings.path("logs", "dbt.log")
    for folder in (settings.warehouse_file.parent, log.parent):
        folder.mkdir(parents=True, exist_ok=True)

    with (
        # by lines, so that people can follow it
        log.open("a", encoding="utf-8", buffering=1) as stream,
        temporary_environment(
            ZHONGTAI_WAREHOUSE_FILE=str(settings.warehouse_file),
            ZHONGTAI_DBT_THREADS=str(settings.threads),
            ZHONGTAI_DBT_MEMORY_LIMIT=settings.memory_limit,
            ZHONGTAI_DBT_TEMP=str(settings.path("tmp")),
            ZHONGTAI_DBT_FILESYSTEMS=json.dumps([{"fs": protocol}] if protocol else []),
        ),
    ):

        def write_log(event: Any) -> None:
            if event.info.level in ("info", "warn", "error"):
                stream.write(f"{event.info.ts.ToJsonString()} {without_values(event.info.msg)}\n")

        try:
            return dbtRunner(manifest, callbacks=[write_log]).invoke(
                [
                    *arguments,
                    *("--project-dir", str(project), "--profiles-dir", str(project)),
                    *("--target-path", str(settings.path("dbt", "target"))),
                    # its own logs would hold the values that a database error quotes
                    *("--log-level", "none", "--log-level-file", "none"),
                    *("--log-path", str(log.parent), "--no-version-check"),
                ]
            )
        finally:
            # dbt-duckdb keeps the file open until the process ends; identity and publish need it
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


def _node_result(result: Any) -> NodeResult:
    rows = (result.adapter_response or {}).get("rows_affected", result.failures)
    return NodeResult(
        node=result.node.unique_id,
        resource_type=str(result.node.resource_type),
        status=str(result.status),
        seconds=result.execution_time,
        rows_affected=rows if isinstance(rows, int) and rows >= 0 else None,
        message=without_values(result.message) if result.message else None,
        parents=tuple(result.node.depends_on_nodes),
    )


def _record(settings: Settings, run: Run, report: TransformReport) -> None:
    with connect(settings) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into ledger.node_results"
            " (run_id, node, resource_type, status, seconds, rows_affected, message)"
            " values (%s, %s, %s, %s, %s, %s, %s) on conflict (run_id, node) do update set"
            " status = excluded.status, seconds = excluded.seconds,"
            " rows_affected = excluded.rows_affected, message = excluded.message,"
            " finished_at = excluded.finished_at",
            [
                (
                    run.run_id,
                    n.node,
                    n.resource_type,
                    n.status,
                    n.seconds,
                    n.rows_affected,
                    n.message,
                )
                for n in report.nodes
            ],
        )
    reach("build.nodes_recorded")


def _staged_tables(report: TransformReport) -> list[str]:
    """Raw tables whose staging model was built and passed its tests.

    A table with a test that failed is built and tested again by the next run, whatever arrives.
    """
    doubted = {parent for node in report.failed for parent in node.parents}
    return [
        node.node.removeprefix(_STAGING_MODEL)
        for node in report.nodes
        if node.node.startswith(_STAGING_MODEL)
        and node.status == "success"
        and node.node not in doubted
    ]


def _find_fault_of_seed(settings: Settings, failed: list[Any]) -> ConfigurationError | None:
    """What to mend where nothing but rules about seeds failed."""
    with open_build(settings) as build:
        found = describe_broken_rules(build, settings.project_dir, failed)
    return found and ConfigurationError(without_values(found.message), hint=found.hint)


def _failure(report: TransformReport) -> ZhongtaiError:
    lines = [f"  {node.node}: {node.message or node.status}" for node in report.failed]
    return ZhongtaiError(
        f"dbt {report.selector}: {len(lines)} of {len(report.nodes)} nodes failed\n"
        + "\n".join(lines),
        hint="the compiled SQL is under <home>/dbt/target, the log under <home>/logs",
    )


def _refusal(what: str, exception: BaseException | None) -> ConfigurationError:
    return ConfigurationError(
        f"dbt {what} did not run: {without_values(str(exception))}",
        hint="check dbt_project/ with `dbt parse`",
    )
