"""`ai-usage close` and the job behind it, on a real warehouse and a real Dagster instance: what it says, and what it leaves.

Belongs here: the command and the asset. What closing means is proved in unit/test_closing.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from ai_usage.runs.execution import instance
from ai_usage.settings import Settings
from ai_usage_tests.fixtures.command import in_process
from ai_usage_tests.fixtures.company import plain
from ai_usage_tests.fixtures.desk import Desk, curated

D, N = date, Decimal
# Cursor's days settle 33 days after, while no spend snapshot is held: this September is settled whenever the test runs.
FIRST, LAST = D(2026, 9, 1), D(2026, 9, 30)


@pytest.fixture(scope="module")
def september(new_desk) -> Path:
    """A warehouse whose September cost 30 USD; nothing happened on the other days."""
    desk = new_desk()
    for n in range(30):
        day, usd = FIRST + timedelta(days=n), (N(30),) if n == 4 else ()
        rows = [{"user_email": "ana@example.com", "charged_usd": amount} for amount in usd]
        desk.events(day, *rows, vendor_total_usd=sum(usd, N(0)), content_sha256=f"h{n}")
    curated(desk, FIRST, LAST, D(2026, 11, 20))
    return desk.path


class Firm:
    """A copy of that warehouse, and the command before it."""

    def __init__(self, desk: Desk, september: Path) -> None:
        self.desk, self.folder = desk, desk.folder
        shutil.copyfile(september, desk.path)

    def say(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        place = {
            "AI_USAGE_DATA_DIR": str(self.folder), "AI_USAGE_DUCKDB_PATH": str(self.desk.path), "AI_USAGE_START_DATE": str(FIRST),
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "COLUMNS": "200",
        }  # fmt: skip
        return in_process(arguments, place, self.folder)

    def ledger(self) -> list[tuple]:
        return [tuple(r.values()) for r in self.desk.ask("SELECT action, author, reason, cost_usd FROM month_closings ORDER BY decided_at")]


@pytest.fixture
def firm(new_desk, september: Path) -> Firm:
    return Firm(new_desk(), september)


def test_a_month_is_kept_open_then_closed_proved_reopened_and_closed_again(firm: Firm) -> None:
    """A raw table's blocking check that failed last keeps it open, though it is no part of the job that closes, until it ran well again."""
    settings = Settings(_env_file=None, data_dir=firm.folder, duckdb_path=firm.desk.path, start_date=FIRST)

    def found(passed: bool) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DAGSTER_HOME", str(firm.folder / "dagster"))
            with instance(settings) as dagster:
                dagster.report_runless_asset_event(
                    dg.AssetCheckEvaluation(
                        dg.AssetKey("raw_cursor_events"), "conservation", passed, {}, severity=dg.AssetCheckSeverity.ERROR
                    )
                )

    found(passed=False)
    done = firm.say("close", "2026-09", "--author", "Controlling")
    assert done.returncode == 1 and firm.ledger() == []
    assert "these blocking checks failed when they ran last: raw_cursor_events/conservation" in plain(done.stderr)
    found(passed=True)
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
    with duckdb.connect(str(firm.desk.path)) as con:
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


def test_a_missing_day_keeps_a_month_open_and_is_named(firm: Firm) -> None:
    with duckdb.connect(str(firm.desk.path)) as con:
        con.execute("DELETE FROM raw_fetches WHERE usage_date = DATE '2026-09-12'")
    done = firm.say("close", "2026-09", "--author", "Controlling")
    assert done.returncode == 1
    assert "cursor: 1 days are not held, the first is 2026-09-12; run ai-usage run --from 2026-09-12 --to 2026-09-12." in plain(done.stderr)
    assert firm.ledger() == []
