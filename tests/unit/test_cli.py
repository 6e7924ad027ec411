"""The command line: exit codes, last lines, messages, and the server it starts on demand."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from zhongtai import cli, pipeline
from zhongtai.cli.options import make_settings, parse_as_of, without_waiting
from zhongtai.cli.output import say_json, say_table
from zhongtai.cli.server import server_on_demand
from zhongtai.database import connect
from zhongtai.embedded_server import embedded_server_is_running, stop_embedded_server
from zhongtai.errors import ConfigurationError, GateHeldError
from zhongtai.ingest import IngestReport
from zhongtai.pipeline import Outcome
from zhongtai.settings import Settings, load_settings


def _list_commands(group: Any, *path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _list_commands(command, *path, name)
        else:
            yield " ".join((*path, name))


COMMANDS = sorted(_list_commands(typer.main.get_command(cli.app)))

Invoke = Callable[..., int]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command line in this process; returns its exit code."""

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["zhongtai", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return int(left.value.code or 0)

    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    return call


@pytest.fixture
def home(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A home whose database is that of the test session."""
    monkeypatch.setenv("ZHONGTAI_DATABASE_URL", database_url)
    return str(tmp_path / "home")


def test_there_are_commands_to_look_at() -> None:
    assert len(COMMANDS) >= 45
    assert {"run", "identity review", "database restore"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(
    invoke: Invoke, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert invoke(*command.split(), "--help") == 0
    text = capsys.readouterr().out
    examples = text.split("Examples", 1)[1].splitlines()
    shown = [line for line in examples if f"zhongtai {command}" in line]
    assert shown
    # two examples on one line were one paragraph
    assert all(len(re.findall(r"(?<!\.)zhongtai ", line)) == 1 for line in shown)


def test_help_loads_nothing_that_only_work_needs() -> None:
    shown = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from zhongtai.cli import main\n"
            "try: main()\n"
            "finally: print('loaded', *sorted(sys.modules))",
            "--help",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(shown.stdout.splitlines()[-1].split())
    assert {"typer", "zhongtai.cli"} <= loaded
    heavy = {"numpy", "pyarrow", "duckdb", "dbt", "great_expectations", "psycopg", "pandas"}
    assert not loaded & (heavy | {"zhongtai.identity", "sqlalchemy", "splink"})


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nonsense"], "No such command"),
        (["run", "--target", "oracle"], "not one of"),
        (["run", "--as-of", "yesterday"], "neither a date nor an ISO time"),
        (["run", "--as-of", "0001-01-01"], "neither a date nor an ISO time"),
        (["tags", "list", "--group", "nonsense"], "known: activity"),
        (["tags", "list", "--status", "nonsense"], "not one of"),
        (["tags", "preview", "car_owner", "--purpose", "nonsense"], "not one of"),
        (["run", "--target", "spark"], "not there yet"),
        (["run", "--landing", "/nowhere/at/all"], "does not exist"),
        # a variable of a script that nobody set is not the folder where it runs
        (["run", "--landing", ""], "--landing is empty"),
        (["run", "--home", ""], "it is empty"),
        (["generate", "exports", "--out", "x", "--people", "3"], "greater than or equal to 50"),
        (["generate", "exports", "--out", "/dev/null"], "is a file"),
        (["generate", "exports", "--out", "/dev/null/x"], "cannot be made"),
        (["identity", "merge", "a", "b", "--because", "x"], "expected SOURCE:ENTITY:KEY"),
        (["identity", "split", "a:b:c", "b", "--because", "x"], "expected SOURCE:ENTITY:KEY"),
        (["identity", "split", "a:b:c", "a:b:d"], "Missing option"),
        (["identity", "undo", "seven", "--because", "x"], "valid int"),
        (["erase", "--identifier", "phone=+8613800000000"], "TYPE=VALUE"),
        (["rollback"], "Missing argument"),
        (["release"], "Missing option"),
    ],
)
def test_wrong_usage_leaves_with_2_and_says_why(
    invoke: Invoke, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert invoke(*arguments) == 2
    captured = capsys.readouterr()
    assert complaint in captured.err
    assert captured.out == ""


def test_a_wrong_contract_leaves_with_2(
    invoke: Invoke,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "expectations" / "raw"
    folder.mkdir(parents=True)
    (folder / "crm__leads.yml").write_text("source: crm\nentity: [\n", "utf-8")
    monkeypatch.setenv("ZHONGTAI_PROJECT_DIR", str(tmp_path))
    assert invoke("contracts", "lint") == 2
    assert "crm__leads.yml" in capsys.readouterr().err


def test_the_contracts_of_the_repository_are_good(
    invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("contracts", "lint", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["sources"]) == 7


@pytest.mark.parametrize(
    ("outcome", "snapshot_id", "last_line"),
    [
        ("published", "S-1", "published snapshot S-1"),
        ("nothing_new", "S-1", "nothing new: readers keep snapshot S-1"),
        ("nothing_new", None, "nothing new: no delivery has arrived yet"),
    ],
)
def test_run_says_on_its_last_line_whether_it_published(  # noqa: PLR0917
    invoke: Invoke,
    home: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    outcome: str,
    snapshot_id: str | None,
    last_line: str,
) -> None:
    monkeypatch.setattr(
        pipeline, "run_once", lambda *_: Outcome(outcome, "R-1", snapshot_id, IngestReport())
    )
    assert invoke("run", "--home", home) == 0
    assert capsys.readouterr().out.splitlines()[-1] == last_line
    assert invoke("run", "--home", home, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["snapshot_id"]) == (outcome, snapshot_id)


def test_run_leaves_with_3_when_the_gate_holds(
    invoke: Invoke, home: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hold(*_: object) -> None:
        raise GateHeldError("the gate held it: 3 of 100 checks block", hint="mend it")

    monkeypatch.setattr(pipeline, "run_once", hold)
    assert invoke("run", "--home", home) == 3
    error = capsys.readouterr().err
    assert "3 of 100 checks block" in error
    assert "what to do: mend it" in error
    assert "Traceback" not in error
    assert invoke("run", "--home", home, "--json") == 3
    assert json.loads(capsys.readouterr().out)["status"] == "held"


@pytest.mark.parametrize(("level", "traced"), [("INFO", False), ("DEBUG", True)])
def test_a_surprise_leaves_with_1_and_shows_no_traceback_or_value(  # noqa: PLR0917
    invoke: Invoke,
    home: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    level: str,
    traced: bool,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("cannot convert 13812345678 of li@example.com")

    monkeypatch.setattr(pipeline, "run_once", fail)
    monkeypatch.setenv("ZHONGTAI_LOG_LEVEL", level)
    assert invoke("run", "--home", home) == 1
    error = capsys.readouterr().err
    assert ("Traceback" in error) is traced
    assert "RuntimeError" in error
    if not traced:
        assert "13812345678" not in error
        assert "li@example.com" not in error


def test_status_of_an_empty_home_names_every_entity(
    invoke: Invoke, home: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("status", "--home", home) == 0
    text = capsys.readouterr().out
    assert "published  nothing yet" in text
    assert "wecom_contacts" in text
    assert invoke("status", "--home", home, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["current"] is None
    assert found["totals"]["rows_in"] == 0
    assert {entity["freshness"] for entity in found["entities"]} == {"never"}


@pytest.mark.parametrize(
    ("command", "code", "complaint"),
    [
        (["check"], 1, "no candidate was built yet"),
        (["publish"], 1, "no candidate was built yet"),
        (["release", "--because", "I say so"], 1, "no candidate was built yet"),
        (["rollback", "20260331T160000Z-3f9a1c2b"], 2, "is not kept"),
        (["check", "--run", "nobody"], 2, "no candidate of nobody"),
        (["publish", "--run", "nobody"], 2, "no candidate of nobody"),
        (["quarantine", "list", "--source", "nowhere"], 2, "no source 'nowhere'"),
        (["quarantine", "list", "--rule", "key_mising"], 2, "did you mean key_missing?"),
        (["quarantine", "show", "1f0c", "--rule", "key_mising"], 2, "no rule 'key_mising'"),
        (["quarantine", "replay", "--rule", "key_mising"], 2, "no rule 'key_mising'"),
        (["quarantine", "replay", "--source", "nowhere"], 2, "no source 'nowhere'"),
        (["quarantine", "replay", "--source", "crm", "--entity", "orders"], 2, "of source crm"),
        (["identity", "undo", "12", "--because", "x"], 2, "no decision 12"),
        (["quarantine", "replay", "--delivery", "1f0c"], 2, "no delivery '1f0c'"),
        (["tags", "statements", "nonsense"], 2, "no tag nonsense"),
        (["audience", "exports", "nonsense"], 2, "no audience nonsense"),
        (["identity", "merge", "a:b:c", "a:b:c", "--because", "x"], 2, "given twice"),
    ],
)
def test_a_step_without_the_one_before_leaves_with_1_and_a_name_of_nothing_with_2(  # noqa: PLR0917
    invoke: Invoke,
    home: str,
    capsys: pytest.CaptureFixture[str],
    command: list[str],
    code: int,
    complaint: str,
) -> None:
    assert invoke("status", "--home", home) == 0
    assert invoke(*command, "--home", home) == code
    assert complaint in capsys.readouterr().err


def test_a_home_that_cannot_be_written_leaves_with_2(
    invoke: Invoke, home: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), f"{home}/raw")

    monkeypatch.setattr(pipeline, "run_once", fail)
    assert invoke("run", "--home", home) == 2
    error = capsys.readouterr().err
    assert f"{home}/raw: read-only file system" in error
    assert "--home" in error


def test_a_full_disk_leaves_with_1_and_says_so(
    invoke: Invoke, home: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{home}/raw")

    monkeypatch.setattr(pipeline, "run_once", fail)
    assert invoke("run", "--home", home) == 1
    error = capsys.readouterr().err
    assert f"zhongtai: {home}/raw: no space left on device" in error
    assert "make room" in error


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-31", datetime(2026, 3, 30, 16, tzinfo=UTC)),
        ("2026-03-31T18:00", datetime(2026, 3, 31, 10, tzinfo=UTC)),
        ("2026-03-31T18:00Z", datetime(2026, 3, 31, 18, tzinfo=UTC)),
        ("2026-03-31T18:00+01:00", datetime(2026, 3, 31, 17, tzinfo=UTC)),
    ],
)
def test_as_of_is_an_instant_and_a_date_its_midnight_in_shanghai(
    text: str, instant: datetime
) -> None:
    assert parse_as_of(text) == instant


def test_one_shot_commands_do_not_wait_for_files_to_settle_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert without_waiting(make_settings(tmp_path)).stable_seconds == 0
    monkeypatch.setenv("ZHONGTAI_STABLE_SECONDS", "7")
    assert without_waiting(make_settings(tmp_path)).stable_seconds == 7


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["explain", "u_1"],
        ["quarantine", "list"],
        ["check"],
        ["erase", "--identifier", "mobile=13800000000", "--dry-run"],
        ["doctor"],
        ["quarantine", "replay"],
        ["identity", "list"],
        ["identity", "review"],
        ["identity", "merge", "a:b:c", "a:b:d", "--because", "x"],
        ["identity", "undo", "1", "--because", "x"],
        ["tags", "set", "vip", "a:b:c", "--because", "x"],
        ["tags", "statements"],
        ["database", "backup", "a.dump"],
    ],
)
def test_who_looks_into_a_home_that_is_not_there_is_told_and_makes_none(
    invoke: Invoke, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    home = tmp_path / "mistyped"
    assert invoke(*command, "--home", str(home)) == 2
    assert f"there is no home at {home}" in capsys.readouterr().err
    assert not home.exists()


@pytest.mark.parametrize("command", [["run"], ["ingest"], ["database", "start"]])
def test_a_home_that_cannot_be_made_is_told(
    invoke: Invoke,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
) -> None:
    monkeypatch.delenv("ZHONGTAI_DATABASE_URL", raising=False)
    (tmp_path / "file").touch()
    assert invoke(*command, "--home", str(tmp_path / "file" / "home")) == 2
    told = capsys.readouterr().err
    assert f"the home {tmp_path / 'file' / 'home'} cannot be made: not a directory" in told


def test_settings_that_are_empty_say_nothing_and_folders_hold_wherever_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"HOME": "", "THREADS": "", "STABLE_SECONDS": "", "LANDING": "in", "LAKE": "raw"}
    for name, value in given.items():
        monkeypatch.setenv(f"ZHONGTAI_{name}", value)
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert (settings.home, settings.stable_seconds) == (Path(".zhongtai"), None)
    assert settings.landing_url == str(tmp_path / "in")
    assert settings.lake_url == str(tmp_path / "raw")
    assert load_settings(landing="s3://in/box").landing_url == "s3://in/box"


@pytest.mark.parametrize(("limit", "is_right"), [("8GB", True), ("1.5 GiB", True), ("lots", False)])
def test_a_limit_of_memory_is_a_size(limit: str, is_right: bool) -> None:
    if is_right:
        assert load_settings(memory_limit=limit).memory_limit == limit
    else:
        with pytest.raises(ConfigurationError, match="expected a size like 800MB"):
            load_settings(memory_limit=limit)


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(ConfigurationError, match="is a file"):
        make_settings(tmp_path / "home")


def test_no_json_moves_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"original": "\x9b2J\x1b[2J\x7f华东"}
    say_json(value)
    told = capsys.readouterr().out
    assert json.loads(told) == value
    assert [c for c in told if c != "\n" and (ord(c) < 32 or 126 < ord(c) < 160)] == []


def test_a_project_folder_that_is_not_there_is_named_with_its_setting(
    invoke: Invoke,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZHONGTAI_PROJECT_DIR", str(tmp_path / "mistyped"))
    for command in (["contracts", "lint"], ["tags", "lint"], ["generate", "docs"]):
        assert invoke(*command) == 2
        assert f"ZHONGTAI_PROJECT_DIR={tmp_path / 'mistyped'}" in capsys.readouterr().err
    monkeypatch.setenv("ZHONGTAI_PROJECT_DIR", str(tmp_path))
    for what in ("docs", "semantics"):
        assert invoke("generate", what) == 2
        assert f"{tmp_path} holds no dbt_project/" in capsys.readouterr().err


def test_a_log_level_shows_our_own_words_alone_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    program = (
        "import logging, sys; from pathlib import Path; from zhongtai.cli.options import *\n"
        "make_settings(Path(sys.argv[1]))\n"
        "logging.getLogger('zhongtai.identity').info('ours')\n"
        "logging.getLogger('paramiko').info('theirs')\n"
    )
    told = {}
    for level in ("", "info", "LOUD"):
        ended = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            env={**os.environ, **({"ZHONGTAI_LOG_LEVEL": level} if level else {})},
            capture_output=True,
            text=True,
            check=False,
        )
        told[level] = ended.stderr
    assert told[""] == ""
    assert told["info"] == "INFO zhongtai.identity: ours\n"
    assert "ZHONGTAI_LOG_LEVEL='LOUD': Input should be 'DEBUG', 'INFO'" in told["LOUD"]


def test_tables_align_chinese_text(capsys: pytest.CaptureFixture[str]) -> None:
    say_table(("name", "rows"), [("华东", 1), ("a", 20)])
    assert capsys.readouterr().out == "name  rows\n华东     1\na       20\n"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that a server of another user can reach; pytest closes its own to others."""
    folder = Path(tempfile.mkdtemp(prefix="zt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["deep" * 25, "my documents", "数据"])
def test_a_server_started_on_demand_is_stopped_by_who_leaves_last(
    open_folder: Path, folder: str
) -> None:
    # the first is too long for a socket, as paths of real homes are
    settings = load_settings(home=open_folder / folder / "home", database_url="")
    with server_on_demand(settings), connect(settings) as connection:
        assert embedded_server_is_running(settings)
        sockets = list(Path(connection.info.host).glob(".s.PGSQL.*[0-9]"))
        assert [socket.stat().st_mode & 0o777 for socket in sockets] == [0o700]
        with server_on_demand(settings):
            pass
        assert embedded_server_is_running(settings)
    assert not embedded_server_is_running(settings)


def fail_with_server(settings: Settings) -> None:
    with server_on_demand(settings), connect(settings):
        raise RuntimeError("halfway")


@pytest.mark.slow
def test_a_server_stops_after_an_error_and_stays_where_it_ran_before(open_folder: Path) -> None:
    settings = load_settings(home=open_folder / "home", database_url="")
    with pytest.raises(RuntimeError):
        fail_with_server(settings)
    assert not embedded_server_is_running(settings)
    try:
        with server_on_demand(settings, keep=True), connect(settings):
            pass
        assert embedded_server_is_running(settings)
        with pytest.raises(RuntimeError):
            fail_with_server(settings)
        assert embedded_server_is_running(settings)
    finally:
        stop_embedded_server(settings)
