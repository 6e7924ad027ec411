"""What dbt parsed serves every home, as long as it is of exactly this project, and whole."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from staging_project import copy_staging
from zhongtai import transform
from zhongtai.parsed_project import PARSED, restore_parsed
from zhongtai.settings import Settings, load_settings
from zhongtai.transform import parse_project

Parse = Callable[[str], str]
MODEL = "dbt_project/models/staging/partner/stg_partner__rewards.sql"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one staging model."""
    made = copy_staging(tmp_path / "project")
    for file in (*made.rglob("models/staging/**/stg_*"), *made.glob("expectations/raw/*.yml")):
        if "partner__rewards" not in file.name:
            file.unlink()
    return made


@pytest.fixture
def parse(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Parse:
    """Parses the project for the home of a name, as a new process would; says how."""
    invoke = transform._invoke
    how: list[str] = []

    def note(settings: Settings, arguments: list[str], manifest: Any = None) -> Any:
        how.append("parsed")
        return invoke(settings, arguments, manifest)

    monkeypatch.setattr(transform, "_invoke", note)

    def parse(home: str) -> str:
        how.clear()
        transform._parsed.clear()
        assert parse_project(settings_of(home, project)).exists()
        return how[0] if how else "restored"

    return parse


def settings_of(home: str, project: Path) -> Settings:
    folder = project.parent
    return load_settings(home=folder / home, project_dir=project, cache=str(folder / "cache"))


def test_a_second_home_is_given_what_the_first_parsed(parse: Parse, project: Path) -> None:
    assert parse("first") == "parsed"
    assert parse("second") == "restored"
    first, second = (settings_of(home, project) for home in ("first", "second"))
    target = ("dbt", "target")
    for name in ("manifest.json", "semantic_manifest.json", PARSED):
        assert second.path(*target, name).read_bytes() == first.path(*target, name).read_bytes()
    # dbt works with what was restored as with what it parsed
    transform._parsed.clear()
    listed = [
        transform._invoke(settings, ["list"], transform._parse(settings)).result
        for settings in (first, second)
    ]
    assert listed[0] == listed[1] != []


@pytest.mark.parametrize("change", ["a model", "a seed", "a new file", "where it lies"])
def test_another_project_is_parsed(parse: Parse, project: Path, change: str) -> None:
    parse("home")
    if change == "a model":
        model = project / MODEL
        model.write_text(model.read_text("utf-8") + "\n-- other\n", "utf-8")
        os.utime(model, (0, 0))
    elif change == "a seed":
        seed = next((project / "seeds").glob("*.csv"))
        seed.write_text(seed.read_text("utf-8") + "\n", "utf-8")
    elif change == "a new file":
        (project / "dbt_project/macros/other.sql").write_text("", "utf-8")
    else:
        moved = project.rename(project.with_name("moved"))
        assert not restore_parsed(settings_of("home", moved), moved.parent / "target")
        return
    assert parse("home") == "parsed"


@pytest.mark.parametrize("name", [PARSED, "manifest.json", "sha256"])
def test_what_is_not_whole_is_parsed_and_kept_anew(parse: Parse, project: Path, name: str) -> None:
    parse("first")
    (kept,) = (project.parent / "cache" / "dbt").iterdir()
    damaged = kept / name
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert parse("second") == "parsed"
    assert parse("third") == "restored"


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(
    parse: Parse, project: Path
) -> None:
    (project.parent / "cache").write_text("no folder", "utf-8")
    assert parse("first") == parse("second") == "parsed"


def test_few_projects_are_kept_and_only_their_owner_reads_them(parse: Parse, project: Path) -> None:
    kept = project.parent / "cache" / "dbt"
    for number in range(7):
        (project / "dbt_project/macros/other.sql").write_text("{# x #}" * number, "utf-8")
        assert parse("home") == "parsed"
        assert restore_parsed(settings_of("home", project), project.parent / "target")
    assert len(list(kept.iterdir())) == 5
    assert {path.stat().st_mode & 0o077 for path in (kept, *kept.iterdir())} == {0}
    shutil.rmtree(kept)


def test_the_cache_is_the_users_or_the_homes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZHONGTAI_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    settings = load_settings(home="/kept")
    assert settings.cache_dir == Path("/somewhere/zhongtai")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert settings.cache_dir == Path.home() / ".cache" / "zhongtai"

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    # a container's user without an entry in the list of users
    monkeypatch.setattr(Path, "home", no_home)
    assert settings.cache_dir == Path("/kept/cache/zhongtai")
