"""Alerts in Dagster: the asset that tells, the job and the sensors that see to it that it is told.

Belongs here: when a pass is made, and what Dagster alone knows: which runs failed. A pass never fails a run for a message that could not be
delivered; it is tried again at the next one.
"""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import dagster as dg

from ai_usage.alerts import passes
from ai_usage.alerts.conditions import Cause
from ai_usage.defs.common import OWNERS, check, spent, table_metadata
from ai_usage.defs.operations.batches import ASSET_JOB, reads_only
from ai_usage.defs.operations.jobs import RAW, SOURCES, close_month, daily, hourly, rebuild, sources
from ai_usage.defs.operations.outputs import remember
from ai_usage.errors import SettingsError
from ai_usage.operations import states
from ai_usage.runtime import Runtime
from ai_usage.tables import BY_NAME, MARTS
from ai_usage.warehouse import WarehouseError

# All but the alerts' own: a pass that failed would ask for another one for ever.
WATCHED = (sources.name, daily.name, rebuild.name, hourly.name, close_month.name, ASSET_JOB)
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
RECENT = 50  # finished runs of a job among which the last of each source is looked for
SHOWN_STEPS = 3
_LOG = BY_NAME["alert_log"]


@dg.asset(
    name="alert_log", description=_LOG.description, metadata=table_metadata(_LOG), group_name="operations", owners=OWNERS, kinds={"python", "table"},
    deps=[t.name for t in MARTS if t.name != "vw_alerts"],
    check_specs=[dg.AssetCheckSpec("alerts_told", asset="alert_log", description="Every condition could be asked and every message was accepted.")],
)  # fmt: skip
def alert_log(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    made = _pass(context, runtime)
    with suppress(WarehouseError):  # the run's own record tells it too
        for result in made.check_results or ():
            remember(runtime, context.run.run_id, "alert_log", result, blocking=False)
    return made


def _pass(context: dg.AssetExecutionContext, runtime: Runtime) -> dg.MaterializeResult:
    try:
        states.record(runtime)  # by the clock alone a source may have become late
        outcome = passes.pass_once(runtime, failed_runs=failed_runs(context.instance), run_id=context.run.run_id)
    except (SettingsError, WarehouseError) as error:  # a mistake in a file of thresholds must not stop the report, which comes after
        return dg.MaterializeResult(check_results=[_told([{"problem": str(error)}])])
    except Exception as error:  # nor may a mistake of ours
        context.log.exception("The pass of the alerts failed.")
        return dg.MaterializeResult(check_results=[_told([{"problem": f"{type(error).__name__}; the log of this step says more."}])])
    broken = [{"problem": f"{name}: {why}"} for name, why in outcome.found.broken.items()]
    return dg.MaterializeResult(
        metadata={
            "causes": len(outcome.found.causes), "opened": outcome.opened, "resolved": outcome.resolved, "messages": outcome.messages,
            "not_delivered": len(outcome.failures), "skipped": outcome.found.skipped,
        } | spent(runtime),
        check_results=[_told([*broken, *({"problem": sentence} for sentence in outcome.failures)])],
    )  # fmt: skip


def _told(problems: Sequence[dict[str, str]]) -> dg.AssetCheckResult:
    return check(
        "alerts_told", not problems, expected="no problem", actual=f"{len(problems)} problems", sample=problems,
        remedy="Correct what the sentences name, then try ai-usage alerts --test AUDIENCE; what was not delivered is sent by the next pass.",
    )  # fmt: skip


def failed_runs(instance: dg.DagsterInstance) -> list[Cause]:
    """Sources whose last finished run failed, and jobs whose last finished run did, with the sentences of the steps that failed first. A run that is
    still going counts for neither."""
    recent = {job: instance.get_run_records(dg.RunsFilter(job_name=job, statuses=ENDED), limit=RECENT) for job in WATCHED}
    reading = sorted(
        (r for job in (sources.name, ASSET_JOB) for r in recent[job] if reads_only(r.dagster_run)), key=lambda r: r.create_timestamp, reverse=True
    )  # fmt: skip
    causes = [_cause(instance, name, _first(reading, name), {a for a, source in RAW.items() if source == name}) for name in SOURCES]
    for job in (daily.name, rebuild.name):
        causes.append(_cause(instance, job, next(iter(recent[job]), None)))
    # What a person starts may never be started again: the next morning that goes well ends the alert.
    for job in (hourly.name, close_month.name, ASSET_JOB):
        last = next((r for r in recent[job] if not reads_only(r.dagster_run)), None)
        if last and not any(r.dagster_run.is_success and r.create_timestamp > last.create_timestamp for r in recent[daily.name]):
            causes.append(_cause(instance, job, last))
    return [cause for cause in causes if cause]


def _first(records: Iterable[dg.RunRecord], source: str) -> dg.RunRecord | None:
    """The first of these runs that read something of a source."""

    def read(run: dg.DagsterRun) -> bool:
        return not run.asset_selection or any(RAW.get(key.to_user_string()) == source for key in run.asset_selection)

    return next((r for r in records if read(r.dagster_run)), None)


def _cause(instance: dg.DagsterInstance, subject: str, record: dg.RunRecord | None, steps: Collection[str] = ()) -> Cause | None:
    """The cause of a failed run; of one that read several sources, only where a step of `steps` failed or none did."""
    if record is None or record.dagster_run.status != dg.DagsterRunStatus.FAILURE:
        return None
    said = _sentences(instance, record.dagster_run.run_id)
    mine = [sentence for step, sentence in said if not steps or step in steps]
    if said and not mine:
        return None
    at = datetime.fromtimestamp(record.end_time, UTC).date() if record.end_time else None
    reason = " ".join(mine[:SHOWN_STEPS]) or "No step says why; its log is in Dagster."
    return Cause("run_failed", subject, subject, None, None, "runs", reason, since=at)


def _sentences(instance: dg.DagsterInstance, run_id: str) -> list[tuple[str, str]]:
    """(step, what it says) of each step that failed."""
    said: list[tuple[str, str]] = []
    for entry in instance.all_logs(run_id, dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        data = event.step_failure_data
        words = data.user_failure_data.description if data.user_failure_data else None
        if not words and data.error and data.error.cls_name == "DagsterAssetCheckFailedError":
            words = "a blocking check failed."
        said.append((event.step_key, f"{event.step_key}: {words or 'see its log in Dagster.'}"))
    return said


alerts_job = dg.define_asset_job(
    "alerts",
    selection=dg.AssetSelection.assets("alert_log", "vw_alerts"),
    description="One pass of the alerts, and the view that shows them.",
)


@dg.sensor(
    job=alerts_job,
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A pass of the alerts when the data changed, a source has been silent too long, or something waits to be told.",
)
def alerts_hourly(context: dg.SensorEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.SensorResult | dg.SkipReason:
    try:
        why, mark = passes.needed(runtime, context.cursor)
    except (WarehouseError, SettingsError) as error:
        return dg.SkipReason(str(error))
    if why is None:
        return dg.SensorResult(skip_reason=dg.SkipReason("Nothing changed and nothing waits to be told."), cursor=mark)
    return dg.SensorResult(run_requests=[dg.RunRequest(tags={"ai_usage/why": why[:200]})], cursor=mark)


@dg.run_failure_sensor(
    request_job=alerts_job,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="A run that fails skips the alerts that come after it: they get a run of their own.",
)
def run_failed(context: dg.RunFailureSensorContext) -> dg.RunRequest | dg.SkipReason:
    """After runs of sources `daily` tells them."""
    if context.dagster_run.job_name not in WATCHED or reads_only(context.dagster_run):
        return dg.SkipReason(f"After {context.dagster_run.job_name} no alerts are missing.")
    return dg.RunRequest(run_key=context.dagster_run.run_id)
