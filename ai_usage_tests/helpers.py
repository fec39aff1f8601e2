"""A company on localhost and the platform pointed at it: what the e2e and fault tests share.

Belongs here: starting the simulator, running the real command in a process of its own, loading without Dagster, reading the
tables with DuckDB itself, and comparing them with the books. Does not belong here: what a particular law is.

Truth is always `world.truth`, the generator's ledger. Nothing here asks the code under test what is right.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from ai_usage import totals
from ai_usage.loading import LoadReport
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.simulator import Fault, Simulator, World
from ai_usage.sources.cursor import records as cursor
from ai_usage.sources.endpoint import Window
from ai_usage.sources.google_sheets import records as sheets
from ai_usage.sources.walk import walk_all
from ai_usage.warehouse import models

ROOT = Path(__file__).resolve().parents[1]
COMMAND = Path(sys.executable).with_name("ai-usage")
KEY = "key-that-must-never-be-shown"
LAST = datetime.now(UTC).date() - timedelta(days=1)
FIRST = LAST - timedelta(days=9)
DAYS = [FIRST + timedelta(days=n) for n in range(10)]
TOLERANCE = Decimal("0.000000001")

PATHS = {
    "filtered-usage-events": "/teams/filtered-usage-events",
    "daily-usage-data": "/teams/daily-usage-data",
    "members": "/teams/members",
    "spend": "/teams/spend",
    "sheet": "/v4/spreadsheets",
}
CURATED = ("dim_users", "dim_user_assignments", "dim_api_keys", "fct_usage_daily", "fct_cost_daily", "fct_cost_corrections", *totals.NAMES)
MARTS = (
    "vw_monthly_finance", "vw_cost_allocation", "vw_productivity_metrics", "vw_team_productivity", "vw_data_health", "sheet_issues",
    "vw_restatements", "vw_platform_roi", "vw_adoption", "vw_model_mix", "vw_budget_variance", "vw_forecast", "vw_reconciliation",
    "vw_unmapped", "vw_rejects", "vw_chargeback", "vw_cost_booked", "vw_focus", "vw_month_close", "vw_adjustments",
    "vw_cost_months", "vw_use_and_cost", "vw_weekly_adoption",
)  # fmt: skip
RAW = (
    "raw_cursor_events",
    "raw_cursor_usage",
    "raw_cursor_members",
    "raw_cursor_spend",
    "raw_sheet_api_keys",
    "raw_sheet_people",
    "raw_sheet_claude_ai_usage",
    "raw_sheet_subscriptions",
    "raw_sheet_invoices",
    "raw_sheet_adjustments",
    "raw_sheet_budgets",
    "raw_claude_ai_audit_log",
    "raw_claude_ai_spend",
    "raw_rejects",
)
# Clocks and identities: they may differ between two runs that are otherwise the same.
VOLATILE = frozenset(
    {
        "processed_at",
        "updated_at",
        "fetched_at",
        "previous_fetched_at",
        "last_fetched_at",
        "seen_at",
        "fetch_id",
        "version_fetch_id",
        "run_id",
        "spool_path",
        "ingest_date",
    }
)


def new_world(**changes: Any) -> World:
    """Six people, ten days that end yesterday: every awkward case of the cast (owner, mover, aliases, unknown, removed) is in it."""
    return World(**{"seed": 7, "people": 6, "first_day": FIRST, "last_day": LAST} | changes)


class Company:
    """One simulator and one data folder."""

    def __init__(self, sim: Simulator, folder: Path) -> None:
        self.sim, self.folder = sim, folder
        self.patience_s = 240.0
        self.data = folder / "data"
        self.cwd = folder / "cwd"
        self.cwd.mkdir(parents=True, exist_ok=True)
        self.settings = {
            "AI_USAGE_DATA_DIR": str(self.data),
            "AI_USAGE_START_DATE": FIRST.isoformat(),
            "AI_USAGE_CURSOR_BASE_URL": sim.url,
            "CURSOR_ADMIN_API_KEY": sim.key,
            "AI_USAGE_CURSOR_RATE_FACTOR": "0",
            "AI_USAGE_SHEETS_BASE_URL": sim.url,
            "AI_USAGE_SHEET_ID": sim.sheet_id,
            "AI_USAGE_HTTP_BACKOFF_S": "0.02",
            "AI_USAGE_HTTP_PATIENCE_S": "20",
        }

    @property
    def world(self) -> World:
        return self.sim.world

    @property
    def db(self) -> Path:
        return Path(self.settings.get("AI_USAGE_DUCKDB_PATH") or self.data / "ai_usage.duckdb")

    @property
    def home(self) -> Path:
        return self.data / "dagster"

    def env(self, changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """The environment of a child: none of ours leaks in, and a `None` takes a variable out."""
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("AI_USAGE", "CURSOR_", "GOOGLE_", "ANTHROPIC", "DAGSTER", "PYTEST"))
        }
        asked = kept | self.settings | {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"} | dict(changes or {})
        return {k: v for k, v in asked.items() if v is not None}

    def start(self, *args: str, **changes: str | None) -> subprocess.Popen[str]:
        """The real command, not waited for."""
        return subprocess.Popen(
            [str(COMMAND), *args],
            cwd=self.cwd,
            env=self.env(changes),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )

    def cli(self, *args: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
        """The real command to its end."""
        return subprocess.run(
            [str(COMMAND), *args],
            cwd=self.cwd,
            env=self.env(changes),
            text=True,
            capture_output=True,
            timeout=self.patience_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def run(self, first: date = FIRST, last: date = LAST, **changes: str | None) -> subprocess.CompletedProcess[str]:
        return self.cli("run", "--from", first.isoformat(), "--to", last.isoformat(), **changes)

    @contextmanager
    def runtime(self, **changes: Any) -> Iterator[Runtime]:
        """A `Runtime` in this process; `changes` are fields of `Settings`."""
        fields = {
            "data_dir": self.data,
            "start_date": FIRST,
            "cursor_base_url": self.sim.url,
            "cursor_admin_api_key": self.sim.key,
            "cursor_rate_factor": 0,
            "sheets_base_url": self.sim.url,
            "sheet_id": self.sim.sheet_id,
            "http_backoff_s": 0.02,
            "http_patience_s": 20,
            "google_application_credentials": None,
            "duckdb_path": self.db,
        } | changes
        runtime = Runtime(Settings(_env_file=None, **fields))  # type: ignore[call-arg]
        try:
            yield runtime
        finally:
            runtime.close()

    def load(self, first: date = FIRST, last: date = LAST, **changes: Any) -> dict[str, LoadReport]:
        """Everything that a run does to the tables, without Dagster."""
        with self.runtime(**changes) as runtime:
            reports = load_raw(runtime, first, last)
            build(runtime, first, last)
        return reports

    def log(self, path: str) -> list[Any]:
        return [r for r in self.sim.log if r.path.startswith(path)]


@contextmanager
def company(folder: Path, world: World | None = None, faults: Sequence[Fault] = ()) -> Iterator[Company]:
    with Simulator(world or new_world(), faults=faults, cursor_key=KEY) as sim:
        yield Company(sim, folder)


def load_raw(runtime: Runtime, first: date, last: date) -> dict[str, LoadReport]:
    """Every endpoint into raw, as the assets do it."""
    window, today = Window(first, last), Window(runtime.today, runtime.today)
    loader = runtime.loader("test")
    in_flight = runtime.settings.windows_in_flight
    reports = {
        "filtered-usage-events": loader.load(cursor.EVENTS, walk_all(window.split(1), runtime.cursor.events, cursor.EVENTS, in_flight)),
        "daily-usage-data": loader.load(
            cursor.DAILY_USAGE, walk_all(window.split(30), runtime.cursor.daily_usage, cursor.DAILY_USAGE, in_flight)
        ),
        "members": loader.load(cursor.MEMBERS, walk_all([today], runtime.cursor.members, cursor.MEMBERS)),
        "spend": loader.load(cursor.SPEND, walk_all([today], runtime.cursor.spend, cursor.SPEND)),
    }
    for endpoint in sheets.ENDPOINTS:
        reports[endpoint.name] = loader.load(endpoint, [runtime.sheets.tab(endpoint)])
    return reports


def build(runtime: Runtime, first: date, last: date) -> None:
    """Dimensions and facts of these days, in the order of their dependencies."""
    parameters = {"start_date": first, "end_date": last, "as_of_date": runtime.today, "processed_at": datetime.now(UTC)}
    for name in ("dim_user_assignments", "dim_api_keys", "fct_usage_daily", "fct_cost_daily", "dim_users"):
        runtime.warehouse.replace(models.model(name).table, models.model(name).sql, parameters)
    totals.write_all(runtime.warehouse, parameters)


# Reading ------------------------------------------------------------------------------------------------------------


@contextmanager
def opened(db: Path, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    con = duckdb.connect(str(db), read_only=read_only)
    try:
        con.execute("SET TimeZone = 'UTC'; SET disabled_optimizers = 'top_n_window_elimination'")
        yield con
    finally:
        con.close()


def rows(db: Path, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with opened(db) as con:
        return con.execute(sql, parameters).fetchall()


def snapshot(db: Path, *, without: Sequence[str] = ()) -> dict[str, list[str]]:
    """Every table's content but clocks and identities. Of raw tables only what current versions hold: what anybody downstream sees."""
    found: dict[str, list[str]] = {}
    with opened(db) as con:
        for name in (*CURATED, *MARTS, *RAW, "stg_current_fetches"):
            if name in without:
                continue
            columns = [
                c
                for (c,) in con.execute("SELECT column_name FROM duckdb_columns() WHERE table_name = ?", [name]).fetchall()
                if c not in VOLATILE
            ]
            visible = ""
            if name in RAW:
                current = (
                    "stg_snapshots" if name.startswith(("raw_sheet", "raw_cursor_members", "raw_cursor_spend")) else "stg_current_fetches"
                )
                visible = f"WHERE fetch_id IN (SELECT version_fetch_id FROM {current})"
            chosen = ", ".join(f'"{c}"' for c in columns)
            found[name] = sorted(repr(r) for r in con.execute(f"SELECT {chosen} FROM {name} {visible}").fetchall())
    return found


def assert_same(one: dict[str, list[str]], other: dict[str, list[str]], what: str = "") -> None:
    """Table by table, so that a failure names the table and shows the rows that differ."""
    assert one.keys() == other.keys()
    for name in one:
        if one[name] != other[name]:
            only_one = [r for r in one[name] if r not in set(other[name])]
            only_other = [r for r in other[name] if r not in set(one[name])]
            raise AssertionError(f"{what} {name}: {len(one[name])} rows and {len(other[name])}\n- {only_one[:5]}\n+ {only_other[:5]}")


# The books ----------------------------------------------------------------------------------------------------------


def assert_books(db: Path, world: World, first: date = FIRST, last: date = LAST, *, sheet: bool = True) -> None:
    """The facts equal the ledger to 1e-9, per day and per user, and nobody else has anything."""
    books = world.truth
    where = f"BETWEEN DATE '{first}' AND DATE '{last}'"
    billed = {
        (d, e): v
        for d, e, v in rows(
            db,
            f"SELECT cost_date, user_email, SUM(cost_usd) FROM fct_cost_daily WHERE platform "
            f"= 'cursor' AND cost_type = 'usage' AND cost_date {where} GROUP BY ALL",
        )
    }
    _equal("billed USD by day and user", billed, books.billed_usd_by_day_user(first, last))
    by_day: dict[date, Decimal] = {}
    for (day, _), value in billed.items():
        by_day[day] = by_day.get(day, Decimal(0)) + value
    _equal("billed USD by day", by_day, books.billed_usd_by_day(first, last))
    for column, truth in (
        ("loc_accepted", books.accepted_lines_by_day_user(first, last)),
        ("included_usd", books.included_usd_by_day_user(first, last)),
        ("list_usd", books.list_usd_by_day_user(first, last)),
    ):
        held = rows(
            db,
            f"SELECT usage_date, user_email, SUM({column}) FROM fct_usage_daily "
            f"WHERE platform = 'cursor' AND usage_date {where} GROUP BY ALL",
        )
        _equal(column, {(d, e): v for d, e, v in held if v is not None}, truth)
    tokens = rows(
        db,
        "SELECT usage_date, user_email, model, SUM(input_tokens), SUM(output_tokens), SUM(cache_read_tokens), SUM(cache_write_tokens) "
        f"FROM fct_usage_daily WHERE platform = 'cursor' AND model IS NOT NULL AND usage_date {where} GROUP BY ALL",
    )
    held_tokens = {
        (d, e, m, kind): n
        for d, e, m, *counts in tokens
        for kind, n in zip(("input", "output", "cache_read", "cache_write"), counts, strict=True)
        if n
    }
    _equal(
        "tokens",
        held_tokens,
        {(*key, kind): n for key, counts in books.tokens_by_day_user_model(first, last).items() for kind, n in counts.items()},
    )
    if sheet:
        seats = rows(
            db,
            f"SELECT cost_date, platform, SUM(cost_usd) FROM fct_cost_daily WHERE "
            f"cost_type = 'subscription' AND cost_date {where} GROUP BY ALL",
        )
        truth = {k: v for k, v in books.subscription_usd_by_day().items() if first <= k[0] <= last}
        _equal("subscriptions by day and platform", {(d, p): v for d, p, v in seats}, truth)
        talks = rows(
            db,
            f"SELECT usage_date, user_email, conversations, messages FROM "
            f"fct_usage_daily WHERE platform = 'claude_ai' AND usage_date {where}",
        )
        kept = {k: v for k, v in books.claude_ai_usage_by_day_user().items() if first <= k[0] <= last}
        assert {(d, e): (c, m) for d, e, c, m in talks} == {k: (v["conversations"], v["messages"]) for k, v in kept.items()}
        for day, email, department in rows(
            db,
            f"SELECT DISTINCT cost_date, user_email, department FROM vw_cost_allocation "
            f"WHERE user_email != '(unattributed)' AND cost_date {where}",
        ):
            assert department == (books.department_on(email, day) or "(no department)"), (day, email)


def _equal(what: str, held: Mapping[Any, Any], truth: Mapping[Any, Any]) -> None:
    wrong = {
        k: (held.get(k), truth.get(k))
        for k in held.keys() | truth.keys()
        if abs(Decimal(held.get(k) or 0) - Decimal(truth.get(k) or 0)) > TOLERANCE
    }
    assert not wrong, f"{what}: {len(wrong)} differ (held, books): {dict(list(wrong.items())[:5])}"
    assert any(truth.values()), f"{what}: the books are empty, so this proves nothing"


# Words --------------------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Without terminal colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def assert_sentence(done: subprocess.CompletedProcess[str], *needed: str, code: int = 1) -> str:
    """It failed with that code, said so on standard error in words that a person can act on, and showed neither a traceback nor a key."""
    said = plain(done.stderr)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{said}"
    assert "Traceback" not in said and "Traceback" not in done.stdout, said
    assert not re.search(r"\b(?:[a-z_]+\.)+[A-Za-z]*(?:Error|Exception)\b", said), f"a class name is no sentence: {said}"
    assert KEY not in said + done.stdout
    lines = [line for line in said.splitlines() if all(word.lower() in line.lower() for word in needed)]
    assert lines, f"no line names {needed}: {said}"
    return lines[0]


def wait_until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Poll; the bound only keeps a broken test from hanging."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen in {seconds:.0f} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
