"""`ai-usage close` and the job behind it, on a real warehouse and a real Dagster instance: what it says, and what it leaves.

Belongs here: the command and the asset. What closing means is proved in unit/test_closing.py.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from ai_usage.execution import instance
from ai_usage.settings import Settings
from ai_usage_tests.fixtures.company import COMMAND, plain
from ai_usage_tests.fixtures.desk import Desk, curated

D, N = date, Decimal
# Cursor's days settle 33 days after, while no spend snapshot is held: this September is settled whenever the test runs.
FIRST, LAST = D(2026, 9, 1), D(2026, 9, 30)


class Firm:
    """Its September cost 30 USD, and nothing happened on the other days."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.folder = desk, desk.folder
        for n in range(30):
            day, usd = FIRST + timedelta(days=n), (N(30),) if n == 4 else ()
            rows = [{"user_email": "ana@example.com", "charged_usd": amount} for amount in usd]
            desk.events(day, *rows, vendor_total_usd=sum(usd, N(0)), content_sha256=f"h{n}")
        curated(desk, FIRST, LAST, D(2026, 11, 20))

    def say(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        place = {
            "AI_USAGE_DATA_DIR": str(self.folder), "AI_USAGE_DUCKDB_PATH": str(self.desk.warehouse.path), "AI_USAGE_START_DATE": str(FIRST),
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "COLUMNS": "200",
        }  # fmt: skip
        return subprocess.run(
            [str(COMMAND), *arguments], capture_output=True, text=True, cwd=self.folder, env=place, check=False, timeout=300
        )

    def ledger(self) -> list[tuple]:
        return [tuple(r.values()) for r in self.desk.ask("SELECT action, author, reason, cost_usd FROM month_closings ORDER BY decided_at")]


@pytest.fixture(scope="module")
def firm(new_desk) -> Iterator[Firm]:
    yield Firm(new_desk())


def test_a_month_is_closed_proved_reopened_and_closed_again(firm: Firm) -> None:
    done = firm.say("close", "2026-09", "--author", "Controlling")
    assert done.returncode == 0, done.stderr
    assert "2026-09 is closed: 30.000000000 USD in 1 rows, SHA-256 " in plain(done.stdout)
    assert firm.say("close", "2026-09", "--verify").stdout == "2026-09 holds the rows that were closed.\n"
    again = firm.say("close", "2026-09")
    assert again.returncode == 1 and "reopen it first with --reopen" in plain(again.stderr)
    assert "only for a reason; give it with --reason" in plain(firm.say("close", "2026-09", "--reopen").stderr)
    assert firm.say("close", "2026-09", "--reopen", "--reason", "wrong rate", "--author", "Controlling").returncode == 0
    assert "2026-09 is not closed, so nothing is frozen" in plain(firm.say("close", "2026-09", "--verify").stderr)
    assert firm.say("close", "2026-09", "--author", "Controlling").returncode == 0
    assert firm.ledger() == [
        ("close", "Controlling", None, N(30)), ("reopen", "Controlling", "wrong rate", N(30)), ("close", "Controlling", None, N(30)),
    ]  # fmt: skip
    with duckdb.connect(str(firm.desk.warehouse.path)) as con:
        con.execute("UPDATE closed_cost SET cost_usd = cost_usd + 1")
    broken = firm.say("close", "2026-09", "--verify")
    assert broken.returncode == 1 and "2026-09 was closed with 1 rows and 30.000000000 USD and holds 1 rows and 31" in plain(broken.stderr)


@pytest.mark.parametrize(
    ("month", "said"),
    [
        ("2026-9", "is no month; write year and month, like 2026-10"),
        ("2099-01", "2099-01 has not ended in UTC; close it after 2099-01-31"),
    ],
)
def test_what_cannot_be_closed_is_one_sentence(firm: Firm, month: str, said: str) -> None:
    done = firm.say("close", month)
    assert done.returncode == 1 and said in plain(done.stderr) and "Traceback" not in done.stderr


def test_a_blocking_check_that_failed_last_on_any_table_keeps_a_month_open(new_desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A raw table's check is no part of the job that closes; it counts all the same, until it ran well again."""
    firm = Firm(new_desk())
    monkeypatch.setenv("DAGSTER_HOME", str(firm.folder / "dagster"))
    settings = Settings(_env_file=None, data_dir=firm.folder, duckdb_path=firm.desk.warehouse.path, start_date=FIRST)

    def found(passed: bool, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR) -> None:
        with instance(settings) as dagster:
            dagster.report_runless_asset_event(
                dg.AssetCheckEvaluation(dg.AssetKey("raw_cursor_events"), "conservation", passed, {}, severity=severity)
            )

    found(passed=False)
    done = firm.say("close", "2026-09", "--author", "Controlling")
    assert done.returncode == 1 and firm.ledger() == []
    assert "these blocking checks failed when they ran last: raw_cursor_events/conservation" in plain(done.stderr)
    found(passed=True)
    assert firm.say("close", "2026-09", "--author", "Controlling").returncode == 0


def test_a_missing_day_keeps_a_month_open_and_is_named(new_desk, tmp_path: Path) -> None:
    firm = Firm(new_desk())
    with duckdb.connect(str(firm.desk.warehouse.path)) as con:
        con.execute("DELETE FROM raw_fetches WHERE usage_date = DATE '2026-09-12'")
    done = firm.say("close", "2026-09", "--author", "Controlling")
    assert done.returncode == 1
    assert "cursor: 1 days are not held, the first is 2026-09-12; run ai-usage run --from 2026-09-12 --to 2026-09-30." in plain(done.stderr)
    assert firm.ledger() == []
