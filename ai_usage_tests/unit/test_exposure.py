"""What is open by default, and what `doctor` warns about without asking anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer.main

from ai_usage import cli, doctor
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage_tests.fixtures.company import ROOT


def test_the_pages_listen_on_this_machine_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command: Any = typer.main.get_command(cli.app)
    [host] = [p for p in command.commands["dev"].params if p.name == "host"]
    assert host.default == "127.0.0.1"
    assert "--host" not in (ROOT / "Makefile").read_text()
    started: list[list[str]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AI_USAGE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("os.execv", lambda _, arguments: started.append(arguments))
    cli.dev(port=3000, host="127.0.0.1")
    assert "no login" not in capsys.readouterr().err
    cli.dev(port=3000, host="0.0.0.0")
    assert "the pages have no login" in capsys.readouterr().err
    assert [a[a.index("--host") + 1] for a in started] == ["127.0.0.1", "0.0.0.0"]


def findings(tmp_path: Path, **more: object) -> list[str]:
    settings = Settings(_env_file=None, data_dir=tmp_path / "data", **more)  # type: ignore[call-arg,arg-type]
    found = doctor._privileges(Runtime(settings))
    assert all(f.state == "warn" for f in found)
    return [f.sentence for f in found]


def test_a_key_file_for_everybody_is_warned_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            monkeypatch.setattr("pathlib.Path.parents", property(lambda self: ()))  # a closed folder above it would protect it
            break
    account, dotenv = tmp_path / "account.json", tmp_path / ".env"
    for path in (account, dotenv):
        path.write_text("x=1")
        path.chmod(0o644)
    said = findings(tmp_path, google_application_credentials=account)
    assert [str(p) for p in (account, dotenv) if any(str(p) in s and "chmod 600" in s for s in said)] == [str(account), str(dotenv)]
    account.chmod(0o600)
    dotenv.chmod(0o640)
    assert findings(tmp_path, google_application_credentials=account) == []


def test_one_user_for_reading_and_writing_is_warned_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = "postgresql://{}:p@127.0.0.1/serving"
    [said] = findings(tmp_path, metabase_postgres_url=url.format("writer"), serving_url=url.format("writer"))
    assert "one user, writer" in said and ":p@" not in said
    assert findings(tmp_path, metabase_postgres_url=url.format("reader"), serving_url=url.format("writer")) == []
