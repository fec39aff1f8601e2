"""The run launcher of the containers: Dagster's default one, which can also tell that a run's process is gone.

Belongs here: the one question that the default launcher does not ask. It runs a job as a child of the code server, and when that
server is killed with its children, the run stays "started" for ever: with one run at a time, nothing runs any more. Here the
daemon's run monitoring asks the code server, which knows its children, every `poll_interval_seconds`.
"""

from __future__ import annotations

import json

from dagster import DagsterRun, deserialize_value
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult

ANSWER_WITHIN_S = 10


class WatchfulRunLauncher(DefaultRunLauncher):  # type: ignore[misc]
    """Runs in the code server's container, beside the DuckDB file; a run that the server does not know is dead."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """RUNNING while the server has the run or cannot be asked (it is being restarted); NOT_FOUND when it answers that it has not."""
        where = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
        if not where:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "started by another launcher")
        client = DagsterGrpcClient(
            port=where.get("port"), socket=where.get("socket"), host=where.get("host"), use_ssl=bool(where.get("use_ssl"))
        )
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=ANSWER_WITHIN_S)
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the code server cannot be asked now")
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "the code server was restarted and does not have this run")
