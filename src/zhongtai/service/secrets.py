"""Secrets of one installation: made once, kept in a file that only its owner reads."""

import base64
import json
import os
import secrets
from pathlib import Path

from zhongtai.settings import Settings


def new_secrets() -> dict[str, str]:
    """Secrets drawn anew, by name."""
    return {
        "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "jwt_secret": secrets.token_urlsafe(64),
        "api_secret_key": secrets.token_urlsafe(32),
        "admin_password": secrets.token_urlsafe(12),
    }


def write_private(path: Path, text: str) -> None:
    """Write a file that never was readable by anybody else, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def load_secrets(settings: Settings) -> dict[str, str]:
    """The installation's secrets by name; generated at the first call."""
    path = settings.path("secrets", "airflow.json")
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, json.dumps(new_secrets()))
    found: dict[str, str] = json.loads(path.read_text("utf-8"))
    return found


def admin_password(settings: Settings) -> str:
    """The password of Airflow's user `admin`: the configured one, else the one drawn at first."""
    return settings.airflow_password.get_secret_value() or load_secrets(settings)["admin_password"]


def write_airflow_users(settings: Settings) -> Path:
    """Write the file by which Airflow knows its users, where it does not say so already.

    Airflow opens it for writing, so it lies in the home and is no mounted secret.
    """
    path = settings.path("secrets", "airflow_users.json")
    users = json.dumps({"admin": admin_password(settings)})
    if not path.exists() or path.read_text("utf-8").strip() != users:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(path, users)
    return path
