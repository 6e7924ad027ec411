"""Build users, tags and metrics from what has landed, check the candidate, publish it or hold it.

Any raw asset wakes the DAG, a sweep when none can; a run that finds nothing new ends quietly.
"""

from airflow.sdk import Asset, AssetAny, AssetOrTimeSchedule, dag, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.timetables.trigger import CronTriggerTimetable

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
    default_args={"owner": "data-engineering", "pool": "warehouse_writer"},
    tags=["impact/tier_1", "metrics"],
    doc_md=__doc__,
)
def publish_metrics() -> None:
    """Wire build, check, and either publish or held."""

    @task(retries=2)
    def build() -> str:
        from zhongtai import pipeline

        run_id = pipeline.build(load_settings())
        if run_id is None:
            raise AirflowSkipException("the ledger shows nothing new since the last snapshot")
        return run_id

    @task.branch
    def check(run_id: str) -> str:
        from zhongtai import pipeline

        return "publish" if pipeline.check(load_settings(), run_id).passed else "held"

    @task(outlets=[Asset("metrics")], retries=2)
    def publish(run_id: str) -> str:
        from zhongtai import pipeline

        return pipeline.publish(load_settings(), run_id)

    @task
    def held(run_id: str) -> None:
        from zhongtai import pipeline

        raise AirflowFailException(pipeline.describe_hold(load_settings(), run_id))

    run_id = build()
    check(run_id) >> [publish(run_id), held(run_id)]


publish_metrics()
