"""The example environment file and the compose file know exactly the settings that exist."""

import re
from pathlib import Path

from zhongtai.settings import Settings

ROOT = Path(__file__).parents[2]


def variables(text: str, prefix: str) -> set[str]:
    return set(re.findall(rf"^#?({prefix}[A-Z_]+)=", text, flags=re.MULTILINE))


def test_env_example_lists_every_setting_and_no_other() -> None:
    expected = {f"ZHONGTAI_{name.upper()}" for name in Settings.model_fields}
    assert len(expected) >= 10
    assert variables((ROOT / ".env.example").read_text("utf-8"), "ZHONGTAI_") == expected


def test_env_example_lists_every_secret_of_the_compose_file() -> None:
    compose = (ROOT / "docker-compose.yml").read_text("utf-8")
    required = set(re.findall(r"\$\{([A-Z_]+):\?", compose))
    assert len(required) >= 4
    example = (ROOT / ".env.example").read_text("utf-8")
    assert required <= variables(example, "")


def test_compose_sets_only_settings_that_exist() -> None:
    compose = (ROOT / "docker-compose.yml").read_text("utf-8")
    used = set(re.findall(r"^\s+ZHONGTAI_([A-Z_]+):", compose, flags=re.MULTILINE))
    assert used
    assert {name.lower() for name in used} <= set(Settings.model_fields)
