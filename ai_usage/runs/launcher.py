"""The run launcher: Dagster's default one, which can also tell that a run's process is gone.

Belongs here: the one question that the default launcher does not ask. It runs a job as a child of the code server, and when that
server is killed with its children, the run stays "started" for ever: with one run at a time, nothing runs any more. Here the
daemon's run monitoring asks the code server, which knows its children, every `poll_interval_seconds`. Under `make dev` a new code server
has a new address, and nobody answers at the old one again: there the run's own process is looked for.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from dagster import DagsterEventType, DagsterRun, deserialize_value
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult

from ai_usage.defs import sqlite_records as sqlite_records  # every process of Dagster loads this module, and with it engines that stay

ANSWER_WITHIN_S = 10
# A dead run is told only then: the daemon asks once whether to start it again, and cannot while its own copy of the code's address book says
# "unreachable". It reads that anew every 60 s.
DAEMON_RELOADS_WITHIN_S = 75
HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class WatchfulRunLauncher(DefaultRunLauncher):  # type: ignore[misc]
    """Runs are children of the code server, beside the DuckDB file; a run that the server does not know is dead."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """RUNNING while the server has the run, NOT_FOUND when it answers that it has not. One that cannot be asked is being restarted, unless it
        was on this machine and the run's process is gone too: then NOT_FOUND. Either is said after `DAEMON_RELOADS_WITHIN_S`."""
        found = self._look(run)
        if found.status == WorkerStatus.RUNNING:
            self._missed.pop(run.run_id, None)
            return found
        since = self._missed.setdefault(run.run_id, time.monotonic())
        if time.monotonic() - since < DAEMON_RELOADS_WITHIN_S:
            return CheckRunHealthResult(WorkerStatus.RUNNING, f"{found.msg}; it is started again when the daemon has loaded the code anew")
        return found

    @cached_property
    def _missed(self) -> dict[str, float]:
        """When each dead run was found, by monotonic time."""
        return {}

    def _look(self, run: DagsterRun) -> CheckRunHealthResult:
        where = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
        if not where:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "started by another launcher")
        client = DagsterGrpcClient(
            port=where.get("port"), socket=where.get("socket"), host=where.get("host"), use_ssl=bool(where.get("use_ssl"))
        )
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=ANSWER_WITHIN_S)
        except DagsterUserCodeUnreachableError:
            return self._unanswered(run, where)
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server was restarted and does not have this run")

    def _unanswered(self, run: DagsterRun, where: Mapping[str, Any]) -> CheckRunHealthResult:
        pid = self._pid(run.run_id) if where.get("host") in HERE else None
        if pid is None or _works(pid):
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the code server cannot be asked now")
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"its process {pid} is gone, and so is the code server that started it")

    def _pid(self, run_id: str) -> int | None:
        """As the run itself said when it began."""
        for entry in self._instance.all_logs(run_id, DagsterEventType.ENGINE_EVENT):
            said = re.match(r"Started process for run \(pid: (\d+)\)", entry.dagster_event.message or "") if entry.dagster_event else None
            if said:
                return int(said.group(1))
        return None


def _works(pid: int) -> bool:
    """Whether that process of this machine executes a run. After a restart of the machine its number may be another program's."""
    if Path("/proc/self/cmdline").exists():
        try:
            return b"multiprocessing" in Path(f"/proc/{pid}/cmdline").read_bytes()  # empty for one that ended and was not fetched
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
