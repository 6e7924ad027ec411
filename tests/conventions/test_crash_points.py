"""Every durable step has a name at which a test can kill the process, and no name is left over."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from zhongtai.crash_points import POINTS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "zhongtai"
# What lands, records, builds, checks, publishes, rolls back, erases and cleans up.
LOOKED_AT = (
    "build.py", "erasure", "gate.py", "identity", "ingest", "landing", "ledger.py", "publish",
    "quality", "quarantine", "runs.py", "tags/bitmaps.py", "transform.py", "warehouse.py",
)  # fmt: skip
# Functions that make something durable and name no point, each because of what it says.
EXCEPTIONS = {
    "ingest/parts.py:place": "moves by place_file; on an object store the upload is the step",
    "ingest/stillness.py:fetch": "a link in the workspace, which goes with the process",
    "ingest/stillness.py:_take": "a link or copy in the workspace, which goes with the process",
    "landing/files.py:_remove": "its callers name what they did",
    "publish/postgres_store.py:retry_locked": "its callers name what they did",
}


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function of the modules that are looked at, with its name."""
    for part in LOOKED_AT:
        path = SOURCE / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.FunctionDef):
                    yield f"{file.relative_to(SOURCE)}:{node.name}", node


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (found for found in ast.walk(node) if isinstance(found, ast.Call))


def is_durable(call: ast.Call) -> bool:
    """Whether a call renames, removes or links a file, or commits a transaction."""
    function = call.func
    if not isinstance(function, ast.Attribute):
        return False
    if function.attr == "replace":
        # of a path: texts take two arguments, instants named ones
        return len(call.args) == 1 and not call.keywords
    if function.attr == "transaction":
        return not call.keywords
    if function.attr == "link":
        return isinstance(function.value, ast.Name) and function.value.id == "os"
    return function.attr in {"rename", "rmtree", "unlink", "symlink_to"}


def reached(node: ast.AST) -> list[str]:
    return [
        argument.value
        for call in calls(node)
        if isinstance(call.func, ast.Name) and call.func.id == "reach"
        for argument in call.args
        if isinstance(argument, ast.Constant)
    ]


def test_every_durable_step_names_a_crash_point() -> None:
    durable = {name: node for name, node in functions() if any(map(is_durable, calls(node)))}
    assert len(durable) >= 40
    unnamed = {name for name, node in durable.items() if not reached(node)}
    assert unnamed == set(EXCEPTIONS)


def test_the_registry_holds_exactly_the_points_that_are_passed() -> None:
    passed = Counter(
        point
        for file in SOURCE.rglob("*.py")
        for point in reached(ast.parse(file.read_text("utf-8")))
    )
    assert len(passed) >= 100
    assert set(passed) == set(POINTS)
    assert all(text and not text.endswith(".") for text in POINTS.values())


def test_no_point_is_named_by_anything_but_a_literal() -> None:
    looked_at = 0
    for file in SOURCE.rglob("*.py"):
        for call in calls(ast.parse(file.read_text("utf-8"))):
            if isinstance(call.func, ast.Name) and call.func.id == "reach":
                looked_at += 1
                assert len(call.args) == 1, file
                assert isinstance(call.args[0], ast.Constant), file
    assert looked_at >= 100
