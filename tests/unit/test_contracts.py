"""Contracts: the repository's are sound, and a wrong one says where and what was expected."""

from pathlib import Path

import pytest

from zhongtai.contracts import Contracts, load_contracts
from zhongtai.contracts.catalogue import read_contract
from zhongtai.errors import ConfigurationError

SOURCES = ("app", "crm", "dms", "miniprogram", "partner", "website", "workforce")

SOUND = """\
description: Shops
owner: sales
impact: shops are unknown
format: csv
path: "**/*.csv"
encodings: [utf-8]
completion: stable
key: [id]
version: changed
event_time: opened
fresh_within: 26h
columns:
  id: {name: shop_id, type: key, required: true, description: Number of the shop}
  opened: {name: opened_at, type: ts, time_role: event, description: When it opened}
  changed: {name: changed_at, type: ts, description: When it changed}
  kind: {name: kind, type: enum, values: [a, b], description: Kind of shop}
row_rules:
  - {rule: key_missing, severity: critical, because: nothing to tell rows apart}
"""


def test_every_entity_of_every_source_has_a_contract(contracts: Contracts) -> None:
    assert contracts.sources == SOURCES
    assert len(contracts) == 35
    assert sum(len(contract.columns) for contract in contracts.values()) > 350


def test_every_contract_refuses_rows_without_a_key(contracts: Contracts) -> None:
    for contract in contracts.values():
        rule = contract.rule("key_missing")
        assert rule is not None, contract.name
        assert rule.severity == "critical", contract.name


def test_every_immutable_entity_with_an_event_time_refuses_unreadable_ones(
    contracts: Contracts,
) -> None:
    immutable = [c for c in contracts.values() if c.is_immutable and c.event_time]
    assert len(immutable) >= 12
    for contract in immutable:
        assert contract.rule("event_time_unreadable"), contract.name


def test_every_entity_with_a_manifest_checks_it(contracts: Contracts) -> None:
    by_manifest = [c for c in contracts.values() if c.completion == "manifest"]
    assert len(by_manifest) >= 18
    for contract in by_manifest:
        assert contract.rule("manifest_mismatch"), contract.name


def test_descriptions_say_more_than_the_name(contracts: Contracts) -> None:
    for contract in contracts.values():
        for column in contract.columns:
            said = column.description.lower().replace(" ", "_")
            assert said != column.name, column
            assert len(column.description) >= 4, column


def test_identifying_columns_are_marked_as_personal(contracts: Contracts) -> None:
    for contract in contracts.values():
        for column in contract.columns:
            if column.type in ("mobile", "email", "id_card", "vin"):
                assert column.pii != "none", f"{contract.name}.{column.delivered}"


def test_a_contract_knows_its_names_and_its_key(contracts: Contracts) -> None:
    leads = contracts["crm.leads"]
    assert (leads.name, leads.table, leads.is_immutable) == ("crm.leads", "crm__leads", False)
    assert leads.key == ("线索唯一ID",)
    assert leads.by_delivered["线索创建时间"].time_role == "event"
    assert contracts["app.events"].fallback_key is not None
    assert leads.fresh_for.total_seconds() == 26 * 3600


def test_an_unknown_source_is_refused_with_the_known_ones(contracts: Contracts) -> None:
    with pytest.raises(ConfigurationError, match="crm, dms"):
        contracts.of_source("erp")


def test_a_folder_without_contracts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no contract"):
        load_contracts(tmp_path)


def test_the_sound_contract_of_this_page_loads(tmp_path: Path) -> None:
    file = tmp_path / "sales__shops.yml"
    file.write_text(SOUND)
    assert read_contract(file).by_delivered["kind"].values == ("a", "b")


@pytest.mark.parametrize(
    ("sound", "wrong", "line", "expected"),
    [
        ("owner: sales", "owner: sales\nowners: x", 3, "unknown 'owners'"),
        ("owner: sales\n", "", 1, "'owner' is missing"),
        ("owner: sales", "owner: sales\nowner: x", 3, "says 'owner' twice"),
        ("format: csv", "format: dbf", 4, "expected one of jsonl, csv"),
        ("encodings: [utf-8]", "encodings: [utf-9]", 6, "encoding 'utf-9' is unknown"),
        ("encodings: [utf-8]", "encodings: [rot13]", 6, "encoding 'rot13' is unknown"),
        ("key: [id]", "dialect: {compression: gzip}\nkey: [id]", 8, "expected one of auto"),
        ("key: [id]", "key: [no]", 8, "key column 'no' is not among the columns"),
        ("key: [id]", "key: [kind]", 8, "no key column is required"),
        ("key: [id]", "key: [id, id]", 8, "says 'id' twice"),
        ("version: changed", "version: kind", 9, "has no time type"),
        ("event_time: opened\n", "", 1, "time_role event is ['opened']"),
        ("fresh_within: 26h", "fresh_within: a day", 11, "expected e.g. 90m"),
        ("type: key,", "type: number,", 13, "expected one of key, text"),
        ("name: changed_at", "name: opened_at", 15, "'opened_at' is used twice"),
        ("name: changed_at", "name: changedAt", 15, "lower_snake_case"),
        ("name: changed_at,", "name: changed_at, aliases: [ID],", 15, "'ID' means both"),
        ("type: enum", "type: text", 16, "'values' needs type enum"),
        ("time_role: event", "time_role: sometime", 14, "expected one of event"),
        ("required: true", "required: maybe", 13, "must be true or false"),
        ("rule: key_missing", "rule: key_gone", 18, "or have a 'where'"),
        ("severity: critical", "severity: high", 18, "expected one of critical"),
        ("  kind: {", "  _raw: {name: raw, type: text, description: x}\n  kind: {", 16, "product"),
    ],
)
def test_a_wrong_contract_says_where_and_what_was_expected(
    tmp_path: Path, sound: str, wrong: str, line: int, expected: str
) -> None:
    assert sound in SOUND
    file = tmp_path / "sales__shops.yml"
    file.write_text(SOUND.replace(sound, wrong, 1))
    with pytest.raises(ConfigurationError) as raised:
        read_contract(file)
    assert expected in raised.value.message
    assert f"sales__shops.yml:{line}:" in raised.value.message


def test_broken_yaml_is_refused_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "sales__shops.yml"
    file.write_text("columns: [")
    with pytest.raises(ConfigurationError, match=r"sales__shops\.yml is no readable YAML"):
        read_contract(file)


def test_a_file_name_that_is_no_entity_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "Shops.yml"
    file.write_text(SOUND)
    with pytest.raises(ConfigurationError, match=r"<source>__<entity>\.yml"):
        read_contract(file)
