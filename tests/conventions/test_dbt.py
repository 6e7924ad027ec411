"""What must hold for the dbt project, read from its manifest: layers, names, documentation."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "dbt_project"
PREFIXES = {
    "staging": ("stg_",),
    "intermediate": ("int_",),
    "marts": ("dim_", "fct_", "bridge_", "metrics_", "meta_", "one_id_redirects"),
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    from zhongtai.settings import load_settings
    from zhongtai.transform import parse_project

    home = tmp_path_factory.mktemp("manifest")
    found: dict[str, Any] = json.loads(parse_project(load_settings(home=home)).read_text("utf-8"))
    return found


def models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    found = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert len(found) >= 60
    return found


def layer(node: dict[str, Any]) -> str:
    return str(node["original_file_path"]).split("/")[1]


def test_every_model_is_named_for_its_layer(manifest: dict[str, Any]) -> None:
    wrong = [
        node["original_file_path"]
        for node in models(manifest)
        if not node["name"].startswith(PREFIXES[layer(node)])
    ]
    assert wrong == []


def test_models_depend_downstream_only(manifest: dict[str, Any]) -> None:
    allowed = {
        "staging": {"source", "seed"},
        "intermediate": {"source", "seed", "staging", "intermediate", "marts"},
        "marts": {"source", "seed", "staging", "intermediate", "marts"},
    }
    wrong = []
    for node in models(manifest):
        for parent in node["depends_on"]["nodes"]:
            kind = parent.split(".")[0]
            of = layer(manifest["nodes"][parent]) if kind == "model" else kind
            if of not in allowed[layer(node)]:
                wrong.append(f"{node['name']} reads {parent}")
    assert wrong == []


def test_raw_sources_are_read_by_staging_only(manifest: dict[str, Any]) -> None:
    wrong = [
        f"{node['name']} reads {parent}"
        for node in models(manifest)
        for parent in node["depends_on"]["nodes"]
        if parent.startswith("source.zhongtai.raw.") and layer(node) != "staging"
    ]
    assert wrong == []


def test_the_metrics_store_never_selects_one_id(manifest: dict[str, Any]) -> None:
    looked_at = 0
    for node in models(manifest):
        if node["schema"] == "metrics":
            looked_at += 1
            assert "one_id" not in node["columns"], node["name"]
    assert looked_at >= 10


def test_every_published_column_is_described_and_contracts_are_enforced(
    manifest: dict[str, Any],
) -> None:
    wrong = []
    for node in models(manifest):
        if layer(node) != "marts":
            continue
        if not node["config"]["contract"]["enforced"]:
            wrong.append(f"{node['name']}: contract not enforced")
        if len(node["description"]) < 20:
            wrong.append(f"{node['name']}: no description")
        for name, column in node["columns"].items():
            text = column["description"].strip()
            if len(text) < 8 or text.lower() in {name, name.replace("_", " ")}:
                wrong.append(f"{node['name']}.{name}: {text!r}")
    assert wrong == []


def test_every_model_says_its_grain_first(manifest: dict[str, Any]) -> None:
    wrong = [
        node["name"]
        for node in models(manifest)
        if layer(node) == "marts" and not node["raw_code"].lstrip().startswith("-- Grain: ")
    ]
    assert wrong == []


def test_sql_models_stay_small_and_sit_beside_their_documentation() -> None:
    sql = sorted((PROJECT / "models").rglob("*.sql"))
    assert len(sql) >= 60
    for path in sql:
        assert len(path.read_text("utf-8").splitlines()) <= 150, path.name
        assert path.with_suffix(".yml").exists(), f"{path.name} has no yml beside it"


def test_nothing_that_dbt_would_import_as_a_plugin() -> None:
    assert not (PROJECT / "__init__.py").exists()
    modules = [*(ROOT / "src").glob("dbt_*"), *(ROOT / "dags").glob("dbt_*")]
    assert modules == []


def test_macros_are_one_to_a_file() -> None:
    files = sorted((PROJECT / "macros").rglob("*.sql"))
    assert len(files) >= 15
    for path in files:
        names = re.findall(r"{%-?\s*macro\s+(\w+)", path.read_text("utf-8"))
        public = [name for name in names if not re.match(r"(default|duckdb|spark)__|_", name)]
        assert public == [path.stem], f"{path.name} defines {public}"


def test_every_published_table_says_which_question_it_answers(manifest: dict[str, Any]) -> None:
    published = {
        (node["schema"], node["name"]) for node in models(manifest) if layer(node) == "marts"
    }
    with (ROOT / "seeds" / "published_tables.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["store"], row["table_name"]) for row in rows} == published
    assert all(row["question"].endswith("?") for row in rows)
