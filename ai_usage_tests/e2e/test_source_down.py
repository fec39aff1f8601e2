"""Each source down in turn, by the command: the others' figures of the day are in facts, marts, page and alerts, the missing one is named; and when all
are back, the tables are those of a company in which nothing happened.

One company goes through all of it: what a source told of yesterday is taken out, and then it is down. So four sources cost six runs of 12 s of CPU and not
ten. `make prove` does it four times, so that every fault strikes every source.

Belongs here: sources that do not hold each other back. Does not belong here: what one fault does to its own endpoint (`faults/`), when the daemon asks
(`unit/test_automation.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ai_usage.dashboards.encode import unpack
from ai_usage.simulator import Fault, Simulator, World
from ai_usage.sources.http import HttpClient
from ai_usage.tables import RAW
from ai_usage_tests.fixtures.company import DAYS, KEY, LAST, Company, assert_same, new_world, plain, rows, snapshot
from ai_usage_tests.proving import some

BEFORE = DAYS[-2]
NAMES = {"cursor": "Cursor", "anthropic": "Claude", "google_sheets": "Google Sheet", "uploads": "dropped files"}
PATHS = {"cursor": "/teams", "anthropic": "/v1/organizations", "google_sheets": "/v4"}
FAULTS = {"401": "401", "403": "403", "timeout": "slow", "garbage": "html"}
SPENT = "email,total_net_spend_usd\nana.example@example.com,1.25\n"
TELLING = ("vw_sources", "alert_log", "html_report")  # what says which source is missing
# The fact's cost of a day by the source that tells it.
TOLD = """
  SELECT
    CASE
      WHEN cost_type = 'subscription' THEN 'google_sheets' WHEN cost_type = 'overage' THEN 'uploads' WHEN platform = 'cursor' THEN 'cursor'
      ELSE 'anthropic'
    END AS source, SUM(cost_usd) AS usd
  FROM {table} WHERE cost_date = ? GROUP BY 1 HAVING SUM(cost_usd) != 0
"""


@contextmanager
def opened(world: World, folder: Path) -> Iterator[Company]:
    with Simulator(world, cursor_key=KEY, anthropic_key=KEY) as sim:
        firm = Company(sim, folder)
        firm.settings |= {
            "AI_USAGE_START_DATE": str(BEFORE), "AI_USAGE_ANTHROPIC_BASE_URL": sim.url, "ANTHROPIC_ADMIN_API_KEY": KEY,
            "AI_USAGE_ANTHROPIC_RATE_FACTOR": "0", "AI_USAGE_HTTP_PATIENCE_S": "1",
        }  # fmt: skip
        yield firm


def drop(firm: Company, content: str = SPENT) -> None:
    """What somebody downloads from claude.ai for yesterday."""
    folder = firm.data / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"claude_ai_spend.{LAST}_{LAST}.csv").write_text(content, encoding="utf-8")


def never_told(firm: Company, source: str) -> None:
    """As if nobody had read yesterday from that source."""
    where = "SELECT fetch_id FROM raw_fetches WHERE source = ? AND usage_date = ?"
    with duckdb.connect(str(firm.db)) as con:
        for table in (t.name for t in RAW if t.name != "raw_fetches"):
            con.execute(f"DELETE FROM {table} WHERE fetch_id IN ({where})", [source, LAST])
        con.execute("DELETE FROM raw_fetches WHERE source = ? AND usage_date = ?", [source, LAST])


def all_tables(firm: Company) -> dict[str, list[str]]:
    """But for the record of tries and of checks, in which a source that was down differs: the alerts that tell of it are a check more."""
    return snapshot(firm.db, without=("vw_data_health",))


@pytest.fixture(scope="module")
def world() -> World:
    return new_world(first_day=BEFORE, anthropic=True)


@pytest.fixture(scope="module")
def undisturbed(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The tables of a company whose every source was read at once."""
    with opened(world, tmp_path_factory.mktemp("undisturbed")) as firm:
        drop(firm)
        done = firm.run_to_facts(BEFORE)
        assert done.returncode == 0, plain(done.stderr)
        return all_tables(firm)


def header(firm: Company) -> dict[str, Any]:
    """What the page says about itself."""
    found = re.search(r'id="page">([^<]*)<', (firm.data / "report.html").read_text(encoding="utf-8"))
    assert found
    return dict(unpack(found[1])["meta"])


def books(world: World) -> dict[str, Decimal]:
    """What yesterday cost, by the source that tells it; a source of which nothing did is left out."""
    truth = world.truth
    found = {
        "cursor": truth.billed_usd_by_day(LAST, LAST)[LAST],
        "anthropic": truth.anthropic.usd_by_day(LAST, LAST)[LAST],
        "google_sheets": sum((usd for (day, _), usd in truth.subscription_usd_by_day().items() if day == LAST), Decimal(0)),
        "uploads": Decimal("1.25"),
    }
    return {name: usd for name, usd in found.items() if usd}


# The sheet is read whole, so it is down first, when nothing of it is held.
ORDER = ("google_sheets", "cursor", "anthropic")
KINDS = tuple(FAULTS)
TURNS = some(
    [("timeout", "401", "403")],
    [tuple(KINDS[(n + turn) % len(KINDS)] for n in range(len(ORDER))) for turn in range(len(KINDS))],
)


@pytest.mark.parametrize("kinds", TURNS, ids="-".join)
def test_a_source_that_is_down_holds_no_other_back(
    kinds: tuple[str, ...], world: World, undisturbed: dict[str, list[str]], tmp_path: Path
) -> None:
    truth = books(world)
    with opened(world, tmp_path) as firm:
        drop(firm)
        for source, kind in zip((*ORDER, "uploads"), (*kinds, "garbage"), strict=True):
            if source == "uploads":
                never_told(firm, "claude_ai")
                drop(firm, "when,who\n1,2\n")
            else:
                if source != ORDER[0]:
                    never_told(firm, source)
                firm.sim.add_fault(Fault(FAULTS[kind], PATHS[source], times=None, **({"seconds": 1.5} if kind == "timeout" else {})))
            with pytest.MonkeyPatch.context() as patch:
                if kind == "timeout":
                    patch.setitem(HttpClient.__init__.__kwdefaults__, "timeout_s", (5.0, 0.4))
                done = firm.run_to_facts(BEFORE if source == ORDER[0] else LAST, and_=TELLING)
            firm.sim.clear_faults()
            said = plain(done.stderr)
            missing = {name: usd for name, usd in truth.items() if name != source}
            for table in ("fct_cost_daily", "vw_cost_allocation"):
                assert dict(rows(firm.db, TOLD.format(table=table), [LAST])) == missing, said
            meta = header(firm)
            told = {key for (key,) in rows(firm.db, "SELECT cause_key FROM vw_alerts WHERE alert = 'run_failed' AND state = 'open'")}
            if source == "uploads":  # a file that nobody can read takes nothing from what is held: a warning
                assert done.returncode == 0 and "files_readable" in said and meta["states"] == []
                assert not told & {*NAMES}
            else:
                assert done.returncode == 1 and f"not read {NAMES[source]}: raw_" in said
                never = source == "google_sheets"
                line = f"{NAMES[source]}: {'never read' if never else f'not read since {BEFORE.day} {BEFORE:%b}'} (failed)"
                assert meta["states"] == [{"source": source, "state": "failed", "said": line, "is_owed": True}]
                words = dict(rows(firm.db, "SELECT DISTINCT source, source_said FROM vw_sources"))
                assert words == {s: line if s == source else f"{n}: read" for s, n in NAMES.items() if s != "uploads"}, (
                    "Metabase's card reads these"
                )
                assert told & {*NAMES} == {source}, "and the source that was down before is back"
                endpoints = dict(
                    rows(firm.db, "SELECT endpoint, days_failed FROM vw_data_health WHERE source = ? AND days_failed > 0", [source])
                )
                assert endpoints, "the state of a day that failed"
        drop(firm)
        done = firm.run_to_facts(BEFORE, and_=TELLING)
        assert done.returncode == 0, plain(done.stderr)
        assert dict(rows(firm.db, TOLD.format(table="fct_cost_daily"), [LAST])) == truth
        assert_same(all_tables(firm), undisturbed, "-".join(kinds))
        assert header(firm)["states"] == []
