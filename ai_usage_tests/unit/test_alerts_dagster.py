"""Alerts in Dagster: which runs count as failed, what the sensors ask for, and an asset that stops nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from ai_usage.alerts.plan import Event
from ai_usage.defs.operations import alerts, jobs
from ai_usage.runtime import Runtime
from ai_usage_tests.fixtures.desk import Desk
from ai_usage_tests.fixtures.runs import small


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as found:
        yield found


def runtime(desk: Desk, **more: object) -> Runtime:
    return desk.runtime(**{"cursor_admin_api_key": "unused", **more})


def job(name: str, problem: str | None) -> dg.JobDefinition:
    @dg.op(name="step")
    def step() -> None:
        if problem:
            raise dg.Failure(problem, allow_retries=False)

    @dg.job(name=name)
    def made() -> None:
        step()

    return made


def test_the_last_finished_run_of_a_job_counts(instance: dg.DagsterInstance) -> None:
    job("daily", "the key was refused (401).").execute_in_process(instance=instance, raise_on_error=False)
    job("another", "not watched.").execute_in_process(instance=instance, raise_on_error=False)
    (one,) = alerts.failed_runs(instance)
    assert (one.alert, one.cause_key, one.likely_reason) == ("run_failed", "daily", "step: the key was refused (401).")
    instance.create_run_for_job(job("daily", None))  # one that has not finished says nothing yet
    assert len(alerts.failed_runs(instance)) == 1
    job("daily", None).execute_in_process(instance=instance)
    assert alerts.failed_runs(instance) == []


def test_a_source_that_could_not_be_read_is_named_until_it_is_read(instance: dg.DagsterInstance) -> None:
    """Each source by its own last run, whoever started it: another source's success says nothing of it, nor does a failure of both at once."""

    def read(job: str, status: dg.DagsterRunStatus, *assets: str) -> None:
        instance.create_run_for_job(small(*assets, job=job), asset_selection=frozenset(jobs.keys_of(assets)), status=status)

    def named() -> list[str]:
        return [cause.cause_key for cause in alerts.failed_runs(instance)]

    good, bad = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
    assert named() == []
    read("sources", bad, "raw_cursor_events", "raw_cursor_usage")
    read("sources", bad, "raw_sheet_people")
    read("sources", good, "uploaded_files")
    assert named() == ["cursor", "google_sheets"]
    read("sources", good, "raw_cursor_events")
    assert named() == ["google_sheets"]
    read("__ASSET_JOB", bad, "raw_anthropic_usage")
    assert named() == ["anthropic", "google_sheets"]
    read("sources", good, "raw_anthropic_usage")
    read("sources", good, "raw_sheet_people")
    assert named() == []
    read("__ASSET_JOB", bad, "raw_anthropic_usage", "fct_cost_daily")
    assert named() == ["__ASSET_JOB"]
    read("daily", good, "fct_cost_daily")
    assert named() == []
    read("hourly", bad, "today")
    read("close_month", bad, "closed_month")
    assert named() == ["hourly", "close_month"]
    read("hourly", good, "today")
    assert named() == ["close_month"]
    read("daily", good, "fct_cost_daily")
    assert named() == []


@pytest.mark.parametrize(
    ("name", "asks"),
    [("daily", True), ("hourly", True), ("close_month", True), ("__ASSET_JOB", True), ("sources", False), ("alerts", False)],
)
def test_a_failed_run_asks_for_a_pass_of_its_own_and_a_failed_pass_for_none(instance: dg.DagsterInstance, name: str, asks: bool) -> None:
    """Else a pass that fails would ask for another one for ever."""
    result = job(name, "broken.").execute_in_process(instance=instance, raise_on_error=False)
    event = next(e for e in result.all_events if e.event_type == dg.DagsterEventType.RUN_FAILURE)
    context = dg.build_run_status_sensor_context("run_failed", event, instance, result.dagster_run).for_run_failure()
    found = alerts.run_failed(context)
    assert isinstance(found, dg.RunRequest) == asks
    if isinstance(found, dg.RunRequest):
        assert found.run_key == result.run_id


def tick(instance: dg.DagsterInstance, use: Runtime, cursor: str | None) -> tuple[int, str | None]:
    data = alerts.alerts_hourly.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor, resources={"runtime": use}))
    return len(data.run_requests or ()), data.cursor


def test_an_hour_without_news_starts_no_run(instance: dg.DagsterInstance, desk: Desk, tmp_path: Path) -> None:
    use = runtime(desk)
    assert tick(instance, runtime(desk, duckdb_path=tmp_path / "none.duckdb"), None) == (0, None), "there is no warehouse yet"
    assert tick(instance, use, None)[0] == 0, "nothing is held yet"
    now = datetime.now(UTC)
    desk.fetch("cursor", "events", (now - timedelta(days=1)).date(), at=now)
    asked, seen = tick(instance, use, None)
    assert asked == 1
    assert tick(instance, use, seen) == (0, seen)
    desk.fetch("cursor", "events", date(2026, 1, 1), at=now)
    assert tick(instance, use, seen)[0] == 1


def test_the_asset_tells_and_stops_nobody(instance: dg.DagsterInstance, desk: Desk, tmp_path: Path) -> None:
    """A mistake in somebody's file is a check that warns: the report comes after this asset."""
    job("daily", None).execute_in_process(instance=instance)
    desk.fetch("cursor", "events", (datetime.now(UTC) - timedelta(days=1)).date(), state="failed", error="401")
    bad = tmp_path / "alerts.yaml"
    bad.write_text("alerts: {bugdet: {}}", encoding="utf-8")
    for more, opened, passed in (({"alerts_file": bad}, None, False), ({}, 5, True), ({"alert_urls": "nonsense"}, None, False)):
        result = dg.materialize([alerts.alert_log], resources={"runtime": runtime(desk, **more)}, instance=instance)
        assert result.success
        (evaluation,) = result.get_asset_check_evaluations()
        assert (evaluation.passed, evaluation.severity) == (passed, dg.AssetCheckSeverity.WARN)
        metadata = result.asset_materializations_for_node("alert_log")[0].metadata
        if opened is not None:
            assert metadata["opened"].value == opened
        else:
            assert "nonsense" not in str(evaluation.metadata["sample"].value)
    # Cursor's key is given, and nobody asked for any of its four endpoints.
    missing = {("not_read", f"cursor {name}") for name in ("members", "daily-usage-data", "filtered-usage-events", "spend")}
    told = [(event.alert, event.subject) for event in desk_events(desk)]
    assert set(told) == {("ingestion_failed", "cursor events")} | missing and len(told) == 5


def desk_events(desk: Desk) -> list[Event]:
    from ai_usage.alerts.passes import read_log

    return list(read_log(desk.warehouse))
