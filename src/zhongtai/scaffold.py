"""The staging layer's generated files: dbt sources of all contracts, a model for a new one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from zhongtai.contracts import Column, Contract, Contracts
from zhongtai.jinja import as_plain_text

# What a contract calls a kind of value → what the cleaning macros call it, where they differ.
_KINDS = {
    "ts": "timestamp",
    "ms": "epoch",
    "yuan": "money",
    "int": "integer",
    "num": "decimal",
    "bool": "boolean",
}
_DATA_TYPES = {
    "timestamp": "timestamp",
    "epoch": "timestamp",
    "date": "date",
    "money": "bigint",
    "fen": "bigint",
    "integer": "bigint",
    "decimal": "double",
    "boolean": "boolean",
}
# Whose line an event is; its record key as bridge_user_records publishes it.
_SUBJECTS = ("distinct_id", "visitor_id")


def generate_staging(project_dir: Path, contracts: Contracts) -> list[Path]:
    """Write the dbt sources of all contracts and a staging model for each contract without one.

    Returns the files whose content changed. A model that exists is left alone: people edit it.
    """
    folder = project_dir / "dbt_project" / "models" / "staging"
    files = {folder / "_sources_raw.yml": sources_document(contracts)}
    for contract in contracts.values():
        model = model_file(project_dir, contract)
        if not model.exists():
            files[model] = model_query(contract)
            files[model.with_suffix(".yml")] = model_document(contract)
    return [file for file, text in files.items() if _write(file, text)]


def model_file(project_dir: Path, contract: Contract) -> Path:
    """Where the staging model of a contract lives."""
    folder = project_dir / "dbt_project" / "models" / "staging" / contract.source
    return folder / f"stg_{contract.table}.sql"


def sources_document(contracts: Contracts) -> str:
    """The dbt source `raw`: one table per contract. Its columns are described in the contract."""
    tables = [
        {"name": contract.table, "description": as_plain_text(contract.description)}
        for contract in contracts.values()
    ]
    source = {
        "name": "raw",
        "description": "Loaded parts that staging has not seen, every column as delivered",
        "schema": "raw",
        "tables": tables,
    }
    head = "# Written by `zhongtai generate staging` from expectations/raw; do not edit.\n"
    return head + _yaml({"version": 2, "sources": [source]})


def model_query(contract: Contract) -> str:
    """The SQL of a staging model: which column is cleaned how."""
    version = contract.by_delivered[contract.version].name if contract.version else None
    names = [column.name for column in contract.columns]
    subject = next((name for name in _SUBJECTS if name in names), None)
    arguments = [f'"{contract.table}"', f"key={_literal(list(contract.key))}"]
    if version:
        arguments.append(f'version="{version}"')
    if subject:
        arguments.append(f'subject="{subject}"')
    if contract.fallback_key:
        fallback = {
            "absent": contract.fallback_key.absent,
            "ignoring": list(contract.fallback_key.ignoring),
        }
        arguments.append(f"fallback={_literal(fallback)}")
    columns = "".join(
        f'            "{column.name}": {_literal(list(_specification(contract, column)))},\n'
        for column in contract.columns
    )
    arguments.append(f"columns={{\n{columns}        }}")
    body = "".join(f"        {argument},\n" for argument in arguments)
    return f"-- Grain: {_grain(contract)}.\n{{{{\n    stage(\n{body}    )\n}}}}\n"


def model_document(contract: Contract) -> str:
    """The YAML beside a staging model: description, columns, tests."""
    columns = [
        {
            "name": "record_key",
            "description": "{{ doc('record_key') }}",
            "data_type": "varchar",
            "data_tests": ["is_unique", "not_null"],
        },
        *_subject_documents(contract),
        *(
            {
                "name": column.name,
                "description": as_plain_text(column.description),
                "data_type": _DATA_TYPES.get(_kind(contract, column), "varchar"),
                **_pii(column.pii),
            }
            for column in contract.columns
        ),
        {"name": "_issues", "description": "{{ doc('value_issues') }}", "data_type": "varchar[]"},
        *_masked_documents(contract),
        {"name": "_delivery_id", "description": "{{ doc('delivery_id') }}", "data_type": "varchar"},
        {"name": "_row_number", "description": "{{ doc('row_number') }}", "data_type": "bigint"},
        {
            "name": "_delivery_order",
            "description": "{{ doc('delivery_order') }}",
            "data_type": "varchar",
        },
    ]
    told = as_plain_text(contract.description)
    model = {
        "name": f"stg_{contract.table}",
        "description": f"{told}; cleaned. Grain: {_grain(contract)}.",
        "columns": columns,
    }
    return _yaml({"version": 2, "models": [model]})


def _masked_documents(contract: Contract) -> Iterator[dict[str, Any]]:
    if any(column.type == "mobile" for column in contract.columns):
        yield {
            "name": "_masked_mobiles",
            "description": "{{ doc('masked_mobiles') }}",
            "data_type": "varchar[]",
            **_pii("contact"),
        }


def _specification(contract: Contract, column: Column) -> Iterator[str]:
    yield column.delivered
    yield _kind(contract, column)
    if column.time_role in ("planned", "attribute"):
        yield column.time_role


def _kind(contract: Contract, column: Column) -> str:
    if column.type != "key":
        return _KINDS.get(column.type, column.type)
    if column.name == "vin":
        return "vin"
    return "key" if column.delivered in contract.key else "reference"


def _subject_documents(contract: Contract) -> Iterator[dict[str, Any]]:
    if any(column.name in _SUBJECTS for column in contract.columns):
        yield {
            "name": "subject_key",
            "description": "{{ doc('subject_key') }}",
            "data_type": "varchar",
            "data_tests": ["not_null"],
            **_pii("identifier"),
        }


def _pii(kind: str) -> dict[str, Any]:
    return {} if kind == "none" else {"config": {"meta": {"pii": kind}}}


def _grain(contract: Contract) -> str:
    key = " and ".join(contract.by_delivered[delivered].name for delivered in contract.key)
    which = "as first delivered" if contract.is_immutable else "its newest version"
    return f"one row per {key}, {which}"


def _literal(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=100)


def _write(file: Path, text: str) -> bool:
    if file.exists() and file.read_text("utf-8") == text:
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return True
