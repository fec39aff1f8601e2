"""The end of a run: its requests go into `vendor_requests`, the metrics file is written. A run that fails ends here too.

Belongs here: what Dagster knows of a run, handed to `operations/metrics.py` and to `logs.py`. The resource `runtime` ends when the last step has: a
sensor would learn of a run's end in another process, which has not counted its requests, and an asset at the end would be skipped when one before
it fails.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from ai_usage import logs
from ai_usage.defs.operations.batches import runs_of
from ai_usage.defs.operations.jobs import SOURCE, SOURCES, on
from ai_usage.defs.operations.outputs import run_checks
from ai_usage.operations import metrics
from ai_usage.operations.states import NAMES
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources import registry

EVENTS = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
}
ENDPOINTS = {endpoint.table.name: key for key, endpoint in registry.ENDPOINTS.items()}
RECENT = 29  # runs before this one
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def job_labels() -> Mapping[str, str]:
    """Asset, run and partition of the step that this thread is in; nothing outside of one."""
    try:
        context = dg.AssetExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        return {}
    labels = {"asset": context.asset_key.to_user_string(), "run": context.run.run_id}
    if context.has_partition_key_range:
        found = context.partition_key_range
        labels["partition"] = found.start if found.start == found.end else f"{found.start}_{found.end}"
    elif context.has_partition_key:
        labels["partition"] = context.partition_key
    return labels


def json_console() -> dg.LoggerDefinition:
    """Dagster's console logger where `AI_USAGE_LOG_FORMAT` is json; it takes the default one's place and its configuration."""

    @dg.logger({"log_level": dg.Field(str, is_required=False, default_value="DEBUG")}, description="One JSON object a line.")
    def console(context: dg.InitLoggerContext) -> logging.Logger:
        return logs.console(str(context.logger_config["log_level"]))

    return console


def log_context() -> Mapping[str, Any]:
    """`job_labels` in the words of the log."""
    found = dict(job_labels())
    return ({"run_id": found.pop("run")} | found) if "run" in found else found


def runtime_resource(runtime: Runtime) -> dg.ResourceDefinition:
    """The runtime as a resource that knows when its run ends."""

    @dg.resource(description=_shown(runtime.settings))
    def settings_warehouse_and_clients(context: dg.InitResourceContext) -> Iterator[Runtime]:
        began = datetime.now(UTC)
        if context.run is not None:
            runtime.traffic.take()  # what a sensor asked in this process is no request of the run
        with runtime.held():
            try:
                yield runtime
            finally:
                if context.run is not None and context.instance is not None:
                    try:
                        end(runtime, context.instance, context.run, began)
                    except Exception as error:  # the run's own result must not depend on its statistics
                        said = f"{type(error).__name__}: {error}"
                        if context.log is not None:
                            context.log.warning(f"The run's requests or metrics could not be written ({said}); its data stand.")

    return settings_warehouse_and_clients


def _shown(settings: Settings) -> str:
    """What the resource's page says of it: the settings that decide what runs do, and no key. A launch can change none of them."""
    rows = {
        "warehouse": settings.warehouse, "sources that are on": ", ".join(NAMES[name] for name in on(settings)),
        "off": " ".join(settings.off().values()) or "none", "first day": settings.start_date, "days read again each morning": settings.settle_days,
        "each morning at": f"{settings.schedule_at} {settings.schedule_zone}",
    }  # fmt: skip
    return "Settings, warehouse and the vendors' clients.\n\n" + "\n".join(f"- {name}: {value}" for name, value in rows.items())


def end(runtime: Runtime, instance: dg.DagsterInstance, run: dg.DagsterRun, began: datetime) -> None:
    """Append the run's requests; write the metrics file where one is set."""
    lines = runtime.traffic.take()
    metrics.record(runtime, run.run_id, lines)
    if runtime.settings.metrics_file is not None:
        metrics.write(runtime, runtime.settings.metrics_file, facts(instance, run, began), lines)


def facts(instance: dg.DagsterInstance, run: dg.DagsterRun, began: datetime) -> metrics.RunFacts:
    """Of the run, and with it of the sources' runs that it follows."""
    seconds: dict[str, float] = {}
    responses: dict[tuple[str, str], dict[float, float]] = {}
    success = True
    for run_id in runs_of(instance, run.run_id):
        for entry in instance.all_logs(run_id, EVENTS):
            event = entry.dagster_event
            if event is None or event.step_key is None:
                continue
            if event.is_step_failure:
                success &= run_id != run.run_id
            elif event.event_type == dg.DagsterEventType.STEP_SUCCESS:
                seconds[event.step_key] = event.step_success_data.duration_ms / 1000
            elif event.step_key in ENDPOINTS:
                said = event.step_materialization_data.materialization.metadata
                if "response_p50_s" in said:
                    found = (float(str(said[f"response_p{q * 100:.0f}_s"].value)) for q in metrics.QUANTILES)
                    responses[ENDPOINTS[event.step_key]] = dict(zip(metrics.QUANTILES, found, strict=True))
    checks = run_checks(instance, run.run_id)
    recent = instance.get_runs(dg.RunsFilter(statuses=ENDED), limit=RECENT)
    return metrics.RunFacts(
        job=run.job_name, run_id=run.run_id, success=success, began=began, ended=datetime.now(UTC),
        checks={"passed": checks.passed, "warning": checks.warnings, "failed": checks.failed}, asset_seconds=seconds,
        last_success=last_success(instance), recent_runs=len(recent), recent_successes=sum(r.status == dg.DagsterRunStatus.SUCCESS for r in recent),
        sources=last_reads(instance), responses=responses,
    )  # fmt: skip


def last_reads(instance: dg.DagsterInstance) -> dict[str, bool]:
    """{source: whether the last run that read it alone succeeded}."""
    found = {name: instance.get_runs(dg.RunsFilter(tags={SOURCE: name}, statuses=ENDED), limit=1) for name in SOURCES}
    return {name: runs[0].status == dg.DagsterRunStatus.SUCCESS for name, runs in found.items() if runs}


def last_success(instance: dg.DagsterInstance) -> dict[str, datetime]:
    """{job: when its last successful run ended}, of the jobs among the last 200 successful runs."""
    found: dict[str, datetime] = {}
    for record in instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]), limit=200):
        if record.end_time is not None:
            found.setdefault(record.dagster_run.job_name, datetime.fromtimestamp(record.end_time, UTC))
    return found
