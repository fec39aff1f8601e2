"""Running jobs in this process: what `ai-usage run` and the demo do with Dagster.

Belongs here: the instance, ranged runs one after another, their events as progress and as one verdict. Does not belong here: printing.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import filelock
from dagster import DagsterEventType, DagsterInstance
from sqlalchemy.exc import DatabaseError, OperationalError

from ai_usage.dashboards.meta import Checks
from ai_usage.definitions import build_defs
from ai_usage.defs import sqlite_records
from ai_usage.defs.operations.jobs import BATCH, SOURCE, assets_of, keys_of, range_tags
from ai_usage.defs.operations.outputs import run_checks
from ai_usage.errors import SettingsError, class_names
from ai_usage.runs import origin
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings

# Making Dagster's three SQLite files takes 1-3 s; a machine ten times slower is still no reason to give up.
OPENING_WAIT_S = 60
# Whoever typed the command sees how it ended: the daemon does not start a run again whose command was killed.
MADE_ONCE = {"dagster/max_retries": "0"}


@dataclass(frozen=True)
class CheckOutcome:
    """One check of one run. `state` is passed, warning or failed."""

    asset: str
    name: str
    state: str
    metadata: dict[str, Any]


@dataclass
class RunOutcome:
    """What a command's runs did. `failures` are one sentence for each asset that failed; `skipped` those that waited for one of them; `run_id` is the
    last run's."""

    run_id: str = ""
    success: bool = True
    failures: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    checks: list[CheckOutcome] = field(default_factory=list)
    materialized: list[str] = field(default_factory=list)

    def count(self, state: str) -> int:
        return sum(c.state == state for c in self.checks)

    def add(self, later: RunOutcome) -> None:
        """What another run of the same command did."""
        self.run_id, self.success = later.run_id, self.success and later.success
        self.failures |= later.failures
        for mine, more in ((self.skipped, later.skipped), (self.checks, later.checks), (self.materialized, later.materialized)):
            mine += more  # type: ignore[operator]


def damaged_records(where: str, said: str) -> str:
    """One sentence for SQLite files that cannot be read."""
    return (
        f"Dagster's records {where} are damaged ({said}); stop Dagster, move the folder away and run again: the history of runs is lost, no figure "
        "is. `ai-usage restore` brings a backup's records back."
    )


def dagster_home(settings: Settings) -> Path:
    """The settings' home; made, with our dagster.yaml, when it is not there."""
    home = settings.dagster_home
    config = home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not config.exists():
            shutil.copyfile(_our_config(), config)
    except OSError as error:
        raise SettingsError(
            f"{home} cannot be written ({error.strerror}); free space, or set AI_USAGE_DATA_DIR or DAGSTER_HOME elsewhere."
        ) from None
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def _our_config() -> Path:
    """`dagster.yaml`: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent / "dagster.yaml"
    return checkout if checkout.exists() else package / "_dagster.yaml"


@contextmanager
def instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The Dagster instance of this data folder."""
    home = dagster_home(settings)
    try:
        with _opened(home) as found:
            yield found
    except DatabaseError as error:
        said = str(error.orig)
        if "not a database" in said or "malformed" in said:
            raise SettingsError(damaged_records(f"in {home}", said)) from None
        if not isinstance(error, OperationalError):
            raise
        raise SettingsError(_unwritable(home, said)) from None
    finally:
        sqlite_records.release()


def _opened(home: Path) -> DagsterInstance:
    """Dagster's instance; its first opening makes the files' tables, and two first openings at once would meet in the middle of it."""
    try:
        with filelock.FileLock(home / "opening.lock", timeout=OPENING_WAIT_S):
            return DagsterInstance.get()
    except filelock.Timeout:
        raise SettingsError(
            f"another process has been opening Dagster's log in {home} for {OPENING_WAIT_S} s; end it and run again."
        ) from None
    except OSError as error:
        raise SettingsError(_unwritable(home, str(error.strerror))) from None


def _unwritable(home: Path, said: str) -> str:
    """One sentence for a folder of Dagster's records that takes nothing, by what the system or SQLite said."""
    if any(sign in said.lower() for sign in ("read-only", "readonly", "permission", "unable to open", "directory")):
        remedy = "correct its owner or mount, or set DAGSTER_HOME elsewhere"
    else:
        remedy = "free space on that disk and run again, nothing is half-written"
    return f"Dagster's log in {home} cannot be written ({said}); {remedy}."


def check_records(settings: Settings) -> None:
    """`SettingsError` where Dagster's records cannot be opened: its own processes would end in a traceback each."""
    with instance(settings) as found:
        found.get_runs_count()
        found.all_asset_keys()
        found.all_instigator_state()


def steps(job: str, runtime: Runtime, read: Sequence[str] = ()) -> list[str]:
    """Names of the steps of `execute`, in order: what a progress display counts."""
    made = [asset for source in read for asset in assets_of(source)]
    return made + [node.name for node in build_defs(runtime=runtime).resolve_job_def(job).graph.nodes_in_topological_order]


def execute(
    runtime: Runtime,
    first: date,
    last: date,
    *,
    job: str = "daily",
    read: Sequence[str] = (),
    progress: Callable[[str, bool], None] = lambda step, ended: None,
    config: Mapping[str, Any] | None = None,
) -> RunOutcome:
    """Read some sources, each by a ranged run of its own over the UTC days from `first` to `last`, then run a job over them, whatever became of the
    sources. `progress(step, ended)` is called as steps begin and end; `config` is {asset: its config}, of the job."""
    outcome = RunOutcome()
    days = range_tags(first.isoformat(), last.isoformat()) | {BATCH: str(uuid.uuid4())}
    with instance(runtime.settings) as found:
        for source in read:
            outcome.add(_run(found, runtime, "sources", days | {SOURCE: source}, progress, assets=assets_of(source)))
        outcome.add(_run(found, runtime, job, days, progress, config=config))
    return outcome


def _run(
    found: DagsterInstance,
    runtime: Runtime,
    job: str,
    tags: Mapping[str, str],
    progress: Callable[[str, bool], None],
    assets: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
) -> RunOutcome:
    """One run in this process: of a whole job, or of some of its assets."""
    job_def = build_defs(runtime=runtime).resolve_job_def(job)
    run_id = str(uuid.uuid4())

    def listen(event: Any) -> None:
        kind = event.dagster_event.event_type if event.dagster_event else None
        if kind == DagsterEventType.STEP_START:
            progress(event.dagster_event.step_key, False)
        elif kind in {DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_SKIPPED}:
            progress(event.dagster_event.step_key, True)

    found.add_event_listener(run_id, listen)
    try:
        with origin.shown(found, job):
            result = job_def.execute_in_process(
                instance=found,
                run_id=run_id,
                raise_on_error=False,
                tags={**tags, **MADE_ONCE},
                asset_selection=keys_of(assets) or None,
                # The display shows what goes on; a collector wants to read it.
                run_config={
                    "loggers": {"console": {"config": {"log_level": "DEBUG" if runtime.settings.log_format == "json" else "CRITICAL"}}},
                    **({"ops": {name: {"config": dict(values)} for name, values in config.items()}} if config else {}),
                },
            )
        if any(e.is_step_failure and _interrupted(e) for e in result.all_events):
            raise KeyboardInterrupt
        outcome = _outcome(result)
        begun = {e.step_key for e in result.all_events if e.event_type == DagsterEventType.STEP_START}
        planned = assets or [n.name for n in job_def.graph.nodes_in_topological_order]
        outcome.skipped = [name for name in planned if name not in begun]
        return outcome
    except BaseException:
        run = found.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            found.report_run_canceled(run, "The command was interrupted.")
        raise


def _outcome(result: dg.ExecuteInProcessResult) -> RunOutcome:
    outcome = RunOutcome(result.run_id, result.success)
    for event in result.all_events:
        if event.is_step_failure and event.step_key:
            outcome.failures[event.step_key] = _sentence(event)
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            failed = "failed" if evaluation.severity == dg.AssetCheckSeverity.ERROR else "warning"
            outcome.checks.append(
                CheckOutcome(
                    evaluation.asset_key.to_user_string(), evaluation.check_name, "passed" if evaluation.passed else failed,
                    {k: v.value for k, v in evaluation.metadata.items()},
                )
            )  # fmt: skip
        elif event.is_step_materialization and event.asset_key:
            name = event.asset_key.to_user_string()
            if name not in outcome.materialized:
                outcome.materialized.append(name)
    if outcome.count("failed"):
        outcome.success = False
    return outcome


def _interrupted(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error
    while error is not None:
        if error.cls_name == "DagsterExecutionInterruptedError":
            return True
        error = error.cause
    return False


def _sentence(event: dg.DagsterEvent) -> str:
    """The one sentence of a failed step: the Failure's own description, or the innermost cause."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    chain = []
    error = data.error
    while error is not None:
        chain.append(error)
        error = error.cause
    if not chain:
        return "the step failed and did not say why; its log is in Dagster."
    if any(e.cls_name == "DagsterAssetCheckFailedError" for e in chain):
        return "a blocking check failed, so nothing after it was run; the check says why."
    # Ours are sentences already; what caused them is another library's words.
    ours = class_names()
    best = next((e for e in chain if e.cls_name in ours), chain[-1])
    said = str(best.message).strip().splitlines()[0]
    if best.cls_name == "OSError" or "No space left" in said:
        return (
            f"the disk could not be written, it seems full ({said.partition(': ')[2]}); free space and run again, nothing is half-written."
        )
    return said.removeprefix(f"{said.partition(': ')[0]}: ")


def last_run(settings: Settings) -> str | None:
    """The last run in one line, or None."""
    with instance(settings) as found:
        records = found.get_run_records(limit=1)
        if not records:
            return None
        record = records[0]
        tags = record.dagster_run.tags
        days = f"{tags.get('dagster/asset_partition_range_start', '')} to {tags.get('dagster/asset_partition_range_end', '')}"
        return f"{record.create_timestamp:%Y-%m-%d %H:%M} UTC, {record.dagster_run.job_name}, {days}, {record.dagster_run.status.value.lower()}"


def last_checks(settings: Settings) -> Checks:
    """How the checks of the last finished daily run and of the sources' runs before it ended; zeros when there was none."""
    with instance(settings) as found:
        records = found.get_run_records(
            dg.RunsFilter(job_name="daily", statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]), limit=1
        )
        return run_checks(found, records[0].dagster_run.run_id) if records else Checks()
