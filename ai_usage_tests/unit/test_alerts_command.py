"""`ai-usage alerts`: looks without touching, sends when told to, and tries an address."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner, Result

from ai_usage.cli.app import app
from ai_usage.errors import SettingsError
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.fixtures.mail import Webhook


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as found:
        yield found


@pytest.fixture
def use(desk: Desk, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A warehouse in which Cursor failed yesterday, and an address for those who keep the platform running."""
    monkeypatch.chdir(desk.folder)
    for name in ("ANTHROPIC_ADMIN_API_KEY", "ANTHROPIC_ANALYTICS_API_KEY", "AI_USAGE_SHEET_ID", "AI_USAGE_ALERTS_FILE", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AI_USAGE_DATA_DIR", str(desk.folder))
    monkeypatch.setenv("AI_USAGE_DUCKDB_PATH", str(desk.path))
    monkeypatch.setenv("CURSOR_ADMIN_API_KEY", "unused")
    monkeypatch.setenv("AI_USAGE_ALERT_URLS", f"platform: '{webhook.url('hook-token')}'")
    now = datetime.now(UTC)
    desk.fetch("cursor", "events", (now - timedelta(days=1)).date(), at=now, state="failed", error="the key was refused (401).")
    return desk


def ask(*arguments: str) -> Result:
    result = CliRunner().invoke(app, ["alerts", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "hook-token" not in result.output
    return result


def test_it_looks_and_touches_nothing_until_it_is_told_to_send(use: Desk, webhook: Webhook) -> None:
    looked = ask()
    assert looked.exit_code == 0 and "ingestion_failed: Cursor events could not be read for 1 day." in looked.output
    assert webhook.got == [] and use.one("SELECT COUNT(*) AS n FROM alert_log") == 0
    sent = ask("--send")
    assert sent.exit_code == 0 and len(webhook.got) == 1 and "the key was refused (401)." in webhook.got[0]["message"]
    assert use.one("SELECT COUNT(*) AS n FROM alert_log WHERE event = 'sent'") == 1
    ask("--send")
    assert len(webhook.got) == 1


def test_an_address_that_does_not_accept_is_an_exit_code(use: Desk, webhook: Webhook) -> None:
    webhook.mood = 500
    assert ask("--test", "platform").exit_code == 1 and ask("--send").exit_code == 1
    webhook.mood = "ok"
    assert ask("--test", "platform").exit_code == 0
    assert "test" in webhook.got[0]["title"] and use.one("SELECT COUNT(*) AS n FROM alert_log WHERE event = 'sent'") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--test", "nobody"], "use one of finance, platform"), (["--test", "finance"], "the audience finance has no address"),
        (["--test", "platform", "--send"], "give one of them"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(use: Desk, arguments: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        ask(*arguments)
