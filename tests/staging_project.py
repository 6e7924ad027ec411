"""A dbt project of the real skeleton, macros and seeds, with the staging layer only."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_KEPT = ("dbt_project.yml", "profiles.yml", "selectors.yml", "macros", "tests")
_MODELS = ("columns.md", "_sources_meta.yml")
_FOLDERS = ("intermediate/identity", "intermediate/users", "intermediate/tags", "marts/profiles")
_SEEDS = ("null_words", "placeholder_mobiles")


def copy_skeleton(target: Path) -> Path:
    """Everything that staging models need, but no model and no contract."""
    (target / "dbt_project" / "models").mkdir(parents=True)
    for kept in _KEPT:
        _copy(f"dbt_project/{kept}", target)
    for kept in _MODELS:
        _copy(f"dbt_project/models/{kept}", target)
    for folder in _FOLDERS:
        (target / "dbt_project" / "models" / folder).mkdir(parents=True)
    (target / "seeds").mkdir()
    for seed in _SEEDS:
        _copy(f"seeds/{seed}.csv", target)
        _copy(f"seeds/{seed}.yml", target)
    return target


def copy_staging(target: Path) -> Path:
    """The skeleton with every contract and staging model of the repository."""
    copy_skeleton(target)
    _copy("dbt_project/models/staging", target)
    _copy("expectations", target)
    return target


def _copy(path: str, target: Path) -> None:
    if (ROOT / path).is_dir():
        shutil.copytree(ROOT / path, target / path)
    else:
        shutil.copy(ROOT / path, target / path)
