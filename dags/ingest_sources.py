"""Land what the source systems deliver: one DAG per source of the contracts.

A watcher wakes the DAG when a delivery is complete; a sweep wakes it when the watcher cannot.
Either is a wake-up only: the task drains landing zone and ledger until nothing complete is left.
"""

import logging
from datetime import timedelta

from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from airflow.timetables.trigger import CronTriggerTimetable

from landing_trigger import LandingTrigger
from zhongtai import pipeline
from zhongtai.contracts import list_sources
from zhongtai.settings import load_settings

SETTINGS = load_settings()
SWEEP = CronTriggerTimetable(f"*/{SETTINGS.sweep_minutes} * * * *", timezone="UTC")


def build_dag(source: str) -> None:
    """Register the DAG of one source."""
    watcher = AssetWatcher(name=f"watch_{source}", trigger=LandingTrigger(source=source))
    landing = Asset(f"landing.{source}", watchers=[watcher])
    raw = Asset(f"raw.{source}")

    @dag(
        dag_id=f"ingest_{source}",
        schedule=AssetOrTimeSchedule(timetable=SWEEP, assets=[landing]),
        catchup=False,
        max_active_runs=1,
        default_args={
            "owner": "data-engineering",
            "retries": 2,
            "retry_delay": timedelta(seconds=10),
        },
        tags=["impact/tier_1", "ingestion", source],
        doc_md=__doc__,
    )
    def ingest() -> None:
        @task(outlets=[raw])
        def land() -> dict[str, object]:
            report = pipeline.ingest(load_settings(), source=source)
            logging.getLogger(__name__).info("%s", report)
            if not report.deliveries:
                raise AirflowSkipException("nothing complete is waiting")
            return report.as_dict()

        land()

    ingest()


for name in list_sources(SETTINGS.project_dir):
    build_dag(name)
