"""What becomes of every kind of value dirt: cases/<kind>/given.yml → cases/<kind>/expect.yml.

One column of the kind is declared in a contract, its staging model is generated, and the given
cells are delivered through the warehouse and dbt as any export would be.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from raw_parts import AS_OF, deliver
from staging_project import copy_skeleton
from zhongtai import scaffold, warehouse
from zhongtai.contracts import load_contracts
from zhongtai.database import connect
from zhongtai.runs import start_run
from zhongtai.settings import load_settings
from zhongtai.transform import run_dbt

CASES = Path(__file__).parent
ROOT = CASES.parents[1]
KINDS = sorted(path.parent.name for path in CASES.glob("*/given.yml"))
Outcome = dict[str, tuple[str | None, str | None]]


def read(kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CASES / kind / name).read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dbt project with the real macros and one generated model per kind."""
    project = copy_skeleton(tmp_path_factory.mktemp("cases"))
    contracts = project / "expectations" / "raw"
    contracts.mkdir(parents=True)
    for kind in KINDS:
        (contracts / f"cases__{kind}.yml").write_text(yaml.safe_dump(contract(kind)), "utf-8")
    scaffold.generate_staging(project, load_contracts(project))
    return project


def contract(kind: str) -> dict[str, Any]:
    given = read(kind, "given.yml")
    column = {key: given[key] for key in ("type", "time_role", "pii", "values") if key in given}
    return {
        "description": "Cells that exports hold",
        "owner": "tests",
        "impact": "a kind of dirt gets through",
        "format": "csv",
        "path": "*.csv",
        "encodings": ["utf-8"],
        "completion": "done",
        "key": ["case"],
        "fresh_within": "1d",
        "columns": {
            "case": {"name": "case_name", "type": "key", "required": True, "description": "Case"},
            "cell": {"name": "cell", "description": "A cell as delivered", **column},
            "at": {"name": "noted_at", "type": "ts", "description": "When it was noted"},
        },
        # personal kinds of cells need it
        "retention": {"at_most": "3650d", "since": "at", "because": "nothing is old here"},
    }


@pytest.fixture(scope="module")
def database(postgres_server: str) -> Iterator[str]:
    """URL of a migrated database of this module."""
    server, _, template = postgres_server.partition("?")
    folder, _, name = server.rpartition("/")
    with psycopg.connect(f"{folder}/postgres?{template}", autocommit=True) as connection:
        connection.execute(f"create database value_cases template {name}")
        yield f"{folder}/value_cases?{template}"
        connection.execute("drop database value_cases with (force)")


@pytest.fixture(scope="module")
def outcomes(
    project: Path, database: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcome]:
    """For each kind, what each case's cell became: its value as text, and the reason."""
    settings = load_settings(
        home=tmp_path_factory.mktemp("home"), project_dir=project, database_url=database
    )
    contracts = load_contracts(project)
    with connect(settings) as connection:
        run = start_run(connection, "test", AS_OF)
    for kind in KINDS:
        cells = read(kind, "given.yml")["cells"]
        rows = [{"case": case, "cell": cell} for case, cell in cells.items()]
        deliver(settings, run, contracts[f"cases.{kind}"], rows, file=f"{kind}.csv")
    warehouse.prepare(settings, contracts, run)
    run_dbt(settings, run, "staging")
    found: dict[str, Outcome] = {}
    with warehouse.open_build(settings, read_only=True) as build:
        for kind in KINDS:
            rows_of_kind = build.execute(
                f"select case_name, cell, _issues from staging.stg_cases__{kind}"
            ).fetchall()
            found[kind] = {
                case: (
                    None if value is None else str(value),
                    issues[0].removeprefix("cell: ") if issues else None,
                )
                for case, value, issues in rows_of_kind
            }
    return found


def test_every_kind_of_the_contracts_has_cases() -> None:
    used = {c.type for contract in load_contracts(ROOT).values() for c in contract.columns}
    assert len(KINDS) >= 18
    assert used <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_dirt_becomes_what_is_expected(kind: str, outcomes: dict[str, Outcome]) -> None:
    expected = {
        case: (expect["value"], expect["issue"]) if isinstance(expect, dict) else (expect, None)
        for case, expect in read(kind, "expect.yml").items()
    }
    assert outcomes[kind] == expected
    assert len(expected) >= 4
