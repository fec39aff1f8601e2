"""Each source down in turn, by the command: the others' figures of the day are in facts, marts, page and alerts, the missing one is named; and when it is
back, the tables are those of a company in which nothing happened.

Belongs here: sources that do not hold each other back. Does not belong here: what one fault does to its own endpoint (`faults/`), when the daemon asks
(`unit/test_automation.py`).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ai_usage.dashboards.encode import unpack
from ai_usage.simulator import Fault, Simulator, World
from ai_usage.sources.http import HttpClient
from ai_usage_tests.fixtures.company import DAYS, KEY, LAST, Company, assert_same, new_world, plain, rows, snapshot
from ai_usage_tests.proving import some

FIRST, BEFORE = DAYS[-3], DAYS[-2]
NAMES = {"cursor": "Cursor", "anthropic": "Claude", "google_sheets": "Google Sheet", "uploads": "dropped files"}
PATHS = {"cursor": "/teams", "anthropic": "/v1/organizations", "google_sheets": "/v4"}
FAULTS = {"401": "401", "403": "403", "timeout": "slow", "garbage": "html"}
SPENT = "email,total_net_spend_usd\nana.example@example.com,1.25\n"
# The fact's cost of a day by the source that tells it.
TOLD = """
  SELECT
    CASE
      WHEN cost_type = 'subscription' THEN 'google_sheets' WHEN cost_type = 'overage' THEN 'uploads' WHEN platform = 'cursor' THEN 'cursor'
      ELSE 'anthropic'
    END AS source, SUM(cost_usd) AS usd
  FROM {table} WHERE cost_date = ? GROUP BY 1 HAVING SUM(cost_usd) != 0
"""


@dataclass(frozen=True)
class Start:
    """A company whose vendors were read up to the day before yesterday; nobody has read its sheet and its file."""

    world: World
    data: Path
    undisturbed: dict[str, list[str]]


@contextmanager
def opened(world: World, folder: Path, data: Path | None = None) -> Iterator[Company]:
    with Simulator(world, cursor_key=KEY, anthropic_key=KEY) as sim:
        firm = Company(sim, folder)
        firm.settings |= {
            "AI_USAGE_START_DATE": str(FIRST), "AI_USAGE_ANTHROPIC_BASE_URL": sim.url, "ANTHROPIC_ADMIN_API_KEY": KEY,
            "AI_USAGE_ANTHROPIC_RATE_FACTOR": "0", "AI_USAGE_HTTP_PATIENCE_S": "1",
        }  # fmt: skip
        if data:
            shutil.copytree(data, firm.data)
        yield firm


def drop(firm: Company, content: str) -> None:
    """What somebody downloads from claude.ai for yesterday."""
    folder = firm.data / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"claude_ai_spend.{LAST}_{LAST}.csv").write_text(content, encoding="utf-8")


def all_tables(firm: Company) -> dict[str, list[str]]:
    """But for the record of tries, in which a source that was down differs."""
    return snapshot(firm.db, without=("vw_data_health",))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    world = new_world(first_day=FIRST, anthropic=True)
    folder = tmp_path_factory.mktemp("start")
    with opened(world, folder / "base") as firm:
        done = firm.run(FIRST, BEFORE, AI_USAGE_SHEET_ID=None)
        assert done.returncode == 0, plain(done.stderr)
        kept = shutil.copytree(firm.data, folder / "kept")
        drop(firm, SPENT)
        done = firm.run(FIRST)
        assert done.returncode == 0, plain(done.stderr)
        return Start(world, kept, all_tables(firm))


def header(firm: Company) -> dict[str, Any]:
    """What the page says about itself."""
    found = re.search(r'id="page">([^<]*)<', (firm.data / "report.html").read_text(encoding="utf-8"))
    assert found
    return dict(unpack(found[1])["meta"])


def books(world: World) -> dict[str, Decimal]:
    truth = world.truth
    return {
        "cursor": truth.billed_usd_by_day(LAST, LAST)[LAST],
        "anthropic": truth.anthropic.usd_by_day(LAST, LAST)[LAST],
        "google_sheets": sum((usd for (day, _), usd in truth.subscription_usd_by_day().items() if day == LAST), Decimal(0)),
        "uploads": Decimal("1.25"),
    }


CASES = some(
    [("cursor", "401"), ("anthropic", "403"), ("google_sheets", "timeout"), ("uploads", "garbage")],
    [*((source, kind) for source in PATHS for kind in FAULTS), ("uploads", "garbage")],
)


@pytest.mark.parametrize(("source", "kind"), CASES)
def test_a_source_that_is_down_holds_no_other_back(
    source: str, kind: str, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(HttpClient.__init__.__kwdefaults__, "timeout_s", (5.0, 0.4))
    truth = {name: usd for name, usd in books(start.world).items() if usd}
    with opened(start.world, tmp_path, start.data) as firm:
        drop(firm, "when,who\n1,2\n" if source == "uploads" else SPENT)
        if source in PATHS:
            firm.sim.add_fault(Fault(FAULTS[kind], PATHS[source], times=None, **({"seconds": 1.5} if kind == "timeout" else {})))
        done = firm.run(FIRST)
        said = plain(done.stderr)
        missing = {name: usd for name, usd in truth.items() if name != source}
        for table in ("fct_cost_daily", "vw_cost_allocation"):
            assert dict(rows(firm.db, TOLD.format(table=table), [LAST])) == missing, said
        meta = header(firm)
        told = {(alert, key) for alert, key in rows(firm.db, "SELECT alert, cause_key FROM alert_log")}
        if source == "uploads":  # a file that nobody can read takes nothing from what is held: a warning
            assert done.returncode == 0 and "files_readable" in said and meta["not_read"] == []
        else:
            assert done.returncode == 1 and f"not read {NAMES[source]}: raw_" in said
            assert meta["not_read"] == [{"name": NAMES[source], "last_day": None if source == "google_sheets" else str(BEFORE)}]
            assert ("run_failed", source) in told
            assert not {("run_failed", name) for name in truth if name != source} & told
            endpoints = dict(
                rows(firm.db, "SELECT endpoint, days_failed FROM vw_data_health WHERE source = ? AND days_failed > 0", [source])
            )
            assert endpoints, "the state of a day that failed"
        firm.sim.clear_faults()
        if source == "uploads":
            drop(firm, SPENT)
        done = firm.run(FIRST)
        assert done.returncode == 0, plain(done.stderr)
        assert dict(rows(firm.db, TOLD.format(table="fct_cost_daily"), [LAST])) == truth
        assert_same(all_tables(firm), start.undisturbed, f"{source} {kind}")
        assert header(firm)["not_read"] == []
