"""Jobs, the daily schedule, and the sensors.

Belongs here: when things run and over which days. The daily job reads the trailing settle window again as one ranged run.
"""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import dagster as dg

from ai_usage.defs.operations.alerts import alerts_hourly, alerts_job, run_failed
from ai_usage.runtime import Runtime
from ai_usage.settings import SettingsError, load_settings
from ai_usage.sources.errors import SourceError
from ai_usage.sources.uploads import client as uploads

SOURCES = {
    "cursor": dg.AssetSelection.groups("cursor"),
    "anthropic": dg.AssetSelection.groups("anthropic"),
    "claude_enterprise": dg.AssetSelection.groups("claude_enterprise"),
    "google_sheets": dg.AssetSelection.groups("google_sheets"),
}
SQL = dg.AssetSelection.groups("curated", "marts") | dg.AssetSelection.assets("html_report")


def _on() -> dg.AssetSelection:
    """Everything but the sources that are off: their assets stay in the graph and say why when asked for."""
    selection: dg.AssetSelection = dg.AssetSelection.all()
    for name in load_settings().off():
        selection = selection - SOURCES[name]
    return selection


daily = dg.define_asset_job("daily", selection=_on(), description="Every source that is on, every table, every check.")
rebuild = dg.define_asset_job(
    "rebuild",
    selection=SQL | SOURCES["google_sheets"] if load_settings().sheet_is_on else SQL,
    description="Dimensions, facts and marts from what raw holds; asks no vendor.",
)
uploads_job = dg.define_asset_job(
    "load_uploads",
    selection=dg.AssetSelection.assets("uploaded_files") | dg.AssetSelection.groups("claude_ai") | SQL,
    description="Dropped files, then what depends on them.",
)


def range_tags(first: str, last: str) -> dict[str, str]:
    """Run tags that make one run of a range of days."""
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def settle_window(runtime: Runtime, at: datetime) -> tuple[str, str]:
    """The days that a daily run reads: the UTC day before `at` and the settle window before it, not before the start date."""
    last = at.astimezone(UTC).date() - timedelta(days=1)
    first = max(runtime.settings.start_date, last - timedelta(days=runtime.settings.settle_days - 1))
    return first.isoformat(), last.isoformat()


@dg.schedule(
    job=daily, cron_schedule="0 6 * * *", execution_timezone="America/Los_Angeles", default_status=dg.DefaultScheduleStatus.RUNNING
)
def every_morning(context: dg.ScheduleEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.RunRequest:
    """06:00 in Los Angeles: the UTC day has ended and the vendors have aggregated it."""
    return dg.RunRequest(
        run_key=f"{context.scheduled_execution_time:%Y-%m-%d}", tags=range_tags(*settle_window(runtime, context.scheduled_execution_time))
    )


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


JOBS = [daily, rebuild, uploads_job, alerts_job]
SCHEDULES = [every_morning]
SENSORS = [sheet_changed, file_dropped, alerts_hourly, run_failed]
