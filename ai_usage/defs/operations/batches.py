"""What follows the runs of the sources: the sensor that asks for the transformation when all runs of a batch have ended.

Belongs here: which runs belong together, and when they have ended. A batch is a morning, a repair, a dropped file, an edit of the sheet, or what a
person started in Dagster's pages. How a source's run ended does not matter here: what it could not read stays as it was, and is named by the checks,
the alerts and the report, which are part of what follows.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from ai_usage.defs.operations.jobs import BATCH, RAW, THEN, daily, days_of, range_tags, rebuild, sources
from ai_usage.runtime import Runtime

LOOKBACK = timedelta(days=1)
BACKFILL = "dagster/backfill"
# The job of runs that a person or a backfill starts for assets, whatever their jobs.
ASSET_JOB = "__ASSET_JOB"
# Dagster's word that it will start a failed run again, and, on a run that was started again, which one it repeats.
WILL_RETRY, PARENT = "dagster/will_retry", "dagster/parent_run_id"
DAGSTER_RETRIES_WITHIN = timedelta(minutes=15)  # it takes seconds; a daemon that comes up after a sleep has other things to do first


def settle_window(runtime: Runtime, at: datetime) -> tuple[str, str]:
    """The days that a morning reads: the UTC day before `at` and the settle window before it, not before the start date."""
    last = at.astimezone(UTC).date() - timedelta(days=1)
    first = max(runtime.settings.start_date, last - timedelta(days=runtime.settings.settle_days - 1))
    return first.isoformat(), last.isoformat()


def batch_of(run: dg.DagsterRun) -> str:
    return run.tags.get(BATCH) or run.tags.get(BACKFILL) or str(run.run_id)


def reads_only(run: dg.DagsterRun) -> bool:
    """Whether a run reads sources and makes nothing of them."""
    if run.job_name == ASSET_JOB:
        return bool(run.asset_selection) and all(key.to_user_string() in RAW for key in run.asset_selection)
    return bool(run.job_name == sources.name)


def runs_of(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """The runs of a run's batch, oldest first; itself alone where it belongs to none."""
    run = instance.get_run_by_id(run_id)
    batch = run.tags.get(BATCH) if run else None
    return [r.run_id for r in reversed(instance.get_runs(dg.RunsFilter(tags={BATCH: batch})))] if batch else [run_id]


def ended_at(record: dg.RunRecord) -> datetime:
    return datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp.replace(tzinfo=UTC)


def dagster_would_retry(run: dg.DagsterRun) -> bool:
    return str(run.tags.get(WILL_RETRY, "")).lower() == "true"


@dg.sensor(
    jobs=[daily, rebuild],
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="When the runs of a batch have ended, or the time to wait for them is over: one run "
    "of what follows. A source that comes later leads to another one.",
)
def sources_ended(context: dg.SensorEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.SensorResult:
    """The cursor holds for each batch until when its ended runs have been used."""
    now = datetime.now(UTC)
    used: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
    batches: dict[str, list[dg.RunRecord]] = {}
    for job in (sources.name, ASSET_JOB):
        for record in context.instance.get_run_records(dg.RunsFilter(job_name=job, updated_after=now - LOOKBACK), ascending=True):
            run = record.dagster_run
            if reads_only(run) and (THEN in run.tags or BATCH not in run.tags):  # a command does itself what follows
                batches.setdefault(batch_of(run), []).append(record)
    requests, waits = [], []
    for batch, records in batches.items():
        ended = [r for r in records if r.dagster_run.is_finished]
        news = max((ended_at(r).isoformat() for r in ended), default="")
        if news <= used.get(batch, ""):
            continue
        going = _going(context.instance, batch, records, now)
        begun = min(r.create_timestamp for r in records).replace(tzinfo=UTC)
        if going and (batch in used or now - begun < timedelta(minutes=runtime.settings.wait_for_sources_minutes)):
            waits.append(f"Of {batch} {going}.")
            continue
        used[batch] = news
        requests.append(_what_follows(context.instance, runtime, batch, records, news))
    skip = None if requests else dg.SkipReason(" ".join(waits) or "No source was read since the last look.")
    return dg.SensorResult(run_requests=requests, skip_reason=skip, cursor=json.dumps({b: at for b, at in used.items() if b in batches}))


def _going(instance: dg.DagsterInstance, batch: str, records: Sequence[dg.RunRecord], now: datetime) -> str | None:
    """What has not ended; None when all has. A run that Dagster will start again has not."""
    backfill = instance.get_backfill(batch)
    if backfill is not None and backfill.status.value in ("REQUESTED", "CANCELING", "FAILING"):
        return "the backfill has not ended"
    again = {r.dagster_run.tags.get(PARENT) for r in records}
    open_runs = [
        r.dagster_run.run_id
        for r in records
        if not r.dagster_run.is_finished
        or (dagster_would_retry(r.dagster_run) and r.dagster_run.run_id not in again and now < ended_at(r) + DAGSTER_RETRIES_WITHIN)
    ]
    return f"{len(open_runs)} of {len(records)} runs have not ended" if open_runs else None


def _what_follows(instance: dg.DagsterInstance, runtime: Runtime, batch: str, records: Sequence[dg.RunRecord], news: str) -> dg.RunRequest:
    runs = [r.dagster_run for r in records]
    for run in runs:
        if BATCH not in run.tags:  # a person started it; from now on what follows knows its checks
            instance.add_run_tags(run.run_id, {BATCH: batch, THEN: daily.name})
    days = [days for days in map(days_of, runs) if all(days)] or [settle_window(runtime, datetime.now(UTC))]
    then = next((run.tags[THEN] for run in runs if THEN in run.tags), daily.name)
    return dg.RunRequest(
        job_name=then, run_key=f"{batch} {news}",
        # Before whatever else waits in the queue: it may be a source that is slow.
        tags={**range_tags(min(first for first, _ in days), max(last for _, last in days)), BATCH: batch, "dagster/priority": "1"},
    )  # fmt: skip
