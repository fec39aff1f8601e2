"""The Dagster objects: the graph by hand, what every asset tells, the schedule and the sensors, and the real processes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb
import pytest
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy

from ai_usage import tables
from ai_usage.definitions import build_defs
from ai_usage.defs.everything import all_assets
from ai_usage.defs.operations import automation
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.simulator import Fault
from ai_usage.sources.registry import ASKED
from ai_usage.sources.uploads import client as uploads
from ai_usage.warehouse import models
from ai_usage_tests.fixtures.company import (
    COMMAND,
    DAYS,
    FIRST,
    LAST,
    PATHS,
    ROOT,
    Company,
    company,
    new_world,
    rows,
    wait_until,
)
from ai_usage_tests.fixtures.mail import Webhook

SHEETS = {
    f"raw_sheet_{tab}"
    for tab in ("api_keys", "people", "claude_ai_usage", "subscriptions", "invoices", "budgets", "adjustments", "fx_rates")
}
CURSOR = {"raw_cursor_events", "raw_cursor_usage", "raw_cursor_members", "raw_cursor_spend"}
DIMENSIONS = {"dim_users", "dim_user_assignments", "dim_api_keys"}
FACTS = {"fct_usage_daily", "fct_cost_daily", "fct_cost_corrections"}
TOTALS = {"agg_person_days", "agg_person_weeks", "agg_person_months", "agg_cost_days", "agg_cost_months"}
MARTS = {
    "vw_monthly_finance", "vw_cost_allocation", "vw_productivity_metrics", "vw_team_productivity", "vw_restatements", "vw_data_health",
    "sheet_issues", "vw_platform_roi", "vw_adoption", "vw_model_mix", "vw_budget_variance", "vw_forecast", "vw_reconciliation", "vw_unmapped",
    "vw_rejects", "vw_chargeback", "vw_check_results", "vw_certificate", "vw_cost_booked", "vw_month_close", "vw_adjustments", "vw_alerts", "vw_focus",
    "vw_cost_months", "vw_use_and_cost", "vw_weekly_adoption", "vw_team_coverage", "vw_seats", "vw_identity_issues", "vw_currency_conversions", "vw_days", "vw_sources",
    "vw_budgets", "vw_change_drivers", "vw_headlines", "vw_savings",
}  # fmt: skip
ANTHROPIC = ("raw_anthropic_", "raw_claude_code_", "raw_claude_enterprise_")  # other vendors, with tests of their own
EXPORTS = {"raw_claude_ai_audit_log", "raw_claude_ai_spend"}
OPERATIONS = {
    "uploaded_files",
    "cleaning",
    "html_report",
    "chargeback",
    "serving_copy",
    "check_results",
    "today",
    "closed_month",
    "alert_log",
    "focus_export",
}

ALL = SHEETS | CURSOR | EXPORTS | DIMENSIONS | FACTS | TOTALS | MARTS | OPERATIONS

# What no SQL says, written from the design's sections 1 and 6: what must have been made before what.
EDGES = {
    # Raw comes from vendors alone: one that fails holds no other back.
    **{name: set() for name in SHEETS | CURSOR | EXPORTS | {"cleaning", "today"}},
    # A failure of anything may not keep it from being recorded.
    "check_results": set(),
    # A file stands in for an API that is down, so it may not wait for the API to succeed.
    "uploaded_files": set(),
    # A month is frozen when everything that shows it has been computed and checked.
    "closed_month": MARTS | {"dim_users"},
    "chargeback": {"vw_chargeback", "vw_cost_allocation"},
    "serving_copy": MARTS,
    # What is told rests on every mart, and the report shows what was told.
    "alert_log": MARTS - {"vw_alerts"},
    "focus_export": {"vw_focus"},
    "html_report": MARTS | {"dim_users", "closed_month"},
}
# What a person who reads the design expects to find, whatever the SQL of today reads on the way.
BEFORE = {
    "fct_usage_daily": {"raw_cursor_events", "raw_cursor_usage", "raw_sheet_claude_ai_usage", "raw_sheet_people", "dim_api_keys", "raw_claude_ai_spend"},
    # Seats go to those who hold one that day: members, and whoever used the tool.
    "fct_cost_daily": {"raw_cursor_events", "raw_cursor_members", "raw_sheet_subscriptions", "raw_sheet_adjustments", "raw_sheet_fx_rates", "dim_api_keys"},
    "dim_users": {"fct_usage_daily", "fct_cost_daily", "dim_user_assignments", "raw_cursor_members", "raw_sheet_people"},
    # What is booked to a month follows departments and corrections; facts are added up once.
    "agg_cost_months": {"vw_cost_booked", "fct_cost_corrections", "fct_cost_daily", "dim_user_assignments"},
    "vw_chargeback": {"vw_cost_months", "raw_sheet_invoices", "raw_sheet_fx_rates"},
    "vw_reconciliation": {"fct_cost_daily", "raw_sheet_invoices"},
    "vw_focus": {"vw_cost_booked", "raw_cursor_events"},
    "vw_data_health": {"fct_usage_daily", "fct_cost_daily"},
}  # fmt: skip
LEDGER = {"raw_fetches", "raw_rejects"}
NO_ASSETS = LEDGER | {
    "forgotten_people",
    "forget_log",
    "vendor_requests",
    "held_back",
    "source_states",
    "month_closings",
    "closed_cost",
    "closed_invoices",
}


def runtime_of(firm: Company | None, folder: Path, **changes: object) -> Runtime:
    fields: dict[str, object] = {
        "data_dir": folder,
        "start_date": FIRST,
        "google_application_credentials": None,
        "http_backoff_s": 0.02,
        "http_patience_s": 5,
    }
    if firm:
        fields |= {
            "cursor_base_url": firm.sim.url,
            "cursor_admin_api_key": firm.sim.key,
            "cursor_rate_factor": 0,
            "sheets_base_url": firm.sim.url,
            "sheet_id": firm.sim.sheet_id,
        }
    return Runtime(Settings(_env_file=None, **(fields | changes)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    graph = build_defs(runtime=runtime_of(None, tmp_path_factory.mktemp("graph"))).resolve_asset_graph()
    return {name: node for node in graph.asset_nodes if not (name := node.key.to_user_string()).startswith(ANTHROPIC)}


def test_the_definitions_load_and_are_whole(tmp_path: Path) -> None:
    definitions = build_defs(runtime=runtime_of(None, tmp_path))
    dg.Definitions.validate_loadable(definitions)
    assert definitions.executor is dg.in_process_executor
    repository = definitions.get_repository_def()
    assert {s.name for s in repository.schedule_defs} == {"every_morning", "every_hour"}
    assert {s.name for s in repository.sensor_defs} == {
        "sources_ended", "sheet_changed", "file_dropped", "failed_runs", "alerts_hourly", "run_failed",
    }  # fmt: skip
    for each in (*repository.schedule_defs, *repository.sensor_defs):
        assert each.description and "Args:" not in each.description, (
            f"{each.name} says in Dagster's pages what it does, not what the library's class does"
        )
    assert {"sources", "daily", "rebuild", "hourly", "close_month", "alerts"} <= {j.name for j in repository.get_all_jobs()}


def test_the_graph_is_the_designs(nodes: dict) -> None:
    assert set(nodes) == ALL
    assert {name: _parents(nodes, name) for name in EDGES} == EDGES
    for name, before in BEFORE.items():
        assert before <= _ancestors(nodes, name), name


def test_an_asset_waits_for_what_its_sql_reads_and_for_nothing_else(nodes: dict) -> None:
    """The words after FROM and JOIN, by a regular expression; the code asks sqlglot. Staging is no asset: what it reads counts for who reads it."""

    def words(name: str) -> set[str]:
        sql = re.sub(r"--.*", "", models.model(name).sql)
        return {w for w in re.findall(r"(?:FROM|JOIN)\s+`?(\w+)`?", sql) if w in tables.BY_NAME}

    def read(name: str) -> set[str]:
        return set().union(*(read(w) if w.startswith("stg_") else {w} for w in words(name)))

    dropped = {endpoint.table.name for endpoint in uploads.KINDS.values()}
    for name in DIMENSIONS | FACTS | TOTALS | MARTS:
        expected = read(name) - NO_ASSETS - {name}
        expected |= {"uploaded_files"} if expected & dropped else set()
        expected |= {"fct_cost_daily", "fct_usage_daily"} if words(name) & (LEDGER | {"held_back", "source_states"}) else set()
        assert _parents(nodes, name) == {e for e in expected if not e.startswith(ANTHROPIC)}, name


def _parents(nodes: dict, name: str) -> set[str]:
    return {p for k in nodes[name].parent_keys if not (p := k.to_user_string()).startswith(ANTHROPIC)}


def test_a_dropped_file_is_loaded_before_the_facts_of_its_run(nodes: dict) -> None:
    """A run that loads a file must rebuild the facts after it, not beside it: fct_* wait for uploaded_files."""
    for name in FACTS | TOTALS:
        assert "uploaded_files" in _ancestors(nodes, name), name


def _ancestors(nodes: dict, name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for key in nodes[waiting.pop()].parent_keys:
            parent = key.to_user_string()
            if parent not in found and parent in nodes:
                found.add(parent)
                waiting.append(parent)
    return found


def test_dagster_warns_of_an_asset_that_was_not_read_in_the_morning() -> None:
    """25 hours for each; two mornings until it is a failure, and a day more where the vendor may take one to finish."""
    fresh = {spec.key.to_user_string(): spec.freshness_policy for asset in all_assets() for spec in asset.specs}
    asked = {e.table.name: e.lag_days for e in ASKED}
    assert {n for n, policy in fresh.items() if policy} == set(asked) and set(asked.values()) >= {0, 1}
    for name, lag in asked.items():
        policy = fresh[name]
        assert isinstance(policy, TimeWindowFreshnessPolicy)
        hours = [window.to_timedelta().total_seconds() / 3600 for window in (policy.warn_window, policy.fail_window) if window]
        assert hours == [25, 49 + 24 * lag], name


def test_every_asset_says_what_it_is(nodes: dict) -> None:
    for name, node in nodes.items():
        assert node.group_name in {"cursor", "google_sheets", "claude_ai", "curated", "marts", "operations"}, name
        assert node.owners, name
        assert node.description and len(node.description) > 20, name
        assert node.kinds, name
        assert (name in FACTS | TOTALS | {"raw_cursor_events", "raw_cursor_usage"}) == node.is_partitioned, name
        if name in OPERATIONS:
            continue
        schema = node.metadata["dagster/column_schema"]
        schema = getattr(schema, "schema", schema)
        assert [c.name for c in schema.columns] == list(tables.BY_NAME[name].column_names), name
        assert all(c.description and c.type for c in schema.columns), name
        assert node.metadata["dagster/table_name"] == name or getattr(node.metadata["dagster/table_name"], "value", None) == name


def test_partitions_are_utc_days_and_the_money_is_checked_by_blocking_checks(tmp_path: Path) -> None:
    definitions = build_defs(runtime=runtime_of(None, tmp_path))
    graph = definitions.resolve_asset_graph()
    partitions = graph.get(dg.AssetKey("fct_cost_daily")).partitions_def
    assert isinstance(partitions, dg.DailyPartitionsDefinition) and str(partitions.timezone) == "UTC"
    specs = {(k.asset_key.to_user_string(), k.name) for k in graph.asset_check_keys}
    for asset in ("raw_cursor_events", "fct_cost_daily", "vw_cost_allocation", "vw_monthly_finance"):
        assert (asset, "conservation") in specs
    for asset in SHEETS | CURSOR:
        assert {(asset, n) for n in ("schema", "versions_are_whole", "complete", "no_rejects", "no_drift")} <= specs, asset
    blocking = {(s.asset_key.to_user_string(), s.name) for a in definitions.assets or () for s in a.check_specs if s.blocking}  # type: ignore[union-attr]
    assert {(a, "conservation") for a in ("raw_cursor_events", "fct_cost_daily", "vw_cost_allocation", "vw_monthly_finance")} <= blocking
    assert {(a, "grain") for a in FACTS | TOTALS | DIMENSIONS} <= blocking


# Schedule -----------------------------------------------------------------------------------------------------------

LOS_ANGELES = ZoneInfo("America/Los_Angeles")


@pytest.mark.parametrize(
    ("morning", "utc_hour"),
    [
        (datetime(2026, 3, 7, 6, tzinfo=LOS_ANGELES), 14),  # the day before the clocks go forward
        (datetime(2026, 3, 8, 6, tzinfo=LOS_ANGELES), 13),  # the day itself: 23 hours long
        (datetime(2026, 10, 31, 6, tzinfo=LOS_ANGELES), 13),
        (datetime(2026, 11, 1, 6, tzinfo=LOS_ANGELES), 14),  # 25 hours long
        (datetime(2026, 11, 2, 6, tzinfo=LOS_ANGELES), 14),
        (datetime(2026, 1, 1, 6, tzinfo=LOS_ANGELES), 14),
        (datetime(2025, 12, 31, 6, tzinfo=LOS_ANGELES), 14),
    ],
)
def test_the_morning_asks_for_the_utc_days_that_have_ended(morning: datetime, utc_hour: int, tmp_path: Path) -> None:
    """The range is that of the tick, also when the daemon makes it later: up to the UTC day before the morning, a settle window long."""
    assert morning.astimezone(UTC).hour == utc_hour
    start = datetime(2025, 1, 1).date()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=morning,
            resources={"runtime": runtime_of(None, tmp_path, start_date=start, settle_days=35)},
        )
        [request] = automation.every_morning.evaluate_tick(context).run_requests or []  # nothing but the drop folder is on
    yesterday = morning.astimezone(UTC).date() - timedelta(days=1)
    assert request.tags["dagster/asset_partition_range_end"] == str(yesterday)
    assert request.tags["dagster/asset_partition_range_start"] == str(yesterday - timedelta(days=34))
    assert request.run_key == f"{morning:%Y-%m-%d} uploads"


def test_the_schedule_is_six_in_los_angeles_and_on(tmp_path: Path) -> None:
    schedule = automation.every_morning
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 6 * * *", "America/Los_Angeles")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    ticks = (
        schedule.get_execution_time_iterator(datetime(2026, 3, 7, 20, tzinfo=UTC).timestamp())
        if hasattr(schedule, "get_execution_time_iterator")
        else None
    )
    if ticks:
        assert [next(ticks).astimezone(UTC).hour for _ in range(2)] == [13, 13]


def test_the_first_morning_does_not_ask_before_the_start_date(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=now, resources={"runtime": runtime_of(None, tmp_path, settle_days=300)}
        )
        [request] = automation.every_morning.evaluate_tick(context).run_requests or []
    assert request.tags["dagster/asset_partition_range_start"] == str(FIRST)


# Sensors ------------------------------------------------------------------------------------------------------------


def tick(sensor: dg.SensorDefinition, runtime: Runtime, cursor: str | None = None) -> tuple[list[dg.RunRequest], str, str | None]:
    """(run requests, what it says when it skips, the new cursor)"""
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"runtime": runtime})
        data = sensor.evaluate_tick(context)
    return list(data.run_requests or ()), data.skip_message or "", data.cursor


def test_a_changed_sheet_makes_one_run_over_all_days(tmp_path: Path) -> None:
    with company(tmp_path) as firm:
        runtime = runtime_of(firm, tmp_path)
        requests, said, seen = tick(automation.sheet_changed, runtime)
        assert not requests and seen, "the first look is no change"
        requests, said, again = tick(automation.sheet_changed, runtime, seen)
        assert not requests and said and again == seen
        firm.world.sheet.set_cell("people", 2, "department", "Research")
        requests, _, changed = tick(automation.sheet_changed, runtime, seen)
        assert [(r.tags["ai_usage/source"], r.tags["ai_usage/then"]) for r in requests] == [("google_sheets", "rebuild")]
        assert [r.tags["dagster/asset_partition_range_start"] for r in requests] == [str(FIRST)]
        assert [r.tags["dagster/asset_partition_range_end"] for r in requests] == [str(LAST)]
        assert changed and changed != seen
        assert not tick(automation.sheet_changed, runtime, changed)[0], "one change, one run"
        firm.world.sheet.set_cell("people", 2, "department", "Engineering")
        back, _, _ = tick(automation.sheet_changed, runtime, changed)
        assert len(back) == 1
        firm.world.sheet.set_cell("people", 2, "department", "Research")
        forth, _, _ = tick(automation.sheet_changed, runtime, seen)
        # Dagster drops a run key that it has seen: a sheet that goes A, B, A, B would not be rebuilt the second time.
        assert forth[0].run_key is None or forth[0].run_key != requests[0].run_key


def test_a_sheet_that_cannot_be_read_is_no_change(tmp_path: Path) -> None:
    with company(tmp_path) as firm:
        runtime = runtime_of(firm, tmp_path, http_patience_s=0.2)
        _, _, seen = tick(automation.sheet_changed, runtime)
        for fault in ("500", "403"):
            firm.sim.add_fault(Fault(fault, PATHS["sheet"], times=None))
            requests, said, cursor = tick(automation.sheet_changed, runtime, seen)
            assert not requests and fault in said and said.endswith(".") and "\n" not in said
            assert cursor in (seen, None), "an error must not count as the sheet's content"
            firm.sim.clear_faults()
        assert not tick(automation.sheet_changed, runtime, seen)[0]
        off, said, _ = tick(automation.sheet_changed, runtime_of(firm, tmp_path, sheet_id=None))
        assert not off and "AI_USAGE_SHEET_ID" in said


def test_a_dropped_file_waits_until_it_is_whole_and_makes_one_run(tmp_path: Path) -> None:
    runtime = runtime_of(None, tmp_path)
    assert not tick(automation.file_dropped, runtime)[0]
    drop = tmp_path / "uploads"
    drop.mkdir()
    file = drop / "cursor_events-x.csv"
    file.write_text("half of a fi")
    requests, said, _ = tick(automation.file_dropped, runtime)
    assert not requests and said, "a file that still grows was taken"
    past = time.time() - 60
    os.utime(file, (past, past))
    [request] = tick(automation.file_dropped, runtime)[0]
    [again] = tick(automation.file_dropped, runtime)[0]
    assert request.run_key == again.run_key
    assert (request.tags["ai_usage/source"], request.tags["ai_usage/then"]) == ("uploads", "rebuild")
    assert request.tags["dagster/asset_partition_range_start"] == str(FIRST) and request.tags["dagster/asset_partition_range_end"] == str(
        LAST
    )


# The real processes -------------------------------------------------------------------------------------------------


@dataclass
class Kept:
    """A company that a daemon looks after, and the runs that it made."""

    firm: Company
    day: date
    made: list[dg.DagsterRun]

    def run_of(self, job: str) -> list[dg.DagsterRun]:
        return [r for r in self.made if r.job_name == job]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A daemon from workspace.yaml, on a home with the repository's dagster.yaml. It finds a file in the drop folder, data that no alert has looked
    at, and a run that failed because the vendor was down for longer than the client's patience; nobody does anything."""
    first, day, last = DAYS[-3:]
    webhook = Webhook()
    with company(tmp_path_factory.mktemp("kept"), new_world(first_day=first), empty=True) as firm, webhook:
        firm.settings |= {"AI_USAGE_ALERT_URLS": f"platform: '{webhook.url()}'", "AI_USAGE_START_DATE": str(first)}
        firm.load(first, day)
        firm.sim.add_fault(Fault("500", PATHS["filtered-usage-events"], times=None))
        assert firm.run_to_facts(last, last, AI_USAGE_HTTP_PATIENCE_S="0.5").returncode == 1
        assert firm.cli("certify", "--from", str(last)).returncode == 1
        firm.sim.clear_faults()
        con = duckdb.connect(str(firm.db))  # as if the API had never given that day
        con.execute("DELETE FROM raw_fetches WHERE endpoint = 'filtered-usage-events' AND usage_date = ?", [day])
        con.execute("DELETE FROM raw_cursor_events WHERE usage_date = ?", [day])
        con.execute("DELETE FROM fct_cost_daily WHERE cost_date = ?", [day])
        con.close()
        drop = firm.data / "uploads"
        drop.mkdir(exist_ok=True)
        lines = ["timestamp,userEmail,isChargeable,chargedCents,model,kind"]
        lines += [
            f'{e.ts},{e.email or ""},{str(e.chargeable).lower()},{Decimal(e.charged).scaleb(-6):f},{e.model},"{e.kind}"'
            for e in firm.world.day(day).events
        ]
        file = drop / "cursor_events-day.csv"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.utime(file, (time.time() - 60,) * 2)
        shutil.copy(ROOT / "workspace.yaml", firm.cwd / "workspace.yaml")
        env = firm.env({"DAGSTER_HOME": str(firm.home), "AI_USAGE_REPAIR_AFTER_MINUTES": "0"})
        path = firm.folder / "daemon.log"
        with path.open("w") as log, dg.DagsterInstance.from_config(str(firm.home)) as instance:
            daemon = subprocess.Popen(
                [str(COMMAND.with_name("dagster-daemon")), "run", "-w", "workspace.yaml"], cwd=firm.cwd, env=env, stdout=log, stderr=log
            )

            def ended() -> list[dg.DagsterRun] | None:
                assert daemon.poll() is None, f"the daemon ended by itself:\n{path.read_text()[-5000:]}"
                made = [r for r in instance.get_runs() if "dagster/sensor_name" in r.tags]
                # The file's run and the repair's, each with what follows it.
                read = {r.tags["ai_usage/batch"] for r in made if r.job_name == "sources"}
                whole = len(read) == 2 and read <= {r.tags.get("ai_usage/batch") for r in made if r.job_name in ("daily", "rebuild")}
                return made if whole and "alerts" in {r.job_name for r in made} and all(r.is_finished for r in made) else None

            try:
                made = wait_until(ended, 1100, "the end of the sensors' runs")  # 40 s on a quiet machine
            finally:
                daemon.terminate()
                try:
                    daemon.wait(20)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()
        assert {r.status.value for r in made} == {"SUCCESS"}, path.read_text()[-3000:]
        yield Kept(firm, day, made)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_daemon_loads_a_dropped_file(kept: Kept) -> None:
    """Sensor, queue, launcher, run, and the run that follows: the file's day is in the facts, and the file is put away."""
    firm, day = kept.firm, kept.day
    [read] = [r for r in kept.run_of("sources") if r.tags["ai_usage/source"] == "uploads"]
    assert [r.tags["ai_usage/batch"] for r in kept.run_of("rebuild")] == [read.tags["ai_usage/batch"]]
    assert len(list((firm.data / "uploads" / "loaded").glob("*cursor_events-day.csv"))) == 1
    held = rows(
        firm.db, "SELECT user_email, SUM(cost_usd) FROM fct_cost_daily WHERE cost_type = 'usage' AND cost_date = ? GROUP BY 1", [day]
    )
    assert {(day, e): v for e, v in held} == firm.world.truth.billed_usd_by_day_user(day, day)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_daemon_makes_a_failed_run_again_once(kept: Kept) -> None:
    firm, last = kept.firm, LAST
    [repair] = [r for r in kept.made if "ai_usage/repairs" in r.tags]
    assert {k.to_user_string() for k in repair.asset_selection or ()} == {"raw_cursor_events"}, "one failure, one repair, of what failed"
    assert [r.tags["ai_usage/batch"] for r in kept.run_of("daily")] == [repair.tags["ai_usage/batch"]]
    assert firm.cli("certify", "--from", str(last)).returncode == 0
    billed = rows(firm.db, "SELECT SUM(cost_usd) FROM fct_cost_daily WHERE cost_type = 'usage' AND cost_date = ?", [last])
    assert billed == [(firm.world.truth.billed_usd_by_day(last, last)[last],)]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_hourly_look_finds_data_that_no_alert_has_seen(kept: Kept) -> None:
    assert kept.run_of("alerts")
