"""The deployment under rehearsal: the code server and the daemon as processes, with the containers' own dagster.yaml.

Belongs here: starting, stopping, killing and asking them. Does not belong here: when that happens (`rehearsal.py`), what is right (`score.py`).
Dagster's records lie in SQLite instead of Postgres: the rest of deploy/dagster.yaml (launcher, queue, retries, monitoring) is used as it is.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import yaml

from ai_usage_tests.fixtures.company import ROOT, free_port

ACTIVE = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")
AFTER_SUCCESS_S, AFTER_FAILURE_S = 2.5, 14.0  # Dagster starts a dead run again, and sensors look, within some seconds


@dataclass(frozen=True)
class Run:
    """One run as Dagster recorded it; times are simulated."""

    run_id: str
    job: str
    status: str
    started: datetime | None
    ended: datetime | None
    tags: dict[str, str]

    @property
    def active(self) -> bool:
        return self.status in ACTIVE


class Stack:
    """One code server, one daemon, one folder for Dagster's records."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.home, self.log = folder / "records" / "dagster", folder / "services.log"
        self.cwd = folder / "cwd"
        for made in (self.home, self.cwd):
            made.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.settings = settings
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        config = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text())
        for elsewhere in ("storage", "local_artifact_storage", "compute_logs"):
            config.pop(elsewhere)
        config["run_monitoring"]["poll_interval_seconds"] = 2
        (self.home / "dagster.yaml").write_text(yaml.safe_dump(config))
        (self.home / "workspace.yaml").write_text((ROOT / "deploy" / "workspace.yaml").read_text())

    def _argv(self, service: str) -> list[str]:
        dagster = str(Path(sys.executable).with_name("dagster"))
        if service == "code":
            where = ["-h", "127.0.0.1", "-p", str(self.port)]
            return [dagster, "api", "grpc", *where, "-m", "ai_usage.definitions", "--location-name", "ai_usage"]
        return [sys.executable, "-m", "ai_usage_tests.soak.daemon", "run", "-w", str(self.home / "workspace.yaml")]

    def start(self, service: str) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("AI_USAGE", "CURSOR", "ANTHROPIC", "GOOGLE", "DAGSTER", "PYTEST"))}
        env |= {
            "DAGSTER_HOME": str(self.home),
            "DAGSTER_CODE_HOST": "127.0.0.1",
            "DAGSTER_CODE_PORT": str(self.port),
            "PYTHONPATH": str(ROOT),
        }
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # each run is a new process: compiling all it imports would cost it 5 s of CPU
        if service == "code":
            env |= self.settings
        with self.log.open("a") as log:
            log.write(f"--- {datetime.now(UTC):%Y-%m-%d %H:%M:%S} {service} starts\n")
            log.flush()
            self.running[service] = subprocess.Popen(
                self._argv(service), env=env, cwd=self.cwd, stdout=log, stderr=log, start_new_session=True
            )
        if service == "code":
            self._until(self._listens, 120, "the code server's answer")

    def _listens(self) -> bool:
        import socket

        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def _until(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        raise TimeoutError(f"{what} did not come within {seconds:.0f} s; see {self.log}")

    def kill(self, service: str) -> None:
        """As a container dies: the process and its children, without a word."""
        process = self.running.pop(service)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def suspend(self, on: bool) -> None:
        """As a machine sleeps and wakes."""
        for process in self.running.values():
            os.killpg(process.pid, signal.SIGSTOP if on else signal.SIGCONT)

    def ensure(self) -> list[str]:
        """What a supervisor does: start what is not running; returns what it had to start."""
        down = [s for s in ("code", "daemon") if s not in self.running or self.running[s].poll() is not None]
        for service in down:
            self.start(service)
        return down

    def stop(self) -> None:
        for process in self.running.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
                process.terminate()
        for process in self.running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.running.clear()

    # Runs -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _records(self, *name: str) -> Iterator[sqlite3.Connection]:
        con = sqlite3.connect(f"file:{self.home.joinpath(*name)}?mode=ro", uri=True, timeout=20)
        try:
            yield con
        finally:
            con.close()

    def runs(self) -> list[Run]:
        """All runs, oldest first, from Dagster's records."""
        if not (self.home / "history" / "runs.db").exists():
            return []
        with self._records("history", "runs.db") as con:
            tags: dict[str, dict[str, str]] = {}
            for run, key, value in con.execute("SELECT run_id, key, value FROM run_tags"):
                tags.setdefault(run, {})[key] = value
            rows = con.execute("SELECT run_id, pipeline_name, status, start_time, end_time FROM runs ORDER BY id").fetchall()
        return [Run(i, job, status, _at(start), _at(end), tags.get(i, {})) for i, job, status, start, end in rows]

    def ticks(self) -> list[datetime]:
        """When the schedule fired, by its own cron."""
        with self._records("schedules", "schedules.db") as con:
            rows = con.execute(
                "SELECT timestamp FROM job_ticks WHERE type = 'SCHEDULE' AND status = 'SUCCESS' ORDER BY timestamp"
            ).fetchall()
        return [
            datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else datetime.fromtimestamp(at, UTC) for (at,) in rows
        ]

    def wait_for_schedule(self) -> None:
        """Until the daemon has taken up the schedule: one that it meets after its hour does not fire for that hour."""

        def taken_up() -> bool:
            with suppress(sqlite3.OperationalError), self._records("schedules", "schedules.db") as con:
                return bool(con.execute("SELECT 1 FROM jobs WHERE job_type = 'SCHEDULE'").fetchall())
            return False

        self._until(taken_up, 120, "the daemon's first look at the schedule")

    def wait_for_run(self, known: set[str], seconds: float = 90) -> Run | None:
        """The first run that is not among those known; None when none comes."""
        with suppress(TimeoutError):
            return self._until(lambda: next((r for r in self.runs() if r.run_id not in known), None), seconds, "a run")
        return None

    def wait_for_start(self, run_id: str, seconds: float = 120) -> None:
        with suppress(TimeoutError):
            self._until(lambda: next(r for r in self.runs() if r.run_id == run_id).status not in ACTIVE[:3], seconds, "the run's start")

    def quiet(self, at_least: float = 0, bound: float = 420) -> bool:
        """Wait until nothing runs and nothing more comes; False when something still runs after `bound` real seconds."""
        deadline = time.monotonic() + bound
        since = time.monotonic()
        while time.monotonic() < deadline:
            runs = self.runs()
            if any(r.active for r in runs) or _owed(runs):
                since = time.monotonic()
            calm = AFTER_SUCCESS_S if not runs or runs[-1].status == "SUCCESS" else AFTER_FAILURE_S
            if time.monotonic() - since >= max(calm, at_least):
                return True
            time.sleep(0.25)
        return False

    def run_process(self) -> psutil.Process | None:
        """The process of the run in progress: the code server's child that executes."""
        with suppress(psutil.Error, KeyError):
            for child in psutil.Process(self.running["code"].pid).children(recursive=True):
                words = " ".join(child.cmdline())
                if "spawn_main" in words or ("multiprocessing" in words and "resource_tracker" not in words):
                    return child
        return None


def _owed(runs: list[Run]) -> bool:
    """Whether sources were read and what follows has not been asked for yet: the sensor looks every 30 s."""
    followed = {r.tags.get("ai_usage/batch") for r in runs if r.job != "sources"}
    return any("ai_usage/then" in r.tags and r.tags["ai_usage/batch"] not in followed for r in runs)


def _at(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
