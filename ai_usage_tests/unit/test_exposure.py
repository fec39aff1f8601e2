"""What is open by default, and what `doctor` warns about without asking anybody."""

from __future__ import annotations

import asyncio
import base64
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import SecretStr

from ai_usage.cli import app as cli
from ai_usage.cli.run import dev
from ai_usage.definitions import build_defs
from ai_usage.defs.operations import automation
from ai_usage.errors import SettingsError
from ai_usage.operations import doctor
from ai_usage.runs import pages
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
    dev(port=3000, host="127.0.0.1")
    for host in ("0.0.0.0", "192.0.2.7", "usage.example.com", "::"):
        with pytest.raises(SettingsError, match="set AI_USAGE_PAGES_TOKEN"):
            dev(port=3000, host=host)
    monkeypatch.setenv("AI_USAGE_PAGES_TOKEN", "open-sesame")
    dev(port=3000, host="0.0.0.0")
    assert [a[a.index("--host") + 1] for a in started] == ["127.0.0.1", "0.0.0.0"]
    assert all(a[:4] == [sys.executable, "-m", "ai_usage.runs.pages", "dev"] for a in started)


OWN = {"host": "127.0.0.1:3000", "sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:3000"}
JSON = {"content-type": "application/json"}
LINK = {"host": "localhost:3000", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
QUERY = "query=mutation%7BsetNuxSeen%7D"


def asked(method: str, path: str, headers: dict[str, str], query: str = "", **settings: object) -> int | None:
    """The status with which the guard refuses; None when the request goes on to Dagster."""
    guard = pages.Guard(None, "127.0.0.1", Settings(_env_file=None, **settings))  # type: ignore[call-arg,arg-type]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode()} | (
        {"type": "websocket"} if method == "WS" else {}
    )
    found = guard.refusal(scope | {"headers": [(k.encode(), v.encode()) for k, v in headers.items()]})
    return found and found[0]


@pytest.mark.parametrize(
    ("method", "path", "headers", "query", "status"),
    [
        ("POST", "/graphql", OWN | JSON, "", None),
        ("POST", "/graphql", {"host": "localhost:3000"} | JSON, "", None),  # a program of this machine sends no Origin
        ("POST", "/graphql", {"host": "[::1]:3000"} | {"content-type": "application/json; charset=utf-8"}, "", None),
        ("GET", "/", LINK, "", None),
        ("GET", "/graphql", LINK | {"accept": "text/html,*/*"}, QUERY, None),  # the page to write queries on: nothing runs
        ("WS", "/graphql", OWN, "", None),
        ("POST", "/graphql", OWN | JSON | {"host": "attacker.example:3000", "origin": "http://attacker.example:3000"}, "", 421),
        ("GET", "/server_info", {"host": "127.0.0.1.attacker.example"}, "", 421),
        ("GET", "/", {"host": "localhost."}, "", 421),
        ("GET", "/", {"host": "localhost@attacker.example"}, "", 421),
        ("GET", "/", {}, "", 421),
        ("WS", "/graphql", {"host": "127.0.0.1:3000", "origin": "http://evil.localhost:13999"}, "", 403),
        ("WS", "/graphql", {"host": "127.0.0.1:3000", "origin": "http://127.0.0.1:13999"}, "", 403),
        ("POST", "/graphql", OWN | JSON | {"origin": "null"}, "", 403),
        ("POST", "/graphql", OWN | JSON | {"sec-fetch-site": "same-site"}, "", 403),
        ("GET", "/logs/x", LINK | {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}, "", 403),
        ("GET", "/", LINK | {"sec-fetch-dest": "iframe"}, "", 403),
        ("POST", "/graphql", LINK | {"content-type": "application/x-www-form-urlencoded"}, "", 403),
        ("GET", "/graphql", OWN, QUERY, 405),
        ("HEAD", "/graphql", {"host": "localhost"}, QUERY, 405),
        ("POST", "/graphql", OWN | {"content-type": "text/plain"}, QUERY, 415),
        ("POST", "/graphql", OWN | {"content-type": "text/plain; x=application/json"}, "", 415),
        ("POST", "/graphql", OWN | {"content-type": "application/graphql"}, "", 415),
        ("POST", "/report_asset_materialization/x", {"host": "127.0.0.1:3000"}, "data_version=1", 415),
        ("PUT", "/graphql", OWN | JSON, "", 415),
    ],
)  # fmt: skip
def test_the_pages_answer_their_own_pages_and_no_other_site(
    method: str, path: str, headers: dict[str, str], query: str, status: int
) -> None:
    assert asked(method, path, headers, query) == status


def test_a_name_of_yours_and_a_token_are_settings() -> None:
    proxied = OWN | {"host": "usage.example.com", "origin": "https://usage.example.com"}
    assert asked("GET", "/", proxied) == 421
    assert asked("GET", "/", proxied, pages_hosts=["Usage.example.com"]) is None
    words = {w: base64.b64encode(w.encode()).decode() for w in ("any:open-sesame", "any:wrong", "open-sesame")}
    given = {
        "": 401, "Basic ": 401, "Basic ###": 401, f"Basic {words['any:wrong']}": 401, f"Basic {words['open-sesame']}": 401, "Bearer é": 401,
        f"Basic {words['any:open-sesame']}": None, "Bearer open-sesame": None,
    }  # fmt: skip
    for method in ("GET", "WS"):
        found = {
            h: asked(method, "/graphql", OWN | ({"authorization": h} if h else {}), pages_token=SecretStr("open-sesame")) for h in given
        }
        assert found == given
    assert asked("GET", "/server_info", OWN, pages_token=SecretStr("open-sesame")) is None, "a health check has no token"


def test_dagsters_own_commands_start_behind_the_guard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Dagster's private names that `pages` stands on: `uvicorn.run` of its webserver, `open_ipc_subprocess` of its `dev`."""
    import dagster._cli.dev
    import dagster_webserver.cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setattr(dagster_webserver.cli, "uvicorn", dagster_webserver.cli.uvicorn)  # put back afterwards, as is the next
    monkeypatch.setattr(dagster._cli.dev, "open_ipc_subprocess", dagster._cli.dev.open_ipc_subprocess)
    said: list[dict[str, Any]] = []

    async def request(app: Any, path: str, method: str, query: bytes, *headers: tuple[bytes, bytes]) -> None:
        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b'{"query": "{version}"}', "more_body": False}

        scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": [(b"host", b"127.0.0.1:1"), *headers]}
        await app(scope | {"root_path": "", "http_version": "1.1", "scheme": "http"}, receive, send)

    async def ask(app: Any) -> None:
        await request(app, "/graphql", "GET", b"query=%7Bversion%7D")
        await request(app, "/graphql", "POST", b"", (b"content-type", b"application/json"))

    monkeypatch.setattr("uvicorn.run", lambda app, **_: asyncio.run(ask(app)))
    monkeypatch.setattr("sys.argv", ["pages", "--empty-workspace", "-h", "127.0.0.1", "-p", "1"])
    with pytest.raises(SystemExit, match="0"):
        pages.main()
    answers = [m for m in said if m["type"] == "http.response.start"]
    assert [m["status"] for m in answers] == [405, 200]
    assert (b"x-frame-options", b"DENY") in answers[1]["headers"] and b'"version"' in said[-1].get("body", b"") + said[-2].get("body", b"")
    monkeypatch.setattr("sys.argv", ["pages", "--empty-workspace", "-h", "0.0.0.0", "-p", "1"])
    with pytest.raises(SystemExit, match="AI_USAGE_PAGES_TOKEN"):
        pages.main()

    def started(words: list[str], **_: object) -> None:
        assert words[1:3] == ["-m", "ai_usage.runs.pages"]
        sys.exit("the webserver would start")

    monkeypatch.setattr("dagster_shared.ipc.open_ipc_subprocess", started)
    monkeypatch.setattr("sys.argv", ["pages", "dev", "--empty-workspace", "--use-legacy-code-server-behavior", "--host", "127.0.0.1"])
    with pytest.raises(SystemExit, match="would start"):
        pages.main()


def test_no_launch_names_an_environment_variable_or_another_address() -> None:
    """Every field of every job's run configuration, of both warehouses: none of Dagster's types that read `{"env": "NAME"}`, and no address."""

    def fields(kind: Any, path: str) -> dict[str, Any]:
        inner = {n: f.config_type for n, f in getattr(kind, "fields", {}).items()}
        inner |= {n: getattr(kind, n) for n in ("inner_type", "value_type", "non_scalar_type") if hasattr(kind, n)}
        return {path: kind} | {p: k for n, t in inner.items() for p, k in fields(t, f"{path}/{n}").items()}

    for more in ({}, {"warehouse": "bigquery", "bigquery_project": "p"}):
        built = build_defs(runtime=Runtime(Settings(_env_file=None, **more)))  # type: ignore[call-arg,arg-type]
        for name in ("", *(job.name for job in automation.JOBS)):
            job = built.resolve_job_def(name) if name else built.resolve_implicit_global_asset_job_def()
            found = fields(job.run_config_schema.config_type, name)
            assert [p for p in found if p.endswith("/env")] == []
            assert [p for p in found if p.startswith(f"{name}/resources/") and not p.endswith("/config") and p.count("/") > 2] == []
            assert name != "close_month" or f"{name}/ops/closed_month/config/month" in found


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
