"""The sensor that repairs failed runs: each once, the assets that may succeed, after a while.

Belongs here: which failed run is worth another one. The HTTP client has already tried for minutes, so a repair comes later; Dagster itself starts a
run again whose process died (`run_retries` in dagster.yaml), and never one whose assets failed. A run that died and that Dagster did not start again
(its tries are used up, or it could not) is repaired as others are. What a person must mend (a wrong key, a changed contract, a failed blocking check)
is not repeated, a repair is not repaired, and the same days are repaired once a UTC day.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from ai_usage.defs.operations.jobs import daily, everything_on, range_tags
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings

LOOKBACK = timedelta(days=1)
REPAIRS, REPAIRED_DAYS = "ai_usage/repairs", "ai_usage/repaired_days"
# Dagster's word that it will start a failed run again; how often at most; and, on a run that was started again, which one it repeats.
WILL_RETRY, MAX_RETRIES, PARENT = "dagster/will_retry", "dagster/max_retries", "dagster/parent_run_id"
DAGSTER_RETRIES_WITHIN = timedelta(minutes=15)  # it takes seconds; a daemon that comes up after a sleep has other things to do first
FIRST, LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
# Errors that reach Dagster without our word on them.
PASSING = frozenset({"TransientError", "MovingSetError", "WarehouseBusyError", "WarehouseFullError"})
FULL = ("[Errno 28]", "[Errno 122]")  # no space left, quota used up: somebody makes room, and nobody tells us


@dg.sensor(job=daily, minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
def failed_runs(context: dg.SensorEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.SensorResult:
    """At most one repair a look. The cursor holds the failed runs of the last day that were judged, so that each is judged once."""
    now = datetime.now(UTC)
    judged: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
    found = context.instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - LOOKBACK), ascending=True
    )
    kept = {record.dagster_run.run_id for record in found}
    judged = {run_id: said for run_id, said in judged.items() if run_id in kept}
    waits: list[str] = []
    requests: list[dg.RunRequest] = []
    for record in found:
        run = record.dagster_run
        if run.run_id in judged:
            continue
        ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else record.update_timestamp.replace(tzinfo=UTC)
        due = ended + timedelta(minutes=runtime.settings.repair_after_minutes)
        if _dagster_would(run):
            due = max(due, ended + DAGSTER_RETRIES_WITHIN)
        reason, assets = _judge(context, record, runtime.settings)
        if reason is None and now < due:
            waits.append(f"The run {run.run_id} is repaired at {due:%H:%M} UTC.")
            continue
        judged[run.run_id] = reason or "repaired"
        context.log.info(f"Failed run {run.run_id} of {run.job_name}: {reason or 'one repair is asked for'}.")
        if reason is None:
            first, last = _days(run)
            tags = {**range_tags(first, last), REPAIRS: run.run_id, REPAIRED_DAYS: f"{first} {last}"}
            if not any(_failed_assets(context.instance, run.run_id)):
                tags[MAX_RETRIES] = "0"  # what killed this run may kill its repair: one try is enough to see that
            if _dagster_would(run):
                context.instance.add_run_tags(run.run_id, {WILL_RETRY: "false"})  # from now on the run is ours, or it would be made twice
            requests.append(dg.RunRequest(run_key=f"repair {run.run_id}", tags=tags, asset_selection=assets))
            break  # the next look sees this repair, and does not ask for the same days again
    skip = None if requests else dg.SkipReason(" ".join(waits) or "No failed run is worth another one.")
    return dg.SensorResult(run_requests=requests, skip_reason=skip, cursor=json.dumps(judged))


def _days(run: dg.DagsterRun) -> tuple[str, str]:
    day = run.tags.get("dagster/partition", "")
    return run.tags.get(FIRST, day), run.tags.get(LAST, day)


def _dagster_would(run: dg.DagsterRun) -> bool:
    return run.tags.get(WILL_RETRY, "").lower() == "true"


def _judge(context: dg.SensorEvaluationContext, record: dg.RunRecord, settings: Settings) -> tuple[str | None, list[dg.AssetKey]]:
    """(why a failed run is not repaired, or None; the assets that a repair makes)"""
    run, instance = record.dagster_run, context.instance
    first, last = _days(run)
    if REPAIRS in run.tags:
        return "it was a repair itself", []
    if not first or not last:
        return "it was about no days, so the next run does the same", []
    again = instance.get_run_records(dg.RunsFilter(tags={PARENT: run.run_id}), limit=1)
    if again:
        return f"Dagster or a person started it again as {again[0].dagster_run.run_id}", []
    passing, permanent = _failed_assets(instance, run.run_id)
    if not passing and not permanent:  # its process died, or never came to the first asset
        passing = _unfinished_assets(instance, run.run_id)
    elif not passing:
        return f"a person must act first ({', '.join(sorted(permanent))}; docs/runbook.md)", []
    days = f"{first} {last}"
    if instance.get_run_records(dg.RunsFilter(tags={REPAIRED_DAYS: days}, created_after=_midnight()), limit=1):
        return "these days were repaired today already", []
    later = instance.get_run_records(
        dg.RunsFilter(job_name=daily.name, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=record.create_timestamp), limit=50
    )
    if any(REPAIRS not in r.dagster_run.tags and _days(r.dagster_run)[0] <= first and last <= _days(r.dagster_run)[1] for r in later):
        return "a later run has read these days", []
    assets = _worth_making(context, passing, permanent, settings)
    return (None, assets) if assets else ("it left no asset of the daily job to make", [])


def _midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _failed_assets(instance: dg.DagsterInstance, run_id: str) -> tuple[set[str], set[str]]:
    """(assets that may succeed when they are made again, assets that will not)"""
    passing: set[str] = set()
    permanent: set[str] = set()
    for entry in instance.all_logs(run_id, dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        if event is not None and event.step_key:
            (passing if _is_passing(event.step_failure_data) else permanent).add(event.step_key)
    return passing, permanent


def _unfinished_assets(instance: dg.DagsterInstance, run_id: str) -> set[str]:
    """What the run was to make and did not come to the end of, checks included."""
    planned = {
        entry.dagster_event.asset_key.to_user_string()
        for entry in instance.all_logs(run_id, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
        if entry.dagster_event and entry.dagster_event.asset_key
    }
    return planned - {str(entry.step_key) for entry in instance.all_logs(run_id, dg.DagsterEventType.STEP_SUCCESS)}


def _is_passing(data: Any) -> bool:
    """By our own word on the failure, else by the class of what was raised; what is unknown is a person's business."""
    said = data.user_failure_data.metadata.get("kind") if data.user_failure_data else None
    if said is not None:
        return bool(said.value == "transient")
    error = data.error
    while error is not None:
        if error.cls_name in PASSING or (error.cls_name == "OSError" and any(sign in error.message for sign in FULL)):
            return True
        error = error.cause
    return False


def _worth_making(context: dg.SensorEvaluationContext, passing: set[str], permanent: set[str], settings: Settings) -> list[dg.AssetKey]:
    """The assets that may succeed and what comes after them, but nothing that waits for one that will fail again."""
    if context.repository_def is None:
        return []
    graph = context.repository_def.asset_graph
    there = graph.get_all_asset_keys()
    keys = {
        kind: [k for k in (dg.AssetKey(n) for n in names) if k in there] for kind, names in (("passing", passing), ("permanent", permanent))
    }
    if not keys["passing"]:
        return []
    selection = dg.AssetSelection.assets(*keys["passing"]).downstream() & everything_on(settings)
    if keys["permanent"]:
        selection = selection - dg.AssetSelection.assets(*keys["permanent"]).downstream()
    return sorted(selection.resolve(graph), key=lambda key: key.to_user_string())
