"""Claude, to the cent: what Anthropic reports stands in the facts once, and every key's and person's part is the simulator's own.

The books (`world.truth.anthropic`) multiply tokens by prices per key; the code never sees a price. So equality here proves the attribution.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ai_usage import transform
from ai_usage.loading import Loader
from ai_usage.simulator import Fault, Simulator, World
from ai_usage.sources.anthropic import records
from ai_usage.sources.anthropic.client import AnthropicClient
from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import AuthError, MovingSetError
from ai_usage.sources.google_sheets import records as sheet
from ai_usage.sources.google_sheets.client import SheetsClient
from ai_usage.sources.walk import FailedWalk, walk_all
from ai_usage.warehouse import DuckDBWarehouse
from ai_usage_tests.fixtures.company import LAST, TODAY, empty_warehouse

EXACT = Decimal("1e-9")
DAILY = ((records.USAGE, "usage", 31), (records.COST, "cost", 31), (records.CLAUDE_CODE, "claude_code", 1))
DIRECTORIES = (
    (records.USERS, "users"),
    (records.API_KEYS, "api_keys"),
    (records.WORKSPACES, "workspaces"),
    (records.WORKSPACE_MEMBERS, "workspace_members"),
)
BILLED = "FROM fct_cost_daily WHERE vendor = 'Anthropic' AND cost_type = 'usage'"


@dataclass
class Firm:
    """A world, its vendors and a warehouse of its own."""

    world: World
    sim: Simulator
    client: AnthropicClient
    sheets: SheetsClient
    warehouse: DuckDBWarehouse

    @property
    def window(self) -> Window:
        return Window(self.world.first_day, self.world.last_day)

    def load(self, window: Window | None = None) -> list[str]:
        """Everything of those days; returns the sentences of what failed."""
        with self.warehouse.held():
            return self._load(window)

    def _load(self, window: Window | None) -> list[str]:
        loader = Loader(self.warehouse)
        today = Window(TODAY, TODAY)
        failures = []
        for endpoint, method, days in DAILY:
            report = loader.load(endpoint, walk_all((window or self.window).split(days), getattr(self.client, method), endpoint))
            failures += [str(f.error) for f in report.failures]
            assert report.rejected == 0
        for endpoint, method in DIRECTORIES:
            failures += [str(f.error) for f in loader.load(endpoint, walk_all([today], getattr(self.client, method), endpoint)).failures]
        for endpoint in sheet.ENDPOINTS:
            loader.load(endpoint, [self.sheets.tab(endpoint)])
        return failures

    def compute(self, window: Window | None = None) -> None:
        window = window or self.window
        with self.warehouse.held():
            transform.build(self.warehouse, window.first, window.last, as_of=TODAY)

    def money(self, *columns: str) -> dict[tuple[Any, ...], Decimal]:
        by = ", ".join(columns)
        found = self.warehouse.select(f"SELECT {by}, SUM(cost_usd) AS usd {BILLED} GROUP BY {by}").to_pylist()
        return {tuple(row[c] for c in columns): row["usd"] for row in found}


def equal(found: dict[tuple[Any, ...], Decimal], books: dict[Any, Decimal]) -> bool:
    truth = {key if isinstance(key, tuple) else (key,): usd for key, usd in books.items()}
    assert any(truth.values()), "the books are empty, so nothing would be proved"
    wrong = {
        k: (found.get(k), truth.get(k))
        for k in found.keys() | truth.keys()
        if abs(found.get(k, Decimal(0)) - truth.get(k, Decimal(0))) > EXACT
    }
    assert not wrong, dict(list(wrong.items())[:5])
    return True


DAYS = 33
"""Two pages of the daily reports, which have 31 buckets a page."""


def firm(folder: Path, days: int = DAYS, faults: Any = (), people: int = 12, **world: Any) -> Iterator[Firm]:
    first = LAST - timedelta(days=days - 1)
    made = World(seed=11, people=people, first_day=first, last_day=LAST, events_per_person_day=1.0, anthropic=True, **world)
    (folder / "w.duckdb").write_bytes(empty_warehouse())
    with Simulator(made, anthropic_key="simulator", faults=faults) as sim:
        quick = {"backoff_s": 0.02, "patience_s": 60.0}
        client = AnthropicClient(sim.url, "simulator", folder / "spool", rate_factor=0, **quick)
        yield Firm(
            made, sim, client, SheetsClient(sim.url, sim.sheet_id, None, folder / "spool", **quick), DuckDBWarehouse(folder / "w.duckdb")
        )


@pytest.fixture(scope="module")
def two_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firm]:
    """A rough vendor, which does what a calm one does too; the small worlds below are calm."""
    for found in firm(tmp_path_factory.mktemp("rough"), faults="rough"):
        assert found.load() == []
        found.compute()
        yield found


@pytest.mark.parametrize(
    ("columns", "book"),
    [
        (("cost_date",), "usd_by_day"),
        (("cost_date", "platform"), "usd_by_day_platform"),
        (("cost_date", "workspace_id"), "usd_by_day_workspace"),
        (("cost_date", "api_key_id"), "usd_by_day_key"),
        (("cost_date", "user_email"), "usd_by_day_user"),
    ],
)
def test_every_dollar_stands_once_and_is_whose_it_is(two_pages: Firm, columns: tuple[str, ...], book: str) -> None:
    assert equal(two_pages.money(*columns), getattr(two_pages.world.truth.anthropic, book)())


def test_the_estimate_of_claude_code_is_never_billed(two_pages: Firm) -> None:
    """Adding the two is the classic error: the billed total is the cost report's alone, the estimate has its own column."""
    books = two_pages.world.truth.anthropic
    found = two_pages.warehouse.select(
        "SELECT usage_date, user_email, SUM(sessions) AS sessions, SUM(loc_added) AS lines_added, SUM(loc_removed) AS lines_removed, "
        "SUM(commits) AS commits, SUM(pull_requests) AS pull_requests, SUM(suggestions_accepted) AS tool_accepted, "
        "SUM(suggestions_rejected) AS tool_rejected, SUM(estimated_usd) AS estimated_usd "
        "FROM fct_usage_daily WHERE source = 'anthropic_claude_code' GROUP BY usage_date, user_email"
    ).to_pylist()
    truth = books.claude_code_by_day_user()
    assert len(found) == len(truth) > 0
    for row in found:
        expected = truth[row["usage_date"], row["user_email"]]
        for name in (
            "sessions",
            "lines_added",
            "lines_removed",
            "commits",
            "pull_requests",
            "tool_accepted",
            "tool_rejected",
            "estimated_usd",
        ):
            assert row[name] == expected[name], (row["usage_date"], row["user_email"], name)
    assert sum(row["estimated_usd"] for row in found) > 0
    assert sum(two_pages.money("cost_date").values()) == sum(books.usd_by_day().values())


def test_what_no_usage_explains_is_a_row_that_says_so(two_pages: Firm) -> None:
    """Code execution and session time have no key; they stay whole, unattributed."""
    found = two_pages.warehouse.select(
        f"SELECT DISTINCT attribution, user_email IS NULL AS nobody {BILLED} AND token_type IN ('code_execution', 'session_usage')"
    ).to_pylist()
    assert found == [{"attribution": "unattributed", "nobody": True}]


def test_many_days_ask_the_fewest_requests(tmp_path: Path) -> None:
    """31 buckets a page: 94 days of cost are 4 requests."""
    for found in firm(tmp_path, days=94, people=4):
        report = Loader(found.warehouse).load(records.COST, walk_all(found.window.split(31), found.client.cost, records.COST))
        assert (report.days, report.requests) == (94, 4)


def test_any_order_of_days_gives_the_same_facts(tmp_path: Path) -> None:
    for found in firm(tmp_path, days=4):
        found.load()
        first, second, third, last = found.window.days
        for window in (Window(third, last), Window(first, first), Window(second, third)):
            found.compute(window)
        assert equal(found.money("cost_date", "user_email"), found.world.truth.anthropic.usd_by_day_user())
        assert equal(found.money("cost_date", "api_key_id"), found.world.truth.anthropic.usd_by_day_key())


def test_restated_days_are_followed_and_shown(tmp_path: Path) -> None:
    for found in firm(tmp_path, days=5):
        found.load()
        before = found.world.truth.anthropic.usd_by_day()
        restated = dict(zip(found.window.days[1:], ("up", "down", "empty"), strict=False))
        for day, kind in restated.items():
            found.world.restate_anthropic(day, kind)
        after = found.world.truth.anthropic.usd_by_day()
        up, down, empty = restated
        assert after[up] > before[up] and after[down] < before[down] and before[empty] > after.get(empty, Decimal(0)) == 0
        found.load()
        found.compute()
        assert equal(found.money("cost_date"), after)
        shown = found.warehouse.select(
            "SELECT usage_date, version_no, change_usd FROM vw_restatements WHERE endpoint = 'cost_report' ORDER BY usage_date"
        ).to_pylist()
        assert shown == [{"usage_date": d, "version_no": 2, "change_usd": after.get(d, Decimal(0)) - before[d]} for d in restated]


@pytest.mark.parametrize("kind", ["null_cursor", "repeated_cursor"])
def test_a_broken_chain_is_never_the_end(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More pages are announced and the cursor is missing or the same again: the walk fails, and nothing of it is published."""
    monkeypatch.setattr("ai_usage.sources.anthropic.client.ROWS", 5)  # so that 20 users are several pages
    for found in firm(tmp_path, days=2):
        found.sim.add_fault(Fault(kind, path="users", times=1000))
        [walk] = walk_all([Window(LAST, LAST)], found.client.users, records.USERS)
        assert isinstance(walk, FailedWalk)
        assert isinstance(walk.error, MovingSetError)


def test_a_day_without_its_bucket_is_an_error_and_not_an_empty_day(tmp_path: Path) -> None:
    for found in firm(tmp_path, days=3):
        found.sim.add_fault(Fault("missing_bucket", path="cost_report", times=1000))
        [walk] = walk_all([found.window], found.client.cost, records.COST)
        assert isinstance(walk, FailedWalk)
        assert isinstance(walk.error, MovingSetError)


def test_a_wrong_key_is_one_sentence(tmp_path: Path) -> None:
    for found in firm(tmp_path, days=2):
        client = AnthropicClient(found.sim.url, "wrong", tmp_path / "s", rate_factor=0)
        with pytest.raises(AuthError, match="does not accept ANTHROPIC_ADMIN_API_KEY") as caught:
            client.cost(found.window)
        assert "wrong" not in str(caught.value).replace("wrong key", "")
