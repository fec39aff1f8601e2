"""Jobs, schedules, and the sensors for the sheet and for dropped files.

Belongs here: when things run and over which days. The daily job reads the trailing settle window again as one ranged run; days before it that
nobody has read, because the machine slept, are added. What failed is repaired by `repair.py`.
"""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from ai_usage import completeness
from ai_usage.defs.operations.alerts import alerts_hourly, alerts_job, run_failed
from ai_usage.defs.operations.jobs import BY_HAND, LOGS, SOURCES, SQL, daily, hourly, range_tags
from ai_usage.defs.operations.repair import failed_runs
from ai_usage.runtime import Runtime
from ai_usage.settings import SettingsError, load_settings
from ai_usage.sources.errors import SourceError
from ai_usage.sources.uploads import client as uploads
from ai_usage.warehouse import WarehouseError

rebuild = dg.define_asset_job(
    "rebuild",
    config=LOGS,
    selection=SQL | SOURCES["google_sheets"] if load_settings().sheet_is_on else SQL,
    description="Dimensions, facts and marts from what raw holds; asks no vendor.",
)
uploads_job = dg.define_asset_job(
    "load_uploads",
    config=LOGS,
    selection=dg.AssetSelection.assets("uploaded_files") | dg.AssetSelection.groups("claude_ai") | SQL,
    description="Dropped files, then what depends on them.",
)


close_month = dg.define_asset_job(
    "close_month",
    config=LOGS,
    selection=dg.AssetSelection.groups("curated", "marts") | BY_HAND,
    description="A month's facts and marts once more, then the month is frozen. Give it the month's days as range and month and author as config.",
)


def settle_window(runtime: Runtime, at: datetime) -> tuple[str, str]:
    """The days that a daily run reads: the UTC day before `at` and the settle window before it, not before the start date."""
    last = at.astimezone(UTC).date() - timedelta(days=1)
    first = max(runtime.settings.start_date, last - timedelta(days=runtime.settings.settle_days - 1))
    return first.isoformat(), last.isoformat()


@dg.schedule(
    job=daily, cron_schedule="0 6 * * *", execution_timezone="America/Los_Angeles", default_status=dg.DefaultScheduleStatus.RUNNING
)
def every_morning(context: dg.ScheduleEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> list[dg.RunRequest]:
    """06:00 in Los Angeles: the UTC day has ended and the vendors have aggregated it. Forgotten days follow, oldest first, behind the window."""
    at = context.scheduled_execution_time
    first, last = settle_window(runtime, at)
    requests = [dg.RunRequest(run_key=f"{at:%Y-%m-%d}", tags=range_tags(first, last))]
    try:
        days = completeness.forgotten(runtime.hurried(), date.fromisoformat(first)) if runtime.settings.catch_up_runs else []
    except WarehouseError as error:  # there is none yet, or a run has it: the next morning looks again
        context.log.info(f"No look for forgotten days this morning: {error}")
        return requests
    for window in completeness.ranges(days)[: runtime.settings.catch_up_runs]:
        requests.append(
            dg.RunRequest(
                run_key=f"{at:%Y-%m-%d} {window.first}",
                tags={
                    **range_tags(window.first.isoformat(), window.last.isoformat()),
                    "ai_usage/catch_up": "true",
                    "dagster/priority": "-1",
                },
            )
        )
    return requests


UNFINISHED = [
    dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]  # fmt: skip


@dg.schedule(job=hourly, cron_schedule="30 * * * *", execution_timezone="UTC", default_status=dg.DefaultScheduleStatus.STOPPED)
def every_hour(context: dg.ScheduleEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.RunRequest | dg.SkipReason:
    """Half past each hour, where `AI_USAGE_HOURLY_REFRESH` is true: today so far. It gives way to every other run."""
    if not runtime.settings.hourly_refresh:
        return dg.SkipReason("AI_USAGE_HOURLY_REFRESH is not set to true.")
    busy = context.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED), limit=1)
    if busy:
        return dg.SkipReason(f"The run {busy[0].run_id} of {busy[0].job_name} has not ended; today can wait an hour.")
    return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M}", tags={"dagster/priority": "-2"})


@dg.sensor(job=rebuild, minimum_interval_seconds=600, default_status=dg.DefaultSensorStatus.RUNNING)
def sheet_changed(context: dg.SensorEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.SensorResult | dg.SkipReason:
    """A changed sheet may move owners and departments on any day: publish its tabs, then rebuild all days from raw. The cursor moves with
    the request, so a change makes one run."""
    if not runtime.settings.sheet_is_on:
        return dg.SkipReason(runtime.settings.off()["google_sheets"])
    try:
        tabs = runtime.fresh_sheets().read()
    except (SourceError, SettingsError) as error:
        return dg.SkipReason(str(error))
    seen = hashlib.sha256(json.dumps(tabs, sort_keys=True, default=str).encode()).hexdigest()
    if context.cursor is None or context.cursor == seen:
        return dg.SensorResult(skip_reason=dg.SkipReason("The sheet is as it was."), cursor=seen)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(tags=range_tags(runtime.settings.start_date.isoformat(), runtime.yesterday.isoformat()))],
        cursor=seen,
    )


@dg.sensor(job=uploads_job, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def file_dropped(context: dg.SensorEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.SensorResult | dg.SkipReason:
    """A file that has not changed for ten seconds is complete; its name, size and time make the run's key."""
    waiting = [d.path for d in uploads.dropped(runtime.settings.uploads) if uploads.is_quiet(d.path)]
    if not waiting:
        return dg.SkipReason("No file waits in the drop folder.")
    key = hashlib.sha256(repr([(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in waiting]).encode()).hexdigest()
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=key, tags=range_tags(runtime.settings.start_date.isoformat(), runtime.yesterday.isoformat()))]
    )


JOBS = [daily, rebuild, uploads_job, hourly, close_month, alerts_job]
SCHEDULES = [every_morning, every_hour]
SENSORS = [sheet_changed, file_dropped, failed_runs, alerts_hourly, run_failed]
