"""SQL, paths and templates in the fields of a contract are names there, and nothing else."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from corpus import CONTRACTS

from zhongtai.contracts import Column, Contract, Contracts, load_contracts
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError
from zhongtai.ingest import drain
from zhongtai.quarantine import replay
from zhongtai.runs import start_run
from zhongtai.settings import Settings

from landing_cases import Landing

NAMES = (
    "k'); drop schema ledger cascade; --", 'a" or ""=""', "back\\slash", "$.x", "$1 %s {0}", "`id`",
    "{{ var }}", "a.b", "[0]", "new\nline", "sélect * from x", "'' || ''", "a,b", "🚗", "../../x",
)  # fmt: skip
SECRETS = "x'; select 1; --"


def contract_of(form: str, entity: str) -> Contract:
    """A contract whose columns are named by an attacker; the first is the key."""
    columns = tuple(
        Column(n, f"c{i}", "text", i == 0, None, "none", (SECRETS,) if i == 3 else (), "", ())
        for i, n in enumerate(NAMES)
    )
    return replace(
        CONTRACTS["dms.dealers"], entity=entity, format=form, encodings=("utf-8",), columns=columns,
        key=(NAMES[0],), version=None, event_time=None, completion="stable",
    )  # fmt: skip


def run_of(settings: Settings) -> Any:
    with connect(settings) as connection:
        return start_run(connection, "test")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_names_of_columns_are_only_names(settings: Settings, form: str) -> None:
    contract = contract_of(form, "dealers")
    contracts = Contracts({contract.name: contract})
    landing = Landing(Path(settings.landing_url), contracts)
    rows = [{name: f"{name}={n}" for name in NAMES} for n in range(3)]
    rows.append(rows[0] | {NAMES[0]: " "})
    landing.deliver("dms.dealers", rows)
    report = drain(settings, contracts, run_of(settings)).entities["dms.dealers"]
    assert (report.rows_in, report.rows_loaded, report.rows_quarantined) == (4, 3, 1)
    (part,) = Path(settings.lake_url, "raw/dms/dealers").glob("*.parquet")
    found = duckdb.read_parquet(str(part)).fetchall()
    assert [row[: len(NAMES)] for row in found] == [tuple(row.values()) for row in rows[:3]]
    (kept,) = settings.path("quarantine", "dms", "dealers").glob("*.parquet")
    (record,) = duckdb.read_parquet(str(kept)).select("record").fetchall()[0]
    assert json.loads(record)[NAMES[2]] == rows[3][NAMES[2]]


def test_rows_under_such_names_are_replayed_as_they_were(settings: Settings) -> None:
    contract = contract_of("csv", "dealers")
    landing = Landing(Path(settings.landing_url), Contracts({contract.name: contract}))
    row = {name: f"{name}=1" for name in NAMES}
    landing.deliver("dms.dealers", [row | {NAMES[0]: ""}])
    contracts = Contracts({contract.name: contract})
    drain(settings, contracts, run_of(settings))
    # the other columns become the key, so that the row loads
    lenient = replace(contract, key=(NAMES[1],), columns=tuple(
        replace(c, required=c.delivered == NAMES[1]) for c in contract.columns
    ))  # fmt: skip
    done = replay(settings, Contracts({contract.name: lenient}), run_of(settings))
    assert done.rows_loaded == 1
    (part,) = Path(settings.lake_url, "raw/dms/dealers").glob("*-r*.parquet")
    (found,) = duckdb.read_parquet(str(part)).fetchall()
    assert found[1 : len(NAMES)] == tuple(row.values())[1:]


@pytest.mark.parametrize("name", ["a__b;c.yml", "a__B.yml", "a'__b.yml", "..__b.yml", "__b.yml"])
def test_a_contract_cannot_be_named_like_a_path_or_a_statement(tmp_path: Path, name: str) -> None:
    file = tmp_path / "expectations" / "raw" / name
    file.parent.mkdir(parents=True)
    file.write_text(CONTRACTS["dms.dealers"].file.read_text("utf-8"))
    with pytest.raises(ConfigurationError, match="expected a name like"):
        load_contracts(tmp_path)


def test_the_ledger_takes_names_as_values(settings: Settings) -> None:
    contract = contract_of("csv", "dealers")
    contracts = Contracts({contract.name: contract})
    landing = Landing(Path(settings.landing_url), contracts)
    landing.deliver("dms.dealers", [dict.fromkeys(NAMES, "v")], "x'); drop schema ledger; --.csv")
    drain(settings, contracts, run_of(settings))
    with connect(settings) as connection, connection.cursor() as cursor:
        file = cursor.execute("select file from ledger.deliveries").fetchone()
        columns = cursor.execute(
            "select column_name from ledger.quarantine where rule = 'unknown_value'"
        ).fetchone()
    assert file == ("dms/dealers/x'); drop schema ledger; --.csv",)
    assert columns == (NAMES[3],)
    assert isinstance(connection, psycopg.Connection)
