"""A canary in every secret setting, before vendors that repeat whatever they are sent: no canary is found anywhere afterwards.

The settings come from the class, so a new one is covered. The vendor answers 401, 403, 500, redirects, resets, HTML and even good answers, each
with the request's headers in its body and its own headers. What is looked through: output, logs at DEBUG, exceptions with their causes, every
file of the data folder as bytes and unpacked: DuckDB and its log, the spool, Dagster's SQLite, reports.
"""

from __future__ import annotations

import base64
import json
import logging
import socket
import struct
import threading
import traceback
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ai_usage.operations import doctor
from ai_usage.runtime import Runtime
from ai_usage.settings import WITH_LINES, Settings, is_key, load_settings, variable
from ai_usage.sources.anthropic import analytics_records
from ai_usage.sources.anthropic.vendor import analytics
from ai_usage.sources.cursor.records import MEMBERS
from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import SourceError
from ai_usage_tests.e2e.test_secrets_hidden import everything_below
from ai_usage_tests.fixtures.company import FIRST, LAST, Prepared, company, plain

KEYS = [name for name in Settings.model_fields if is_key(name)]
CANARIES = {name: f"canary-{number:02d}-7f3a91c4" for number, name in enumerate(KEYS)}
MODES = ("401", "403", "402", "404", "429", "500", "redirect", "reset", "html", "echo")
PERSON = "canary.person@example.com"


def given(name: str) -> str:
    """A value of the shape that the setting wants, with its canary inside."""
    canary = CANARIES[name]
    if name in WITH_LINES:
        account = {
            "type": "service_account",
            "client_email": "a@b.c",
            "token_uri": "http://127.0.0.1:9/t",
            "private_key": canary,
            "project_id": "p",
        }
        return json.dumps(account, indent=1)
    return f"postgresql://reader:{canary}@127.0.0.1:9/serving?schema=s" if name.endswith("_url") else canary


class Parrot:
    """A vendor that repeats what it is sent. `mode` says how; None takes the modes in turn, path by path."""

    def __init__(self) -> None:
        self.mode: str | None = None
        self.heard: set[str] = set()
        self._turn: dict[str, int] = {}
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                said = {k.lower(): v for k, v in self.headers.items()}
                basic = said.get("authorization", "").partition("Basic ")[2]
                said["decoded"] = base64.b64decode(basic).decode() if basic else ""
                owner.heard |= {c for c in CANARIES.values() for v in said.values() if c in v}
                path = self.path.partition("?")[0]
                turn = owner._turn[path] = owner._turn.get(path, len(owner._turn)) + 1
                mode = owner.mode or MODES[turn % len(MODES)]
                if mode == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                    self.close_connection = True
                    return
                repeated = " ".join(said.values())
                if mode == "echo":  # a good answer of Cursor's members, with what it was sent in a field of its own
                    member = {"id": "user_1", "name": "N", "email": PERSON, "role": "member", "isRemoved": False, "debug": repeated}
                    body = json.dumps({"teamMembers": [member], "data": [], "has_more": False}).encode()
                elif mode == "html":
                    body = f"<html><pre>{repeated}</pre></html>".encode()
                else:
                    body = json.dumps({"error": {"message": f"not with {repeated} of {PERSON}"}, "headers": said}).encode()
                self.send_response({"redirect": 302, "echo": 200, "html": 200}.get(mode) or int(mode))
                for name in ("x-request-id", "request-id", "x-echo", "www-authenticate"):
                    self.send_header(name, repeated)
                if mode == "redirect":
                    self.send_header("location", f"http://127.0.0.1:9/?key={said['decoded']}{said.get('x-api-key', '')}")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = do_DELETE = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def parrot() -> Iterator[Parrot]:
    found = Parrot()
    yield found
    found.server.shutdown()
    found.server.server_close()


def settings(parrot: Parrot, data: Path) -> dict[str, str]:
    """The environment of a process that is given every secret."""
    urls = ("cursor_base_url", "anthropic_base_url", "sheets_base_url", "metabase_url")
    return {
        **{variable(name): given(name) for name in KEYS},
        **{variable(name): parrot.url for name in urls},
        "AI_USAGE_DATA_DIR": str(data), "AI_USAGE_START_DATE": FIRST.isoformat(), "AI_USAGE_SHEET_ID": "sheet", "AI_USAGE_HTTP_BACKOFF_S": "0.01",
        "AI_USAGE_HTTP_PATIENCE_S": "0.3", "AI_USAGE_CURSOR_RATE_FACTOR": "0", "AI_USAGE_ANTHROPIC_RATE_FACTOR": "0",
        "AI_USAGE_METABASE_PATIENCE_S": "0.3", "METABASE_USER": "admin@example.com",
    }  # fmt: skip


def forms(canary: str) -> list[bytes]:
    """A canary, and as Basic authentication would write it."""
    return [canary.encode(), *(base64.b64encode(t.encode()).rstrip(b"=") for t in (canary, f"{canary}:", f":{canary}"))]


def assert_unheard(text: str | bytes, where: str) -> None:
    content = text.encode() if isinstance(text, str) else text
    for name, canary in CANARIES.items():
        assert not any(form in content for form in forms(canary)), f"{where} shows {variable(name)}"


def test_there_is_a_canary_in_every_secret(parrot: Parrot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings(parrot, tmp_path).items():
        monkeypatch.setenv(name, value)
    found = load_settings()
    assert len(KEYS) >= 8 and [k.setting for k in found.given_keys()] == [variable(name) for name in KEYS]
    assert all(CANARIES[name] in key.get_secret_value() for name, key in zip(KEYS, found.given_keys(), strict=True))
    assert_unheard(repr(found) + str(found) + repr(found.given_keys()) + found.model_dump_json(), "the settings")


@pytest.mark.parametrize("mode", MODES)
def test_no_client_says_what_a_vendor_repeats(
    mode: str,
    parrot: Parrot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, value in settings(parrot, tmp_path / "data").items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    parrot.mode = mode
    runtime, day = Runtime(), Window(LAST, LAST)
    cursor, anthropic = runtime.client("cursor"), runtime.client("anthropic")
    asked = (
        cursor.events, cursor.daily_usage, cursor.members, cursor.spend, anthropic.usage, anthropic.cost, anthropic.users, anthropic.api_keys,
        runtime.client("anthropic", analytics).report(analytics_records.COST),
        runtime.client("claude_enterprise").people,
    )  # fmt: skip
    said = []
    for ask in asked:
        try:
            ask(day)
        except SourceError as error:
            said.append("".join(traceback.format_exception(error)) + repr(vars(error)) + str(error.__cause__) + str(error.__context__))
    assert len(said) == len(asked) or (mode == "echo" and said)
    said += [repr(vars(client)) for client in (cursor.http.stats, anthropic.http.stats)]
    said += [repr(finding) for finding in doctor.examine(runtime)]
    if mode == "echo":  # what came was good: it is stored, and its evidence kept
        today = Window(runtime.today, runtime.today)
        report = runtime.loader("run").load(MEMBERS, [cursor.members(today)])
        assert report.rows_written == 1 and report.unknown_fields == {"debug"}
        [extra] = runtime.warehouse.select("SELECT extra FROM raw_cursor_members")["extra"].to_pylist()
        assert "***" in extra
    runtime.close()
    seen = capfd.readouterr()
    for text in (*said, caplog.text, repr([vars(r) for r in caplog.records]), seen.out + seen.err):
        assert_unheard(text, f"what is said at {mode}")
    assert PERSON not in caplog.text, "logs name no person"
    for path, content in everything_below(tmp_path):
        assert_unheard(content, str(path))
    if mode != "reset":
        assert {
            CANARIES["cursor_admin_api_key"],
            CANARIES["anthropic_admin_api_key"],
            CANARIES["anthropic_analytics_api_key"],
        } <= parrot.heard


@pytest.mark.slow
def test_a_run_and_every_command_before_such_vendors(parrot: Parrot, prepared: Prepared, tmp_path: Path) -> None:
    """The commands: a run whose assets fail in every way, what Dagster stored of it, and the commands that use the other keys."""
    with company(tmp_path, data=prepared.data) as firm:
        firm.settings = settings(parrot, firm.data)
        spoken = [firm.run(LAST - timedelta(days=1), LAST)]
        assert spoken[0].returncode == 1 and "failed" in plain(spoken[0].stderr)
        spoken += [firm.cli(*args) for args in (("doctor",), ("metabase", "plan"), ("metabase", "publish"), ("query", "SELECT nothing"))]
        assert all(done.returncode for done in spoken)
        for done in spoken:
            assert_unheard(done.stdout + done.stderr, " ".join(done.args))
            assert "Traceback" not in done.stderr
        vendors = ("cursor_admin_api_key", "anthropic_admin_api_key", "anthropic_analytics_api_key")
        assert {CANARIES[name] for name in vendors} <= parrot.heard
        seen = [path for path, content in everything_below(firm.folder) if assert_unheard(content, str(path)) is None]
        assert any(p.suffix == ".db" and "dagster" in p.parts for p in seen) and any(p.suffix == ".duckdb" for p in seen)
        assert any(".zst" in p.name for p in seen)
