"""The sensor that repairs failed runs: each once, the assets that may succeed, after a while.

Belongs here: which failed run is worth another one. The HTTP client has already tried for minutes, so a repair comes later; Dagster itself starts a
run again whose process died (`run_retries` in dagster.yaml), and never one whose assets failed. A run that died and that Dagster did not start again
(its tries are used up, or it could not) is repaired as others are. What a person must mend (a wrong key, a changed contract, a failed blocking check)
is not repeated, a repair is not repaired, and the same days of the same sources are repaired once a UTC day. A source that failed is read again and
nothing else; `sources_ended` asks for what follows.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from ai_usage.defs.operations.batches import DAGSTER_RETRIES_WITHIN, LOOKBACK, PARENT, WILL_RETRY, dagster_would_retry, ended_at
from ai_usage.defs.operations.jobs import BATCH, RAW, SOURCE, THEN, afterwards, daily, days_of, keys_of, on, range_tags, sources
from ai_usage.errors import class_names
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings

REPAIRS, REPAIRED_DAYS = "ai_usage/repairs", "ai_usage/repaired_days"
MAX_RETRIES = "dagster/max_retries"  # how often Dagster starts a failed run again at most
TOO_LONG = "DagsterExecutionInterruptedError"  # a failed run that was interrupted took too long; one that a person ended is cancelled and not failed
FULL = ("[Errno 28]", "[Errno 122]")  # no space left, quota used up: somebody makes room, and nobody tells us


@dg.sensor(
    jobs=[sources, daily],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Repairs a failed run once, some time after its end: what failed of that source, or of daily, and what comes after it.",
)
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
        ended = ended_at(record)
        due = ended + timedelta(minutes=runtime.settings.repair_after_minutes)
        if dagster_would_retry(run):
            due = max(due, ended + DAGSTER_RETRIES_WITHIN)
        reason, request = _judge(context, record, runtime.settings)
        if reason is None and now < due:
            waits.append(f"The run {run.run_id} is repaired at {due:%H:%M} UTC.")
            continue
        judged[run.run_id] = reason or "repaired"
        context.log.info(f"Failed run {run.run_id} of {run.job_name}: {reason or 'one repair is asked for'}.")
        if request is not None:
            if dagster_would_retry(run):
                context.instance.add_run_tags(run.run_id, {WILL_RETRY: "false"})  # from now on the run is ours, or it would be made twice
            requests.append(request)
            break  # the next look sees this repair, and does not ask for the same days again
    skip = None if requests else dg.SkipReason(" ".join(waits) or "No failed run is worth another one.")
    return dg.SensorResult(run_requests=requests, skip_reason=skip, cursor=json.dumps(judged))


def _judge(context: dg.SensorEvaluationContext, record: dg.RunRecord, settings: Settings) -> tuple[str | None, dg.RunRequest | None]:
    """(why a failed run is not repaired, or None; the repair)"""
    run, instance = record.dagster_run, context.instance
    first, last = days_of(run)
    if REPAIRS in run.tags:
        return "it was a repair itself", None
    if not first or not last:
        return "it was about no days, so the next run does the same", None
    again = instance.get_run_records(dg.RunsFilter(tags={PARENT: run.run_id}), limit=1)
    if again:
        return f"Dagster or a person started it again as {again[0].dagster_run.run_id}", None
    passing, permanent = _failed_assets(instance, run.run_id)
    died = not passing and not permanent  # its process died, or never came to the first asset
    if died:
        passing = _unfinished_assets(instance, run.run_id)
    elif not passing:
        return f"a person must act first ({', '.join(sorted(permanent))}; docs/runbook.md)", None
    wanted = on(settings)
    raw = [name for name in RAW if name in passing and RAW[name] in wanted]
    read = list(dict.fromkeys(RAW[name] for name in raw))
    days = " ".join([first, last, *read])
    if instance.get_run_records(dg.RunsFilter(tags={REPAIRED_DAYS: days}, created_after=_midnight()), limit=1):
        return "these days were repaired today already", None
    assets = keys_of(raw) if raw else _worth_making(context, passing, permanent, settings)
    if not assets:
        return "it left no asset of the daily job to make", None
    job = sources.name if raw else daily.name
    later = instance.get_run_records(
        dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=record.create_timestamp), limit=50
    )
    if any(_covers(r.dagster_run, first, last, assets) for r in later):
        return "a later run has read these days", None
    tags = {**range_tags(first, last), REPAIRS: run.run_id, REPAIRED_DAYS: days}
    if raw:
        tags |= {BATCH: f"repair {run.run_id}", SOURCE: " ".join(read), THEN: run.tags.get(THEN, daily.name)}
    elif BATCH in run.tags:
        tags[BATCH] = run.tags[BATCH]
    if died:
        tags[MAX_RETRIES] = "0"  # what killed this run may kill its repair: one try is enough to see that
    return None, dg.RunRequest(job_name=job, run_key=f"repair {run.run_id}", tags=tags, asset_selection=assets)


def _covers(later: dg.DagsterRun, first: str, last: str, assets: list[dg.AssetKey]) -> bool:
    begins, ends = days_of(later)
    made = later.asset_selection  # none: its whole job
    return REPAIRS not in later.tags and begins <= first and last <= ends and (not made or made >= set(assets))


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
    passing = {*class_names("transient"), TOO_LONG}
    error = data.error
    while error is not None:
        if error.cls_name in passing or (error.cls_name == "OSError" and any(sign in error.message for sign in FULL)):
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
    selection = dg.AssetSelection.assets(*keys["passing"]).downstream() & afterwards(settings)
    if keys["permanent"]:
        selection = selection - dg.AssetSelection.assets(*keys["permanent"]).downstream()
    return sorted(selection.resolve(graph), key=lambda key: key.to_user_string())
