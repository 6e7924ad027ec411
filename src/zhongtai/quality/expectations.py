"""Great Expectations: runs the suites over the candidate. The only module that imports it."""

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from zhongtai.quality.results import Check, CheckResult, Outcome, explain, result
from zhongtai.quality.suites import ROWS_TYPE, Expectation, Suite
from zhongtai.settings import Settings

# counts only: a value of a profile table must not reach a result, a page or a log
_RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}
_SOURCE = "candidate"
_COUNTS = ("observed_value", "element_count", "unexpected_count", "missing_count")


@cache
def _great_expectations() -> Any:
    """The package, imported once (it takes about 10 seconds) and made to work on DuckDB.

    Great Expectations reads a result after it closed the connection, and DuckDB drops the rows
    that are still to be fetched then; so they are fetched right after each statement.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations

    # what goes wrong is in the results; the log would show it with queries and tracebacks
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)

    @event.listens_for(Engine, "after_cursor_execute")
    def _buffer_rows(
        connection: Any, cursor: Any, _statement: Any, _parameters: Any, context: Any, _many: Any
    ) -> None:
        if connection.dialect.name == "duckdb" and cursor.description:
            context.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(
                cursor, initial_buffer=cursor.fetchall()
            )

    return great_expectations


def run_suites(
    settings: Settings, suites: Sequence[Suite], tables: Iterable[str], docs: Path | None = None
) -> list[CheckResult]:
    """Run the suites over build.duckdb, read only; one result for each expectation.

    `tables` are those the candidate has (`<store>.<name>`): a suite without its table gives
    results with outcome missing. Where `docs` is given, Data Docs are written below it.
    """
    gx = _great_expectations()
    context = _context(gx)
    source = context.data_sources.add_sql(_SOURCE, connection_string=_url(settings))
    known = set(tables)
    results: list[CheckResult] = []
    try:
        for suite in suites:
            if suite.table in known:
                results += _run_suite(gx, context, source, suite)
            else:
                observed = f"the candidate has no table {suite.table}"
                results += [result(check, "missing", observed) for check in suite.checks]
        if docs is not None:
            _clean_errors(context)
            _write_docs(context, docs)
    finally:
        # both engines keep a connection, and an open file could not be opened for writing
        source.get_execution_engine().close()
        source.get_engine().dispose()
    return results


def _context(gx: Any) -> Any:
    """A context in memory, without the site in a temporary folder that it has by default."""
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    context.variables.progress_bars = {"globally": False}
    return context


def _run_suite(gx: Any, context: Any, source: Any, suite: Suite) -> list[CheckResult]:
    """The results of one suite; an error that is not one expectation's counts for them all."""
    try:
        asset = _asset(source, suite.table)
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(
                name=suite.table,
                data=asset.add_batch_definition_whole_table("all rows"),
                suite=context.suites.add(_configure(gx, suite)),
            )
        )
        ran = definition.run(result_format=_RESULT_FORMAT)
    except Exception as error:
        return [result(check, "raised", explain(error)) for check in suite.checks]
    places = {expectation.name: place for place, expectation in enumerate(suite.expectations)}
    found = [read_result(suite, one.to_json_dict()) for one in ran.results]
    return sorted(found, key=lambda one: places.get(one.expectation, len(places)))


def read_result(suite: Suite, one: Mapping[str, Any]) -> CheckResult:
    """What Great Expectations says of one expectation of a suite.

    Of another expectation, or another table, it says nothing: that is an error, whatever it says.
    """
    said = one.get("expectation_config") or {}
    name = str((said.get("meta") or {}).get("name") or "")
    declared = next((e for e in suite.expectations if e.name == name), None)
    if declared is None:
        stray = Check(suite.table, name or "nameless", "critical", "a result that nobody asked for")
        return result(stray, "raised", "the suite has no such expectation")
    check = Check(suite.table, declared.name, declared.severity, declared.because)
    judged = _judge(one)
    if judged[0] == "raised":
        return result(check, *judged)
    for found, expected in (
        (said.get("type"), declared.type),
        ((said.get("kwargs") or {}).get("batch_id"), f"{_SOURCE}-{suite.table}"),
    ):
        if found != expected:
            return result(check, "raised", f"the result is of {found}, expected {expected}")
    return result(check, *judged)


def _asset(source: Any, table: str) -> Any:
    store, name = table.split(".")
    with warnings.catch_warnings():
        # it asks for one data source per schema; DuckDB's address cannot name a schema
        warnings.filterwarnings("ignore", "`schema_name` is deprecated", DeprecationWarning)
        return source.add_table_asset(table, table_name=name, schema_name=store)


def _configure(gx: Any, suite: Suite) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    # given to the constructor: added one by one, two of the same type would replace each other
    return gx.ExpectationSuite(
        name=suite.table,
        expectations=[_configuration(ExpectationConfiguration, e) for e in suite.expectations],
    )


def _configuration(configuration: Any, expectation: Expectation) -> Any:
    return configuration(
        type=expectation.type,
        kwargs=dict(expectation.kwargs),
        severity=expectation.severity,
        meta={"name": expectation.name},
        notes=expectation.because,
    )


def _judge(one: Mapping[str, Any]) -> tuple[Outcome, str]:
    """Passed, failed or raised, and the counts that say so.

    An error comes in two shapes: `raised_exception` at the top of exception_info, or one such
    mapping per metric. Both look like `success: false`; so does a result that looked at nothing.
    Whatever has another shape than those of Great Expectations raised: nobody knows what it means.
    """
    error = _error(one.get("exception_info"))
    if error is not None:
        return "raised", explain(error)
    success, counts = one.get("success"), one.get("result")
    if not isinstance(success, bool) or not isinstance(counts, Mapping):
        return "raised", "neither a success nor a failure"
    if not success and not counts:
        return "raised", "no result"
    if success and _breaks_the_rule(one, counts):
        return "raised", "a success with values that break the rule"
    shown = [
        f"{key} {value}"
        for key in _COUNTS
        if isinstance(value := counts.get(key), int | float) and not isinstance(value, bool)
    ]
    return "passed" if success else "failed", ", ".join(shown) or "no counts"


def _breaks_the_rule(one: Mapping[str, Any], counts: Mapping[str, Any]) -> bool:
    """Whether a result counts what none of may be there."""
    said = one.get("expectation_config") or {}
    if "mostly" in (said.get("kwargs") or {}):
        return False
    counted = "observed_value" if said.get("type") == ROWS_TYPE else "unexpected_count"
    # of an empty table it is null
    return bool((counts.get(counted) or 0) != 0)


def _error(exception_info: object) -> str | None:
    """The message of an error, None where there was none."""
    if not isinstance(exception_info, Mapping) or not exception_info:
        return "exception_info of an unknown shape"
    values = list(exception_info.values())
    is_flat = "raised_exception" in exception_info
    parts = [exception_info, *(v for v in values if isinstance(v, Mapping))] if is_flat else values
    for part in parts:
        if not isinstance(part, Mapping) or part.get("raised_exception") is not False:
            message = part.get("exception_message") if isinstance(part, Mapping) else None
            return str(message or "an error")
    return None


def _clean_errors(context: Any) -> None:
    """Leave of each error what `explain` tells; a page would show query, values and traceback."""
    store = context.validation_results_store
    for key in store.list_keys():
        suite = store.get(key)
        raised = [(one, _error(one.exception_info)) for one in suite.results]
        for one, error in raised:
            if error is not None:
                one.exception_info = {
                    "raised_exception": True,
                    "exception_message": explain(error),
                    "exception_traceback": "",
                }
        if any(error is not None for _, error in raised):
            store.set(key, suite)


def _url(settings: Settings) -> str:
    from zhongtai.quality.dialect import DRIVER

    return (
        f"{DRIVER}:///{settings.warehouse_file}?access_mode=READ_ONLY"
        f"&memory_limit={settings.memory_limit}&threads={settings.threads}"
    )


def _write_docs(context: Any, folder: Path) -> None:
    """The static site of Great Expectations about this run."""
    context.add_data_docs_site(
        "gate",
        {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder),
            },
        },
    )
    context.build_data_docs(site_names=["gate"])
