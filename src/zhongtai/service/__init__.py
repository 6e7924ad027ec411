"""The long-running services: Airflow's four components on one PostgreSQL."""

from zhongtai.service.airflow import (
    AirflowAddress,
    airflow_environment,
    migrate_airflow,
    prepare_airflow,
)
from zhongtai.service.processes import is_healthy, start_services, stop_services

__all__ = [
    "AirflowAddress",
    "airflow_environment",
    "is_healthy",
    "migrate_airflow",
    "prepare_airflow",
    "start_services",
    "stop_services",
]
