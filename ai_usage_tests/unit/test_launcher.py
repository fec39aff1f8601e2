"""A run whose code server died is told from one that works, on the repository's own dagster.yaml, with real processes."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.events import EngineEventData
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.test_utils import create_run_for_test

from ai_usage.runs.launcher import WatchfulRunLauncher
from ai_usage_tests.fixtures.company import ROOT

NOBODY = socket.socket()
NOBODY.bind(("127.0.0.1", 0))  # held, and never listened at: whoever connects is refused
RUN = [sys.executable, "-c", "import multiprocessing, time; time.sleep(600)"]


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    home = tmp_path_factory.mktemp("home")
    shutil.copy(ROOT / "dagster.yaml", home / "dagster.yaml")
    with DagsterInstance.from_config(str(home)) as found:
        yield found


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    found = subprocess.Popen(RUN)
    yield found
    found.kill()
    found.wait()


def started(instance: DagsterInstance, pid: int, host: str = "localhost") -> DagsterRun:
    """A run that a code server at an address of no server started, and that said its process' number."""
    where = {"host": host, "port": NOBODY.getsockname()[1]}
    run = create_run_for_test(instance, status=DagsterRunStatus.STARTED, tags={GRPC_INFO_TAG: json.dumps(where)})
    instance.report_engine_event(f"Started process for run (pid: {pid}).", run, EngineEventData.in_process(pid))
    return run


def health(instance: DagsterInstance, run: DagsterRun, later: float = 100) -> WorkerStatus:
    """What is said of the run `later` seconds after the first look."""
    watch = instance.run_launcher
    assert isinstance(watch, WatchfulRunLauncher) and watch.supports_check_run_worker_health
    first = watch.check_run_worker_health(run).status
    assert first == WorkerStatus.RUNNING, "a run is never given up at the first look: the daemon might not be able to start it again yet"
    if run.run_id in watch._missed:
        watch._missed[run.run_id] -= later
    return watch.check_run_worker_health(run).status


def test_a_run_that_works_on_without_its_server_is_left_alone(instance: DagsterInstance, process: subprocess.Popen[bytes]) -> None:
    assert health(instance, started(instance, process.pid)) == WorkerStatus.RUNNING


def test_a_run_that_died_with_its_server_is_found(instance: DagsterInstance, process: subprocess.Popen[bytes]) -> None:
    run = started(instance, process.pid)
    process.kill()
    process.wait()
    assert health(instance, run, later=60) == WorkerStatus.RUNNING, "the daemon looks for the code every 60 s"
    assert health(instance, run) == WorkerStatus.NOT_FOUND


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="elsewhere a number says only that some process has it")
def test_a_number_that_another_program_got_is_not_the_run(instance: DagsterInstance) -> None:
    other = subprocess.Popen(["sleep", "600"])
    try:
        assert health(instance, started(instance, other.pid)) == WorkerStatus.NOT_FOUND
    finally:
        other.kill()
        other.wait()


def test_processes_of_another_machine_are_not_looked_for_here(instance: DagsterInstance, process: subprocess.Popen[bytes]) -> None:
    """The containers: their code server comes back at its address, and is asked then."""
    run = started(instance, process.pid, host="code.invalid")
    process.kill()
    process.wait()
    assert health(instance, run) == WorkerStatus.RUNNING
