"""What rows say about whom they belong to, whatever is written in their cells."""

import duckdb
import pyarrow as pa
import pytest

from zhongtai.contracts import Contracts
from zhongtai.erasure.matching import WANTED_SCHEMA, wanted_rows_sql
from zhongtai.erasure.naming import list_namings
from zhongtai.ingest.parts import part_schema

PHONE = "13611110001"
TYPED = f'{{"mobile": "{PHONE}"}}'


@pytest.mark.parametrize("broken", ["", " ", "NULL", "-", '{"mobile": "', "{'mobile': 1}"])
@pytest.mark.parametrize(
    ("entity", "column"),
    [
        ("website.pages", "appVariable"),
        ("website.custom_events", "eventVariable"),
        ("app.events", "properties"),
        ("app.events", "identities"),
    ],
)
def test_a_cell_that_is_no_json_hides_no_other_row(
    contracts: Contracts, entity: str, column: str, broken: str
) -> None:
    contract = contracts[entity]
    told = TYPED.replace("mobile", "$identity_mobile") if column == "identities" else TYPED
    rows = pa.Table.from_pylist([{column: broken}, {column: told}], part_schema(contract))
    wanted = pa.table({"kind": ["mobile"], "value": [PHONE]}, WANTED_SCHEMA)
    with duckdb.connect() as duck:
        duck.register("delivered", rows.append_column("place", pa.array([0, 1])))
        duck.register("wanted", wanted)
        query = wanted_rows_sql(list_namings(contract), "delivered", "place")
        assert {row[0] for row in duck.execute(query).fetchall()} == {1}


@pytest.mark.parametrize("cut", [f'{{"mobile": "{PHONE}', f"{{'mobile': +86{PHONE}}}"])
def test_a_number_is_found_and_emptied_in_a_form_that_is_no_json(
    contracts: Contracts, cut: str
) -> None:
    contract = contracts["website.custom_events"]
    rows = pa.Table.from_pylist([{"eventVariable": cut}], part_schema(contract))
    wanted = pa.table({"kind": ["mobile"], "value": [PHONE]}, WANTED_SCHEMA)
    with duckdb.connect() as duck:
        duck.register("delivered", rows.append_column("place", pa.array([0])))
        duck.register("wanted", wanted)
        query = wanted_rows_sql(list_namings(contract), "delivered", "place")
        ((_, number),) = duck.execute(query).fetchall()
        ((cell, left),) = list_namings(contract)[number].cells
        assert cell == "eventVariable"
        ((emptied,),) = duck.execute(f"select {left} from delivered").fetchall()
        assert PHONE not in emptied
