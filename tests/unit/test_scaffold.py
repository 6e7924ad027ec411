"""Generated staging files: complete for every contract, and never over what people edited."""

import re
from pathlib import Path

import yaml

from zhongtai.contracts import Contracts, load_contracts
from zhongtai.scaffold import generate_staging, model_document, model_file, model_query

ROOT = Path(__file__).parents[2]


def test_generating_again_leaves_no_difference(contracts: Contracts) -> None:
    before = (ROOT / "dbt_project/models/staging/_sources_raw.yml").read_text("utf-8")
    assert generate_staging(ROOT, contracts) == []
    assert before.count("- name: ") == len(contracts) + 1


def test_every_delivered_column_is_staged_and_described(contracts: Contracts) -> None:
    looked_at = 0
    for contract in contracts.values():
        model = model_file(ROOT, contract)
        query = model.read_text("utf-8")
        (described,) = yaml.safe_load(model.with_suffix(".yml").read_text("utf-8"))["models"]
        names = {column["name"] for column in described["columns"]}
        for column in contract.columns:
            looked_at += 1
            cleaned = rf'"{column.name}": \[\s*"{re.escape(column.delivered)}"'
            assert re.search(cleaned, query), f"{contract.name}: {column.delivered}"
            assert column.name in names, f"{contract.name}: {column.name}"
    assert looked_at > 350


def test_a_new_contract_gets_a_model_and_an_edited_model_stays(tmp_path: Path) -> None:
    raw = tmp_path / "expectations" / "raw"
    raw.mkdir(parents=True)
    text = (ROOT / "expectations/raw/dms__vehicles.yml").read_text("utf-8")
    (raw / "dms__vans.yml").write_text(text, "utf-8")
    contracts = load_contracts(tmp_path)
    made = generate_staging(tmp_path, contracts)
    model = model_file(tmp_path, contracts["dms.vans"])
    assert {file.name for file in made} == {
        "_sources_raw.yml",
        "stg_dms__vans.sql",
        "stg_dms__vans.yml",
    }
    model.write_text("-- edited", "utf-8")
    assert generate_staging(tmp_path, contracts) == []
    assert model.read_text("utf-8") == "-- edited"


def test_keys_references_and_time_roles_are_told_apart(contracts: Contracts) -> None:
    leads = model_query(contracts["crm.leads"])
    assert '"lead_id": ["线索唯一ID", "key"]' in leads
    assert '"unionid": ["微信UnionID", "reference"]' in leads
    assert '"started_at": ["开始时间", "timestamp", "planned"]' in model_query(
        contracts["crm.campaigns"]
    )
    assert '"birth_date": ["出生日期", "date", "attribute"]' in model_query(
        contracts["crm.contacts"]
    )
    assert '"vin": ["VIN", "vin"]' in model_query(contracts["dms.vehicles"])


def test_personal_columns_are_marked(contracts: Contracts) -> None:
    (model,) = yaml.safe_load(model_document(contracts["crm.contacts"]))["models"]
    marked = {
        column["name"]: column["config"]["meta"]["pii"]
        for column in model["columns"]
        if "config" in column
    }
    assert marked["mobile"] == "contact"
    assert marked["name"] == "name"
    assert "occupation" not in marked
