"""Jobs, schedules, and the sensors for the sheet and for dropped files.

Belongs here: when sources are read and over which days. Each morning reads the trailing settle window again, each source as one ranged run; days before
it that nobody has read, because the machine slept, are added. What follows is asked for by `batches.py`; what failed is repaired by `repair.py`.
"""

import hashlib
import json
from datetime import UTC, date, datetime

import dagster as dg

from ai_usage.defs.common import GIVEN
from ai_usage.defs.operations.alerts import alerts_hourly, alerts_job, run_failed
from ai_usage.defs.operations.batches import settle_window, sources_ended
from ai_usage.defs.operations.jobs import UPLOADS, close_month, daily, hourly, on, rebuild, source_runs, sources
from ai_usage.defs.operations.repair import failed_runs
from ai_usage.errors import SettingsError
from ai_usage.operations import completeness
from ai_usage.runtime import Runtime
from ai_usage.sources.errors import SourceError
from ai_usage.sources.uploads import client as uploads
from ai_usage.warehouse import WarehouseError

HOUR, MINUTE = map(int, GIVEN.schedule_at.split(":"))


@dg.schedule(
    job=sources,
    cron_schedule=f"{MINUTE} {HOUR} * * *",
    execution_timezone=GIVEN.schedule_zone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Reads each source in a run of its own, at AI_USAGE_SCHEDULE_AT, by default 06:00 in Los Angeles: the UTC "
    "day has ended and the vendors have aggregated it. Forgotten days follow, oldest first.",
)
def every_morning(context: dg.ScheduleEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> list[dg.RunRequest]:
    at = context.scheduled_execution_time
    first, last = settle_window(runtime, at)
    settings = runtime.settings
    requests = source_runs(settings, on(settings), f"{at:%Y-%m-%d}", first, last)
    try:
        days = completeness.forgotten(runtime.hurried(), date.fromisoformat(first)) if settings.catch_up_runs else []
    except WarehouseError as error:  # there is none yet, or a run has it: the next morning looks again
        context.log.info(f"No look for forgotten days this morning: {error}")
        return requests
    for window in completeness.in_runs(days)[: settings.catch_up_runs]:
        behind = {"ai_usage/catch_up": "true", "dagster/priority": "-1"}
        read = [name for name in on(settings) if name not in ("google_sheets", UPLOADS)]  # what has no days was read this morning
        requests += source_runs(settings, read, f"{at:%Y-%m-%d} {window.first}", str(window.first), str(window.last), **behind)
    return requests


UNFINISHED = [
    dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]  # fmt: skip


@dg.schedule(
    job=hourly,
    cron_schedule="30 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Half past each hour, where AI_USAGE_HOURLY_REFRESH is true: today so far. It gives way to every other run.",
)
def every_hour(context: dg.ScheduleEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.RunRequest | dg.SkipReason:
    if not runtime.settings.hourly_refresh:
        return dg.SkipReason("AI_USAGE_HOURLY_REFRESH is not set to true.")
    busy = context.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED), limit=1)
    if busy:
        return dg.SkipReason(f"The run {busy[0].run_id} of {busy[0].job_name} has not ended; today can wait an hour.")
    return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M}", tags={"dagster/priority": "-2"})


def _all_days(runtime: Runtime, source: str, batch: str) -> list[dg.RunRequest]:
    """One source, then all days from raw."""
    first, last = runtime.settings.start_date.isoformat(), runtime.yesterday.isoformat()
    return source_runs(runtime.settings, [source], batch, first, last, then=rebuild.name)


@dg.sensor(
    job=sources,
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A changed sheet may move owners and departments on any day: reads its tabs, then rebuilds all days from raw.",
)
def sheet_changed(context: dg.SensorEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.SensorResult | dg.SkipReason:
    """The cursor moves with the request, so a change makes one run."""
    if not runtime.settings.is_on("google_sheets"):
        return dg.SkipReason(runtime.settings.off()["google_sheets"])
    try:
        tabs = runtime.fresh("google_sheets").read()
    except (SourceError, SettingsError) as error:
        return dg.SkipReason(str(error))
    seen = hashlib.sha256(json.dumps(tabs, sort_keys=True, default=str).encode()).hexdigest()
    if context.cursor is None or context.cursor == seen:
        return dg.SensorResult(skip_reason=dg.SkipReason("The sheet is as it was."), cursor=seen)
    # By the time and not by the content: a sheet that goes back and forth is another change each time.
    return dg.SensorResult(run_requests=_all_days(runtime, "google_sheets", f"sheet {datetime.now(UTC).isoformat()}"), cursor=seen)


@dg.sensor(
    job=sources,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Loads a file that has not changed for ten seconds, then rebuilds all days from raw.",
)
def file_dropped(context: dg.SensorEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.SensorResult | dg.SkipReason:
    """Name, size and time of the files make the run's key."""
    waiting = [d.path for d in uploads.dropped(runtime.settings.uploads) if uploads.is_quiet(d.path)]
    if not waiting:
        return dg.SkipReason("No file waits in the drop folder.")
    key = hashlib.sha256(repr([(p.name, p.lstat().st_size, p.lstat().st_mtime_ns) for p in waiting]).encode()).hexdigest()
    return dg.SensorResult(run_requests=_all_days(runtime, UPLOADS, f"files {key}"))


JOBS = [sources, daily, rebuild, hourly, close_month, alerts_job]
SCHEDULES = [every_morning, every_hour]
SENSORS = [sources_ended, sheet_changed, file_dropped, failed_runs, alerts_hourly, run_failed]
