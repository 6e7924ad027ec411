"""Build users, tags and metrics from what has landed, check the candidate, publish it or hold it.

Any raw asset wakes the DAG, a sweep when none can; a run that finds nothing new ends quietly.
"""

from datetime import timedelta

from airflow.sdk import Asset, AssetAny, AssetOrTimeSchedule, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.timetables.trigger import CronTriggerTimetable

from zhongtai import pipeline
from zhongtai.arrivals import wait_for_ingestion
from zhongtai.contracts import list_sources
from zhongtai.settings import load_settings

SETTINGS = load_settings()
SWEEP = CronTriggerTimetable(f"*/{SETTINGS.sweep_minutes} * * * *", timezone="UTC")
RAW = [Asset(f"raw.{source}") for source in list_sources(SETTINGS.project_dir)]


@dag(
    dag_id="publish_metrics",
    schedule=AssetOrTimeSchedule(timetable=SWEEP, assets=AssetAny(*RAW)),
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "data-engineering",
        "pool": "warehouse_writer",
        "retry_delay": timedelta(seconds=10),
    },
    tags=["impact/tier_1", "metrics"],
    doc_md=__doc__,
)
def publish_metrics() -> None:
    @task(retries=2)
    def build() -> str:
        wait_for_ingestion(load_settings(), at_most_seconds=60)
        run_id = pipeline.build(load_settings())
        if run_id is None:
            raise AirflowSkipException("the ledger shows nothing new since the last snapshot")
        return run_id

    @task.branch
    def check(candidate: str) -> str:
        return "publish" if pipeline.check(load_settings(), candidate).passed else "held"

    @task(outlets=[Asset("metrics")], retries=2)
    def publish(candidate: str) -> str:
        return pipeline.publish(load_settings(), candidate)

    @task
    def held(candidate: str) -> None:
        raise AirflowFailException(pipeline.describe_hold(load_settings(), candidate))

    candidate = build()
    check(candidate) >> [publish(candidate), held(candidate)]


publish_metrics()
