"""What is installed is what was locked, and known advisories are held against it."""

import json
import re
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.testing import CliRunner

from zhongtai.advisories import audit, list_installed, list_locked
from zhongtai.cli import app
from zhongtai.errors import ConfigurationError

from landing_cases import PROJECT

LOCKS = ("requirements.lock", "benchmarks/accuracy_data.lock")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def read_entries(file: Path) -> dict[str, str]:
    """Each requirement of a lock with its continuation lines."""
    text = re.sub(r"\\\n", " ", file.read_text("utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith((" ", "#"))]
    return {line.split()[0]: line for line in lines}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_has_hashes(lock: str) -> None:
    entries = read_entries(PROJECT / lock)
    assert entries
    wrong = [name for name, line in entries.items() if "==" not in name or not HASH.search(line)]
    assert wrong == []


def test_every_direct_dependency_is_locked_in_a_version_that_is_allowed() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    declared = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    locked = list_locked(PROJECT / "requirements.lock")
    requirements = [Requirement(text) for text in declared]
    assert len(requirements) >= 30
    wrong = [
        str(one)
        for one in requirements
        if not any(v in one.specifier for v in locked.get(canonicalize_name(one.name), ()))
    ]
    assert wrong == []


def test_what_is_installed_is_what_was_locked() -> None:
    locked, installed = list_locked(PROJECT / "requirements.lock"), list_installed()
    both = set(locked) & set(installed)
    assert len(both) >= 200
    assert {name for name in both if not installed[name] <= locked[name]} == set()
    tools = {"pip", "setuptools", "uv", "wheel", "zhongtai", "recordlinkage"}
    assert set(installed) - set(locked) - tools == set()


@pytest.mark.parametrize("file", ["Makefile", "Dockerfile"])
def test_locked_requirements_are_installed_by_hash_only(file: str) -> None:
    text = (PROJECT / file).read_text("utf-8").replace("\\\n", " ")
    installs = [line for line in text.splitlines() if " -r " in line and "install" in line]
    assert installs
    assert [line for line in installs if "--require-hashes" not in line] == []


def advisory(
    number: int, package: str, *events: dict[str, str], **more: object
) -> dict[str, object]:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}]
    affected = {"package": {"ecosystem": "PyPI", "name": package}, "ranges": ranges, **more}
    return {"id": f"GHSA-{number}", "summary": "reads\nfiles", "affected": [affected]}


ADVISORIES = [
    advisory(1, "Foo_Bar", {"introduced": "0"}, {"fixed": "1.5"}),
    advisory(2, "foo-bar", {"introduced": "0"}, {"fixed": "1.2"}),
    advisory(3, "foo.bar", {"introduced": "0"}, {"fixed": "0.5"}, {"introduced": "1.3"}),
    advisory(4, "foo-bar", {"introduced": "1.0"}, {"last_affected": "1.4"}),
    advisory(5, "other", {"introduced": "0"}),
    advisory(6, "foo-bar", versions=["1.4"]),
    advisory(7, "foo-bar", {"introduced": "0"}) | {"withdrawn": "2026-01-01T00:00:00Z"},
    advisory(8, "odd", {"introduced": "0"}),
]


@pytest.mark.parametrize("form", ["json", "jsonl", "zip"])
def test_an_advisory_is_found_whatever_the_form_of_the_file(tmp_path: Path, form: str) -> None:
    file = tmp_path / f"advisories.{form}"
    if form == "json":
        file.write_text(json.dumps(ADVISORIES))
    elif form == "jsonl":
        file.write_text("\n".join(map(json.dumps, ADVISORIES)))
    else:
        with zipfile.ZipFile(file, "w") as archive:
            for one in ADVISORIES:
                archive.writestr(f"{one['id']}.json", json.dumps(one))
    found = audit({"foo-bar": frozenset({"1.4"}), "odd": frozenset({"not a version"})}, file)
    assert (found.packages, found.advisories) == (2, len(ADVISORIES))
    told = [(one.package, one.advisory, one.fixed_in) for one in found.found]
    assert told == [
        ("foo-bar", "GHSA-1", "1.5"),
        ("foo-bar", "GHSA-3", "0.5"),
        ("foo-bar", "GHSA-4", ""),
        ("foo-bar", "GHSA-6", ""),
        ("odd", "GHSA-8", ""),
    ]
    assert found.found[0].summary == "reads files"


@pytest.mark.parametrize("content", ["", "[]", "{}", "<html>", '[{"name": "x"}]'])
def test_a_file_of_something_else_is_no_clean_bill(tmp_path: Path, content: str) -> None:
    file = tmp_path / "advisories.json"
    file.write_text(content)
    with pytest.raises(ConfigurationError):
        audit({"foo": frozenset({"1"})}, file)


def test_the_command_fails_where_an_advisory_applies(tmp_path: Path) -> None:
    (version,) = list_installed()["duckdb"]
    file = tmp_path / "advisories.json"
    file.write_text(json.dumps([advisory(1, "duckdb", versions=[version])]))
    lock = str(PROJECT / "requirements.lock")
    for extra in ([], ["--lock", lock]):
        ended = CliRunner().invoke(app, ["audit", str(file), *extra])
        assert (ended.exit_code, "GHSA-1" in ended.output) == (1, True)
    file.write_text(json.dumps([advisory(1, "duckdb", versions=["0.0.1"])]))
    ended = CliRunner().invoke(app, ["audit", str(file)])
    assert (ended.exit_code, "0 apply" in ended.output) == (0, True)
