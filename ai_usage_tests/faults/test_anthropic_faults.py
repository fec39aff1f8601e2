"""Every fault that the simulator offers, on every kind of Anthropic's page chains: what heals leaves the calm run's tables, what does not leaves the
old ones. `make prove` takes every endpoint for every fault.

That a fault struck is read from the simulator's own log. Belongs here: faults on Claude's pages. Does not belong here: recorded answers
(contract/test_anthropic_contract.py), attribution (unit/test_sql_anthropic.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ai_usage.loading import Loader, LoadReport
from ai_usage.simulator import Fault, Simulator, World
from ai_usage.sources.anthropic import records
from ai_usage.sources.anthropic.client import AnthropicClient
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import AuthError, ContractError, TransientError
from ai_usage.sources.walk import walk_all
from ai_usage.warehouse import DuckDBWarehouse
from ai_usage_tests.fixtures.company import VOLATILE, opened
from ai_usage_tests.proving import once

KEY = "admin-key-that-must-never-be-shown"
FIRST = date(2026, 11, 9)  # a Monday
DAYS = Window(FIRST, FIRST + timedelta(days=3))
TODAY = Window(date(2026, 11, 20), date(2026, 11, 20))


@dataclass(frozen=True)
class Read:
    """How an endpoint is read here: pages are small, so that each has several."""

    endpoint: Endpoint
    method: str
    path: str
    window: Window
    days: int = 1
    is_report: bool = False


READS = {
    "usage": Read(records.USAGE, "usage", "usage_report/messages", DAYS, 4, True),
    "cost": Read(records.COST, "cost", "cost_report", DAYS, 4, True),
    "claude_code": Read(records.CLAUDE_CODE, "claude_code", "usage_report/claude_code", DAYS),
    "users": Read(records.USERS, "users", "organizations/users", TODAY),
    "api_keys": Read(records.API_KEYS, "api_keys", "organizations/api_keys", TODAY),
    "workspaces": Read(records.WORKSPACES, "workspaces", "organizations/workspaces", TODAY),
    "workspace_members": Read(records.WORKSPACE_MEMBERS, "workspace_members", "/members", TODAY),
}
CHAINS = {
    "buckets by page": ["usage", "cost"],
    "rows by page": ["claude_code"],
    "rows by last id": ["users", "api_keys", "workspaces", "workspace_members"],
}
REPORTS = [name for name, read in READS.items() if read.is_report]
PAGED = ("null_cursor", "repeated_cursor", "repeated_page", "expired_cursor")

HEALS: dict[str, dict[str, Any]] = {
    "429 with seconds": {"kind": "429", "retry_after": 0},
    "429 with a date": {"kind": "429", "retry_after": "date"},
    "429 without a hint": {"kind": "429"},
    **{kind: {"kind": kind} for kind in ("500", "503", "504", "529", "truncated", "reset", "reset_mid", "html", *PAGED)},
    "slow": {"kind": "slow", "seconds": 0.1},
    "missing bucket": {"kind": "missing_bucket"},
    "three in a row": {"kind": "500", "times": 3},
}
STAYS = {
    **dict.fromkeys(("429", "500", "503", "504", "529", "truncated", "reset", "reset_mid", "html", *PAGED), TransientError),
    "missing_bucket": TransientError,
    "401": AuthError,
    "403": AuthError,
    "missing_field": ContractError,
}


def world() -> World:
    return World(seed=5, people=9, first_day=DAYS.first, last_day=DAYS.last, events_per_person_day=1.0, anthropic=True)


def applies(kind: str, name: str) -> bool:
    return name in REPORTS if kind.replace(" ", "_") == "missing_bucket" else True


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two days or three rows a page: chains of two pages at least, everywhere."""
    monkeypatch.setattr("ai_usage.sources.anthropic.client.BUCKETS", 2)
    monkeypatch.setattr("ai_usage.sources.anthropic.client.ROWS", 3)


@dataclass
class Claude:
    """The vendor and a warehouse."""

    sim: Simulator
    client: AnthropicClient
    warehouse: DuckDBWarehouse

    def load(self, name: str) -> LoadReport:
        read = READS[name]
        walks = walk_all(read.window.split(read.days), getattr(self.client, read.method), read.endpoint, 2)
        return Loader(self.warehouse, "test").load(read.endpoint, walks)

    def struck(self) -> list[str]:
        return [r.fault for r in self.sim.log if r.fault]

    def held(self, name: str) -> list[str]:
        """What anybody downstream sees of an endpoint: the rows of current versions without clocks and ids, and each day's state and sum."""
        read = READS[name]
        mine = f"source = 'anthropic' AND endpoint = '{read.endpoint.name}'"
        with self.warehouse._open(read_only=True) as con:
            columns = ", ".join(c for c in read.endpoint.table.column_names if c not in VOLATILE)
            rows = con.execute(
                f"SELECT {columns} FROM {read.endpoint.table.name} "
                f"WHERE fetch_id IN (SELECT version_fetch_id FROM stg_current_fetches WHERE {mine})"
            ).fetchall()
            days = con.execute(
                f"SELECT usage_date, state, row_count, rejected_count, vendor_total_usd FROM stg_current_fetches WHERE {mine}"
            ).fetchall()
        return sorted(map(repr, rows)) + sorted(map(repr, days))

    def one(self, sql: str) -> Any:
        with self.warehouse._open(read_only=True) as con:
            ((value,),) = con.execute(sql).fetchall()
        return value


@contextmanager
def claude(folder: Path, made: World, warehouse: Path, faults: list[Fault] | None = None) -> Iterator[Claude]:
    """`warehouse` is copied, so that a filled one is the past of this load."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(warehouse, folder / "w.duckdb")
    with Simulator(made, faults=faults or [], anthropic_key=KEY) as sim:
        client = AnthropicClient(sim.url, KEY, folder / "spool", rate_factor=0, tries=4, backoff_s=0.005, patience_s=20.0)
        warehouse = DuckDBWarehouse(folder / "w.duckdb")
        with warehouse.held():  # opening the file costs as much as a load
            yield Claude(sim, client, warehouse)
        client.close()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, empty_file: Path) -> tuple[World, Path, dict[str, list[str]]]:
    """A world, a warehouse that holds all of it, and what each endpoint then holds."""
    folder, made = tmp_path_factory.mktemp("calm"), world()
    patch = pytest.MonkeyPatch()
    patch.setattr("ai_usage.sources.anthropic.client.BUCKETS", 2)
    patch.setattr("ai_usage.sources.anthropic.client.ROWS", 3)
    with claude(folder, made, empty_file) as found:
        for name in READS:
            report = found.load(name)
            assert report.error() is None and report.rows > 0 and report.pages > len(READS[name].window.split(READS[name].days)), name
        held = {name: found.held(name) for name in READS}
        assert found.one("SELECT SUM(amount_usd) FROM raw_anthropic_cost") == sum(made.truth.anthropic.usd_by_day().values())
    patch.undo()
    return made, folder / "w.duckdb", held


@pytest.fixture(scope="module")
def restated() -> World:
    """The same company after the vendor corrected every day: what a load under a fault would publish half of."""
    made = world()
    for day in DAYS.days:
        made.restate_anthropic(day, "up")
    return made


def by_fault(pairs: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Each fault strikes its endpoints in one warehouse, one after another: they do not know of each other."""
    found: dict[str, list[str]] = {}
    for fault, name in pairs:
        found.setdefault(fault, []).append(name)
    return list(found.items())


@pytest.mark.parametrize(("fault", "names"), by_fault(once(list(HEALS), CHAINS, applies)))
def test_what_heals_ends_as_the_calm_run(fault: str, names: list[str], tmp_path: Path, calm: Any, empty_file: Path) -> None:
    made, _, held = calm
    with claude(tmp_path / "c", made, empty_file) as found:
        for name in names:
            struck = Fault(path=READS[name].path, **HEALS[fault])
            found.sim.add_fault(struck)
            before = len(found.struck())
            report = found.load(name)
            assert found.struck()[before:] == [struck.kind] * (struck.times or 1), (
                f"{name}: no fault struck, so the rest would prove nothing"
            )
            assert report.error() is None and (report.requests > report.pages or fault == "slow"), name
            assert found.held(name) == held[name], name


def test_a_fault_in_the_middle_of_the_chain_heals_too(tmp_path: Path, calm: Any, empty_file: Path) -> None:
    """The second page breaks off, then comes back as HTML, then its cursor expires: no row is lost or doubled."""
    made, _, held = calm
    with claude(tmp_path / "c", made, empty_file) as found:
        for name, read in READS.items():
            for kind in ("truncated", "html", "expired_cursor"):
                found.sim.add_fault(Fault(kind, read.path, after=1))
            before = len(found.struck())
            report = found.load(name)
            assert sorted(found.struck()[before:]) == ["expired_cursor", "html", "truncated"], name
            assert report.error() is None, name
            assert found.held(name) == held[name], name


@pytest.mark.parametrize(("kind", "names"), by_fault(once(list(STAYS), CHAINS, applies)))
def test_what_does_not_heal_leaves_the_version_that_stood(kind: str, names: list[str], tmp_path: Path, calm: Any, restated: World) -> None:
    """Every window fails, says so in a sentence and in `raw_fetches`; of the vendor's new numbers nothing is published."""
    _, filled, held = calm
    with claude(tmp_path / "c", restated, filled) as found:
        complete = found.one("SELECT COUNT(*) FROM raw_fetches WHERE state != 'failed'")
        for name in names:
            read, before = READS[name], len(found.struck())
            found.sim.add_fault(Fault(kind, read.path, times=None))
            report = found.load(name)
            struck = found.struck()[before:]
            assert kind in struck, name
            assert report.failures and report.rows == 0 and all(isinstance(f.error, STAYS[kind]) for f in report.failures), name
            assert found.held(name) == held[name], name
            assert found.one("SELECT COUNT(*) FROM raw_fetches WHERE state != 'failed'") == complete, name
            failed_days = {d for f in report.failures for d in f.window.days}
            failed = f"SELECT COUNT(DISTINCT usage_date) FROM raw_fetches WHERE state = 'failed' AND endpoint = '{read.endpoint.name}'"
            assert found.one(failed) == len(failed_days), name
            if STAYS[kind] is TransientError:
                assert failed_days == set(read.window.days), f"{name}: a transient failure of one window must not hide the others"
            for failure in report.failures:
                said = str(failure.error)
                assert "\n" not in said and said.endswith(".") and KEY not in said, said
                assert "anthropic" in said.lower() and (read.path in said or read.endpoint.name in said), said
                assert any(
                    remedy in said
                    for remedy in ("run again later", "set an Admin key", "an Admin key of the whole organisation can", "must follow")
                ), said
            if kind in ("401", "403"):
                assert len(struck) <= len(read.window.split(read.days)), f"{name}: a refused key is not asked again"
        assert not [p for p in (tmp_path / "c" / "spool").rglob("*") if p.is_file() and kind != "missing_field"]


@pytest.mark.parametrize("name", ["usage", "cost", "claude_code"])
def test_after_the_fault_the_next_load_publishes_everything(name: str, tmp_path: Path, calm: Any, restated: World) -> None:
    _, filled, held = calm
    with claude(tmp_path / "c", restated, filled, [Fault("504", READS[name].path, times=None)]) as found:
        assert found.load(name).failures
        found.sim.clear_faults()
        assert found.load(name).error() is None
        assert (found.held(name) != held[name]) == (name != "claude_code")
        if name == "cost":
            truth = restated.truth.anthropic.usd_by_day()
            with found.warehouse._open(read_only=True) as con:
                days = dict(
                    con.execute("SELECT usage_date, vendor_total_usd FROM stg_current_fetches WHERE endpoint = 'cost_report'").fetchall()
                )
            assert days == truth


def test_one_day_of_claude_code_that_fails_fails_alone(tmp_path: Path, calm: Any, restated: World) -> None:
    """The day asks for itself, so the other three are published."""
    _, filled, _ = calm
    bad = DAYS.days[2]
    fault = Fault("500", READS["claude_code"].path, times=None, match={"starting_at": str(bad)})
    with claude(tmp_path / "c", restated, filled, [fault]) as found:
        report = found.load("claude_code")
        assert [f.window for f in report.failures] == [Window(bad, bad)]
        with found.warehouse._open(read_only=True) as con:
            tries = con.execute(
                "SELECT usage_date, state FROM raw_fetches WHERE endpoint = 'usage_report/claude_code' "
                "QUALIFY ROW_NUMBER() OVER (PARTITION BY usage_date ORDER BY fetched_at DESC) = 1 ORDER BY 1"
            ).fetchall()
        assert [state for _, state in tries] == ["complete", "complete", "failed", "complete"]


@pytest.mark.parametrize(("name", "field"), [("usage", "output_tokens"), ("cost", "amount"), ("claude_code", "core_metrics")])
def test_a_malformed_record_costs_only_itself(name: str, field: str, tmp_path: Path, calm: Any, empty_file: Path) -> None:
    made, _, held = calm
    with claude(tmp_path / "c", made, empty_file, [Fault("malformed_record", READS[name].path, field=field)]) as found:
        report = found.load(name)
        assert report.rejected == 1 and report.error() is None
        assert len(found.held(name)) == len(held[name]) - 1
        assert (
            found.one("SELECT COUNT(DISTINCT record_number) FROM raw_rejects WHERE value = 'n/a' AND payload LIKE '%n/a%' AND reason != ''")
            == 1
        )
        if name == "cost":
            hidden = found.one("SELECT SUM(unknown_money_count) FROM stg_current_fetches WHERE endpoint = 'cost_report'")
            assert hidden == 1, "nobody knows what that day cost, and its total must not pretend to"


def test_unknown_fields_are_kept_and_reported(tmp_path: Path, calm: Any, empty_file: Path) -> None:
    made, _, held = calm
    with claude(tmp_path / "c", made, empty_file, [Fault("unknown_field", read.path, times=None) for read in READS.values()]) as found:
        for name, read in READS.items():
            report = found.load(name)
            assert "vendorSurprise" in report.unknown_fields and report.error() is None, name
            kept = f"SELECT COUNT(*) FROM {read.endpoint.table.name} WHERE json_extract_string(extra, '$.vendorSurprise') = 'new'"
            assert found.one(kept) == report.rows, name
            assert len(found.held(name)) == len(held[name]), name


def test_nulls_for_absent_fields_change_no_value(tmp_path: Path, calm: Any, empty_file: Path) -> None:
    made, filled, _ = calm
    with claude(tmp_path / "c", made, empty_file, [Fault("extra_null", read.path, times=None) for read in READS.values()]) as found:
        for name, read in READS.items():
            before = len(found.struck())
            assert found.load(name).error() is None and "extra_null" in found.struck()[before:], name
            columns = ", ".join(c for c in read.endpoint.table.column_names if c not in VOLATILE | {"extra"})
            asked = f"SELECT {columns} FROM {read.endpoint.table.name}"
            with found.warehouse._open(read_only=True) as con, opened(filled) as calmly:
                assert sorted(map(repr, con.execute(asked).fetchall())) == sorted(map(repr, calmly.execute(asked).fetchall())), name


def test_amounts_a_hundredth_of_what_they_were_stand_in_the_ledger_of_restatements(tmp_path: Path, calm: Any) -> None:
    """No field tells cents from dollars: a vendor that changes its unit restates each day by -99 percent, and the ledger says so."""
    made, filled, _ = calm
    with claude(tmp_path / "c", made, filled, [Fault("cents_as_dollars", "cost_report", times=None)]) as found:
        assert found.load("cost").error() is None
        with found.warehouse._open(read_only=True) as con:
            changes = dict(con.execute("SELECT usage_date, change_usd FROM vw_restatements WHERE endpoint = 'cost_report'").fetchall())
    before = {day: usd for day, usd in made.truth.anthropic.usd_by_day().items() if usd}
    assert changes.keys() == before.keys() and len(changes) == 4
    for day, usd in before.items():
        assert abs(changes[day] + usd * Decimal("0.99")) < Decimal("0.000001")
