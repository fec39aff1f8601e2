"""Under which code location Dagster's pages show a command's runs: without one they stand neither on the timeline nor on their job's page.

Belongs here: that one mark. `execute_in_process` makes its run without it, since no code server is asked. A test against Dagster's own pages holds these private names.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from dagster import DagsterInstance
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

MODULE = "ai_usage.definitions"


def _repository(instance: DagsterInstance) -> RemoteRepositoryOrigin:
    """That of the daemon that works with this instance, whose sensors have left their states; else what `ai-usage dev` will load."""
    found = sorted(instance.all_instigator_state(), key=lambda state: getattr(state.instigator_data, "last_tick_timestamp", None) or 0)
    if found:
        return found[-1].origin.repository_origin
    return RemoteRepositoryOrigin(
        ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=MODULE), MODULE), "__repository__"
    )


@contextmanager
def shown(instance: DagsterInstance, job: str) -> Iterator[None]:
    """Runs of this job that the instance makes meanwhile are of the code location that its pages show."""
    make = instance.create_run_for_job
    instance.create_run_for_job = partial(make, remote_job_origin=RemoteJobOrigin(_repository(instance), job))  # type: ignore[method-assign]
    try:
        yield
    finally:
        instance.create_run_for_job = make  # type: ignore[method-assign]
