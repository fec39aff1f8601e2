"""What every command shares: a command that reads makes no empty warehouse, and each logs in the format that is asked for."""

from __future__ import annotations

import errno
import io
import json
import signal
import sqlite3
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from ai_usage import logs
from ai_usage.cli import app as cli
from ai_usage.cli import ask
from ai_usage.errors import SettingsError
from ai_usage.runs import execution
from ai_usage.settings import load_settings
from ai_usage.warehouse import WarehouseError

READING = [
    "close 2026-10",
    "close 2026-10 --verify",
    "export chargeback --month 2026-10",
    "focus --month 2026-10",
    "certify",
    "forget name@example.com",
    "alerts",
    "report",
    "report --as-of 2026-10-01",
    "status",
    "backup elsewhere",
]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AI_USAGE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    return tmp_path


@pytest.mark.parametrize("command", READING)
def test_a_command_that_reads_says_that_nothing_is_there_and_makes_nothing(empty: Path, command: str) -> None:
    """In the wrong folder, an empty file with exit code 0 would be taken for a month without cost, and a certificate of nothing for a whole one."""
    done = CliRunner().invoke(cli.app, command.split())
    assert isinstance(done.exception, WarehouseError) and "there is no warehouse at" in str(done.exception)
    assert list(empty.rglob("*.duckdb")) == [] and list(empty.glob("*.csv")) == []


@pytest.mark.parametrize("command", ["export nothing", "forget nobody", "alerts --test nobody", "close 2026-10"])
def test_every_command_logs_in_the_format_of_the_settings(empty: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("AI_USAGE_LOG_FORMAT", "json")
    asked: list[str] = []
    monkeypatch.setattr(logs, "configure", asked.append)
    CliRunner().invoke(cli.app, command.split())
    assert asked == ([] if command == "export nothing" else ["json"]), "a name that is none is refused before anything is opened"


def test_text_of_the_warehouse_does_not_steer_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A window title, a cleared screen, the one-byte CSI, a delete, rich's own markup: each is shown, in the name of a column too."""
    nasty = "a\x1b]0;owned\x07\x1b[2J\x9b2J\x7f[red]b[/red]"
    monkeypatch.setattr(ask, "out", Console(width=200))
    answer = pa.table({nasty: [nasty]})
    for form in ("table", "json", "csv"):
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        ask.show(iter([answer.schema.empty_table(), answer]), form)
        said = capsys.readouterr().out
        assert not {"\x1b", "\x07", "\x9b", "\x7f"} & set(said), form
        assert said.count("[red]b[/red]") == 2 and "owned" in said
        assert form != "json" or json.loads(said) == [{nasty: nasty}], "JSON says the same, in escapes"


def test_a_table_has_a_bound_and_the_other_forms_have_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answer = pa.table({"a": range(ask.GRID_ROWS + 1)})
    with pytest.raises(WarehouseError, match="more than 10,000 rows"):
        ask.show(iter([answer]), "table")
    ask.show(iter([answer]), "csv")
    assert len(capsys.readouterr().out.splitlines()) == 10_002


@pytest.mark.parametrize(
    ("error", "needed"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/d/x"), "/d/x cannot be written, the disk is full; free space"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "a file of the platform cannot be written, the disk is full"),
        (OSError(errno.EROFS, "Read-only file system", "/d/x"), "set AI_USAGE_DATA_DIR to a folder of your own"),
        (PermissionError(errno.EACCES, "Permission denied", "/d/x"), "/d/x cannot be written or read (Permission denied)"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files; correct that"),
        (UnicodeEncodeError("ascii", "ë", 0, 1, "ordinal not in range"), "set LC_ALL=C.UTF-8"),
    ],
)
def test_what_the_machine_refuses_is_one_sentence_and_exit_code_1(
    error: Exception, needed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.setattr(cli, "err", Console(stderr=True, width=300))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == 1 and needed in said and said.count("\n") == 1 and "Traceback" not in said


def test_answers_are_utf8_in_every_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    held = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(held, encoding="ascii"))
    monkeypatch.setattr(cli, "app", lambda **_: ask.show(iter([pa.table({"a": ["Zoë ✓"]})]), "csv"))
    cli.main()
    cli.sys.stdout.flush()
    assert held.getvalue().decode() == "a\nZoë ✓\n"


@pytest.mark.parametrize("name", ["history/runs.db", "history/runs/index.db", "schedules/schedules.db"])
def test_damaged_records_of_dagster_are_named_with_the_remedy(name: str, empty: Path) -> None:
    home = empty / "dagster"
    (home / name).parent.mkdir(parents=True)
    (home / name).write_bytes(b"\x93garbage" * 2000)
    with (
        pytest.raises(SettingsError, match="are damaged .*; stop Dagster, move the folder away"),
        execution.instance(load_settings()) as found,
    ):
        found.get_run_records(limit=1)
        found.all_instigator_state()
        found.get_asset_keys()


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("attempt to write a readonly database", "correct its owner or mount"), ("unable to open database file", "correct its owner or mount"),
        ("Read-only file system", "correct its owner or mount"), ("database or disk is full", "free space"), ("disk I/O error", "free space"),
    ],
)  # fmt: skip
def test_records_of_dagster_that_cannot_be_written_have_the_remedy_of_their_cause(said: str, remedy: str, empty: Path) -> None:
    with pytest.raises(SettingsError, match=f"{said}.*; {remedy}"), execution.instance(load_settings()):
        raise OperationalError("INSERT", {}, sqlite3.OperationalError(said))


def test_dev_says_what_is_wrong_with_the_records_before_dagster_does(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster's own processes would end in a traceback each."""
    monkeypatch.setattr("os.execv", lambda *_: pytest.fail("the pages would start"))
    (empty / "dagster" / "schedules").mkdir(parents=True)
    (empty / "dagster" / "schedules" / "schedules.db").write_bytes(b"\x93garbage" * 2000)
    done = CliRunner().invoke(cli.app, ["dev"])
    assert isinstance(done.exception, SettingsError) and "are damaged" in str(done.exception)


def test_a_background_job_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script starts `… &` with SIGINT ignored; Dagster gives SIGTERM the same handler, so that nothing but SIGKILL would end the process."""
    seen = []
    monkeypatch.setattr(cli, "app", lambda **_: seen.append(signal.getsignal(signal.SIGINT)))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        cli.main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.default_int_handler]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit.")
@pytest.mark.parametrize(("soft", "most", "raised"), [(30, 4096, 1024), (30, 256, 256), (2000, 4096, 2000), (64, 64, None)])
def test_files_that_may_be_open_are_enough_or_one_sentence(
    soft: int, most: int, raised: int | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """DuckDB ends the whole process where it cannot open one more."""
    import resource

    limits = [(soft, most)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.append(wanted))
    monkeypatch.setattr(cli, "app", lambda **_: None)
    if raised is None:
        with pytest.raises(SystemExit):
            cli.main()
        assert "this process may hold 64 files open and needs 128" in " ".join(capsys.readouterr().err.split())
    else:
        cli.main()
        assert limits[-1] == (raised, most)
