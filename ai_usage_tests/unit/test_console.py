"""What every command shares: a command that reads makes no empty warehouse, and each logs in the format that is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console
from typer.testing import CliRunner

from ai_usage import cli, logs
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
    monkeypatch.setattr(cli, "out", Console(width=200))
    answer = pa.table({nasty: [nasty]})
    for form in ("table", "json", "csv"):
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        cli._show(iter([answer.schema.empty_table(), answer]), form)
        said = capsys.readouterr().out
        assert not {"\x1b", "\x07", "\x9b", "\x7f"} & set(said), form
        assert said.count("[red]b[/red]") == 2 and "owned" in said
        assert form != "json" or json.loads(said) == [{nasty: nasty}], "JSON says the same, in escapes"


def test_a_table_has_a_bound_and_the_other_forms_have_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answer = pa.table({"a": range(cli.GRID_ROWS + 1)})
    with pytest.raises(WarehouseError, match="more than 10,000 rows"):
        cli._show(iter([answer]), "table")
    cli._show(iter([answer]), "csv")
    assert len(capsys.readouterr().out.splitlines()) == 10_002
