"""What Airflow makes of the DAG files: it reads them as the dag-processor would."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1] + "/plugins")
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
def names(asset):
    return [asset.name] if hasattr(asset, "name") else sum(map(names, asset.objects), [])
described = {
    dag_id: {
        "tags": sorted(dag.tags),
        "tasks": {t.task_id: {"pool": t.pool, "retries": t.retries} for t in dag.tasks},
        "max_active_runs": dag.max_active_runs,
        "catchup": dag.catchup,
        "doc": dag.doc_md or "",
        "schedule": type(dag.timetable).__name__,
        "assets": sorted(names(dag.timetable.asset_condition)),
        "outlets": sorted(o.name for t in dag.tasks for o in t.outlets),
    }
    for dag_id, dag in bag.dags.items()
}
print("DESCRIBED " + json.dumps({"errors": bag.import_errors, "dags": described}))
"""


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    import json

    home = tmp_path_factory.mktemp("airflow")
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(ROOT / "dags")],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "ZHONGTAI_HOME": str(home),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    line = next(row for row in result.stdout.splitlines() if row.startswith("DESCRIBED "))
    described: dict[str, Any] = json.loads(line.removeprefix("DESCRIBED "))
    return described


def test_every_dag_file_can_be_imported(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}


def test_there_is_a_dag_for_every_source_and_one_that_publishes(bag: dict[str, Any]) -> None:
    assert set(bag["dags"]) == {
        "ingest_app",
        "ingest_crm",
        "ingest_dms",
        "ingest_miniprogram",
        "ingest_partner",
        "ingest_website",
        "ingest_workforce",
        "publish_metrics",
    }


def test_dags_wake_on_assets_or_a_sweep_and_never_run_twice_at_once(bag: dict[str, Any]) -> None:
    for dag_id, dag in bag["dags"].items():
        assert dag["schedule"] == "AssetOrTimeSchedule", dag_id
        assert dag["max_active_runs"] == 1
        assert dag["catchup"] is False
        assert len(dag["doc"]) > 80
        assert "impact/tier_1" in dag["tags"]


def test_assets_chain_from_the_landing_zone_to_the_metrics(bag: dict[str, Any]) -> None:
    raw = []
    for dag_id, dag in bag["dags"].items():
        if dag_id.startswith("ingest_"):
            source = dag_id.removeprefix("ingest_")
            assert dag["assets"] == [f"landing.{source}"]
            assert dag["outlets"] == [f"raw.{source}"]
            raw += dag["outlets"]
    publish = bag["dags"]["publish_metrics"]
    assert publish["assets"] == sorted(raw)
    assert publish["outlets"] == ["metrics"]


def test_tasks_have_the_names_people_look_for(bag: dict[str, Any]) -> None:
    publish = bag["dags"]["publish_metrics"]["tasks"]
    assert set(publish) == {"build", "check", "publish", "held"}
    assert {task["pool"] for task in publish.values()} == {"warehouse_writer"}
    assert publish["held"]["retries"] == 0
    assert set(bag["dags"]["ingest_crm"]["tasks"]) == {"land"}
