"""Contracts that change from day to day: a project of its own for each set of changes."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

from simulated_world import ADDED, COMPLETION, NEW_KEY

from staging_project import copy_staging
from zhongtai.contracts import Contracts, load_contracts

ROOT = Path(__file__).parents[2]
_CHANGED = "expectations/raw/crm__contacts.yml"
_SEEDS = ("null_words.csv", "identifiers.csv", "blocked_identifiers.csv")
_MODELS = ("dbt_project/models/intermediate/identity",)
_MODEL_SEEDS = (
    "identifiers.csv",
    "identifiers.yml",
    "blocked_identifiers.csv",
    "blocked_identifiers.yml",
    "matching",
)
# what stands in the contract, and what is written instead of it
_EDITS = {
    "added": (
        "row_rules:\n",
        f"  {ADDED}: {{name: points, type: int, description: Points of the member}}\nrow_rules:\n",
    ),
    "new_header": ("客户ID: {", f"客户ID: {{aliases: [{NEW_KEY}], "),
    "wants_phone": (
        "row_rules:\n",
        "row_rules:\n  - rule: phone_missing\n    severity: critical\n"
        "    because: nobody can be called\n    where: coalesce(trim(手机号), '') = ''\n",
    ),
}


def small_project(folder: Path) -> Path:
    """The contracts of the simulated entities and the seeds that their steps read, no more."""
    for name in COMPLETION:
        _copy(f"expectations/raw/{name.replace('.', '__')}.yml", folder)
    for name in _SEEDS:
        _copy(f"seeds/{name}", folder)
    return folder


def models_project(folder: Path) -> Path:
    """Every contract, with the models of staging and of what identity reads."""
    copy_staging(folder)
    for path in (*_MODELS, *(f"seeds/{name}" for name in _MODEL_SEEDS)):
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, folder / path, dirs_exist_ok=True)
        else:
            _copy(path, folder)
    return folder


def open_catalogue(project: Path, folder: Path) -> Callable[[frozenset[str]], Contracts]:
    """The contracts of a project by what was changed in them; copies are kept below `folder`."""

    @cache
    def load(changes: frozenset[str]) -> Contracts:
        copy = folder / ("-".join(sorted(changes)) or "first")
        shutil.copytree(project / "expectations", copy / "expectations")
        file = copy / _CHANGED
        text = file.read_text("utf-8")
        for change in sorted(changes):
            before, after = _EDITS[change]
            assert text.count(before) == 1, f"{file.name} has no place for {change}"
            text = text.replace(before, after)
        file.write_text(text, "utf-8")
        return load_contracts(copy)

    return load


def _copy(path: str, folder: Path) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / path, folder / path)
