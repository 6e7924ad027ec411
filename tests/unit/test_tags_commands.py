"""`zhongtai tags` and `zhongtai audience` at the command line: output, JSON and exit codes."""

import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from audience_cases import publish

from zhongtai import cli
from zhongtai.settings import Settings

Invoke = Callable[..., int]
_PERIODS = (
    "one_id varchar, tag_id varchar, tag_version varchar, value varchar, valid_from timestamp,"
    " valid_to timestamp, source varchar"
)


@pytest.fixture
def invoke(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run a command on a home with three persons, of whom u_3 was u_gone; returns its exit code."""
    monkeypatch.setenv("ZHONGTAI_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    publish(
        settings,
        [
            {"one_id": f"u_{n}", "name": "王小明", "mobile": f"+861381234000{n}", "vip": n < 3}
            for n in (1, 2, 3)
        ],
        tags={"vip": bool},
        redirects={"u_gone": "u_3"},
    )
    file = settings.path("published", "profiles", "current.duckdb")
    with duckdb.connect(str(file.resolve())) as profiles:
        profiles.execute(f"create table fct_user_tags ({_PERIODS})")
        for one_id, ended in (("u_gone", datetime(2026, 2, 1)), ("u_1", None)):  # noqa: DTZ001
            profiles.execute(
                "insert into fct_user_tags"
                " values (?, 'vip', 'v1', 'true', '2026-01-01', ?, 'rule')",
                [one_id, ended],
            )

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["zhongtai", *arguments, "--home", str(settings.home)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return int(left.value.code or 0)

    return call


def test_a_preview_is_told_in_words_and_as_json(
    invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("tags", "preview", "vip", "--against", "vip") == 0
    told = capsys.readouterr().out
    assert "2 of 3 persons (66.67%)" in told
    assert "0 would enter, 2 stay, 0 leave" in told
    assert "王" not in told
    assert invoke("tags", "preview", "vip", "--examples", "1", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["users"], found["persons"], len(found["examples"])) == (2, 3, 1)


def test_a_mistake_in_a_condition_is_wrong_usage(
    invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("tags", "preview", "vip and vipp") == 2
    assert "condition, position 9" in capsys.readouterr().err


def test_the_past_of_a_person_is_found_under_former_ids_and_masked(
    invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("tags", "history", "--one-id", "u_gone", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["one_id"], found["former_ids"]) == ("u_3", ["u_gone"])
    assert found["mobile"] == "+86…0003"
    (period,) = found["periods"]
    assert (period["tag_id"], period["valid_to"]) == ("vip", "2026-02-01T00:00:00")
    assert invoke("tags", "history", "--one-id", "u_nobody") == 2
    assert invoke("tags", "history") == 2


def test_declared_tags_are_listed_shown_and_linted(
    invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("tags", "list", "--group", "intent", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"intent_10_views_and_finance", "finance_interest"} <= {tag["tag_id"] for tag in listed}
    assert {tag["group"] for tag in listed} == {"intent"}
    assert invoke("tags", "show", "finance_interest") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("- id: finance_interest\n")
    assert "audience finance_interest_message" in shown
    assert "app.events." in shown
    assert invoke("tags", "show", "finance_intrest") == 2
    assert "did you mean finance_interest" in capsys.readouterr().err
    assert invoke("tags", "lint", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["audiences"]) >= 5


def test_a_tag_is_set_and_cleared_by_hand(
    invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("tags", "set", "vip", "u_gone", "--because", "ticket 88", "--author", "mei") == 0
    assert invoke("tags", "clear", "vip", "u_1", "--because", "left", "--author", "mei") == 0
    assert "vip taken back for u_1" in capsys.readouterr().out
    assert invoke("tags", "statements", "vip", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert [(one["person"], one["value"]) for one in said] == [("u_3", "true"), ("u_1", None)]
    assert invoke("tags", "set", "vip", "u_9", "--because", "x") == 1
    assert invoke("tags", "set", "test_driven", "u_1", "--because", "x") == 2


def test_an_audience_that_is_unknown_is_wrong_usage_and_nothing_is_exported(
    invoke: Invoke, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.csv"
    assert invoke("audience", "export", "nobody", "--to", str(target), "--because", "x") == 2
    assert not target.exists()
    assert invoke("audience", "list", "--json") == 0
    assert "high_intent_call" in capsys.readouterr().out
    assert invoke("audience", "exports") == 0
    assert "nothing was exported" in capsys.readouterr().out
