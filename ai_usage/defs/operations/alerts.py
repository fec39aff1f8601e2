"""Alerts in Dagster: the asset that tells, the job and the sensors that see to it that it is told.

Belongs here: when a pass is made, and what Dagster alone knows: which runs failed. A pass never fails a run for a message that could not be
delivered; it is tried again at the next one.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from ai_usage.alerts import passes
from ai_usage.alerts.conditions import Cause
from ai_usage.defs.common import OWNERS, check, spent, table_metadata
from ai_usage.runtime import Runtime
from ai_usage.settings import SettingsError
from ai_usage.tables import BY_NAME, MARTS
from ai_usage.warehouse import WarehouseError

WATCHED = ("daily", "rebuild", "load_uploads")
SHOWN_STEPS = 3
_LOG = BY_NAME["alert_log"]


@dg.asset(
    name="alert_log", description=_LOG.description, metadata=table_metadata(_LOG), group_name="operations", owners=OWNERS, kinds={"python", "table"},
    deps=[t.name for t in MARTS if t.name != "vw_alerts"],
    check_specs=[dg.AssetCheckSpec("alerts_told", asset="alert_log", description="Every condition could be asked and every message was accepted.")],
)  # fmt: skip
def alert_log(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    try:
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
    """Jobs whose last finished run failed, with the sentences of the steps that failed first. A run that is still going counts for neither."""
    causes = []
    for job in WATCHED:
        ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
        for record in instance.get_run_records(dg.RunsFilter(job_name=job, statuses=ended), limit=1):
            if record.dagster_run.status != dg.DagsterRunStatus.FAILURE:
                continue
            at = datetime.fromtimestamp(record.end_time, UTC).date() if record.end_time else None
            causes.append(Cause("run_failed", job, job, None, None, "runs", _reason(instance, record.dagster_run.run_id), since=at))
    return causes


def _reason(instance: dg.DagsterInstance, run_id: str) -> str:
    said: list[str] = []
    for entry in instance.all_logs(run_id, dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        if event is None or len(said) == SHOWN_STEPS:
            continue
        data = event.step_failure_data
        words = data.user_failure_data.description if data.user_failure_data else None
        if not words and data.error and data.error.cls_name == "DagsterAssetCheckFailedError":
            words = "a blocking check failed."
        said.append(f"{event.step_key}: {words or 'see its log in Dagster.'}")
    return " ".join(said) or "No step says why; its log is in Dagster."


alerts_job = dg.define_asset_job(
    "alerts",
    selection=dg.AssetSelection.assets("alert_log", "vw_alerts"),
    description="One pass of the alerts, and the view that shows them.",
)


@dg.sensor(job=alerts_job, minimum_interval_seconds=3600, default_status=dg.DefaultSensorStatus.RUNNING)
def alerts_hourly(context: dg.SensorEvaluationContext, runtime: dg.ResourceParam[Runtime]) -> dg.SensorResult | dg.SkipReason:
    """Every hour two small questions: did the data change, is a source silent too long, does something wait to be told. Else nothing runs."""
    try:
        why, mark = passes.needed(runtime, context.cursor)
    except (WarehouseError, SettingsError) as error:
        return dg.SkipReason(str(error))
    if why is None:
        return dg.SensorResult(skip_reason=dg.SkipReason("Nothing changed and nothing waits to be told."), cursor=mark)
    return dg.SensorResult(run_requests=[dg.RunRequest(tags={"ai_usage/why": why[:200]})], cursor=mark)


@dg.run_failure_sensor(request_job=alerts_job, default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=60)
def run_failed(context: dg.RunFailureSensorContext) -> dg.RunRequest | dg.SkipReason:
    """A run that fails skips what comes after the step that failed, the alerts among it: they get a run of their own."""
    if context.dagster_run.job_name not in WATCHED:
        return dg.SkipReason(f"{context.dagster_run.job_name} is not watched.")
    return dg.RunRequest(run_key=context.dagster_run.run_id)
