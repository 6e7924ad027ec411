"""The secrets of an installation stay, are private, and give way to what a person sets."""

import json
from pathlib import Path

from zhongtai.service.secrets import admin_password, load_secrets, write_airflow_users
from zhongtai.settings import load_settings


def test_secrets_are_drawn_once(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    assert load_secrets(settings) == load_secrets(settings)
    assert admin_password(settings) == load_secrets(settings)["admin_password"]


def test_a_configured_password_is_the_one_airflow_knows(tmp_path: Path) -> None:
    drawn = write_airflow_users(load_settings(home=tmp_path))
    before = json.loads(drawn.read_text("utf-8"))
    file = write_airflow_users(load_settings(home=tmp_path, airflow_password="set by a person"))
    assert file == drawn
    assert json.loads(file.read_text("utf-8")) == {"admin": "set by a person"} != before


def test_only_the_owner_reads_the_files(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    load_secrets(settings)
    for file in (write_airflow_users(settings), settings.path("secrets", "airflow.json")):
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o077 == 0
