"""The rehearsal itself: mornings in simulated time, each with its trial, on a real daemon, a real code server and real runs.

Belongs here: what happens at which simulated hour, and what is noted down. Does not belong here: processes (`stack.py`), truth (`score.py`).

The vendors know the days that have ended and no others: the world's last day moves with the clock. What the platform should do about a trial is
nowhere in this file; it only waits, as people would, and looks at 08:00.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from ai_usage.simulator import Fault, Simulator, World
from ai_usage_tests.soak import score
from ai_usage_tests.soak.clock import Clock, pacific
from ai_usage_tests.soak.plan import Morning
from ai_usage_tests.soak.stack import Stack

HISTORY_DAYS = 8  # before the first morning
PEOPLE, KEYS = 6, 3
LOCK_WAIT_S, PATIENCE_S = 8, 5  # compressed: a simulated hour is some seconds long
STEPS = ((6, 10), (6, 25), (6, 41), (6, 55), (7, 1), (7, 8), (7, 16), (7, 25), (7, 35), (7, 48))
LATER = ((9, 0), (10, 30), (13, 0), (18, 0), (22, 0))
PATHS = ("filtered-usage-events", "daily-usage-data", "/teams/spend", "/teams/members", "/v4/spreadsheets", "usage_report/messages",
         "cost_report", "claude_code", "api_keys", "workspaces")  # fmt: skip
# Not unknown_field: what a vendor adds to a record is another version of its day, and rightly so.
ROUGH = ("429", "429", "500", "503", "529", "truncated", "reset", "reset_mid")


@dataclass
class Looked:
    """What was found about one UTC day."""

    day: date
    morning: date
    trial: str
    published: datetime | None = None
    deadline: datetime | None = None
    on_time: bool = False
    excused: bool = False
    healed: datetime | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class Result:
    """The whole rehearsal."""

    seed: int
    mornings: list[Morning]
    days: list[Looked] = field(default_factory=list)
    verdict: score.Verdict = field(default_factory=score.Verdict)
    worst: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    versions_expected: int = 0
    ticks_missing: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    runs: dict[str, int] = field(default_factory=dict)
    alerts: list[dict[str, Any]] | None = None
    restated: int = 0
    wall_s: float = 0.0
    skipped: list[str] = field(default_factory=list)

    @property
    def due(self) -> list[Looked]:
        return [d for d in self.days if not d.excused]


class Rehearsal:
    """One deployment, one company, one clock."""

    def __init__(self, folder: Path, seed: int, mornings: list[Morning], say: Callable[[str], None]) -> None:
        self.folder, self.seed, self.mornings, self.say = folder, seed, mornings, say
        self.clock, self.rng = Clock(), random.Random(f"rehearsal/{seed}/moments")
        self.first = mornings[0].day - timedelta(days=HISTORY_DAYS)
        self.end = mornings[-1].day + timedelta(days=mornings[-1].nights - 1)
        self.world = World(
            seed, PEOPLE, self.first, self.end, events_per_person_day=4.0, anthropic=True, api_keys=KEYS, analytics="forbidden"
        )
        _ = self.world.sheet, self.world.claude_ai_usage  # made while the world knows all its days
        self.disk = folder / "disk"
        self.small_disk = _mounted(self.disk, "220m")
        # Dagster commits each event alone and waits for the disk; a SIGKILL cannot tell a disk from memory, and the days pass twice as fast.
        _mounted(folder / "records", "2g")
        self.db = self.disk / "data" / "ai_usage.duckdb"
        self.result = Result(seed, mornings)
        self.holder: subprocess.Popen[bytes] | None = None
        self.vendors_back: datetime | None = None

    def hold(self, seconds: float = float("inf")) -> Result:
        """All mornings that can begin within so many real seconds; the log of each lies in `days.jsonl`."""
        begun = time.monotonic()
        with Simulator(self.world, cursor_key="simulator", anthropic_key="simulator") as self.sim:
            self.stack = Stack(self.folder, self._settings())
            try:
                self._open(self.mornings[0].day - timedelta(days=1))
                for morning in self.mornings:
                    if time.monotonic() - begun > seconds:
                        break
                    self._morning(morning)
                self._end()
            finally:
                if self.holder:
                    self.holder.kill()
                self.stack.stop()
                self.result.wall_s = time.monotonic() - begun
        return self.result

    def _settings(self) -> dict[str, str]:
        return {
            "AI_USAGE_DATA_DIR": str(self.disk / "data"), "AI_USAGE_START_DATE": self.first.isoformat(), "AI_USAGE_CURSOR_BASE_URL": self.sim.url,
            "CURSOR_ADMIN_API_KEY": "simulator", "AI_USAGE_CURSOR_RATE_FACTOR": "0", "AI_USAGE_ANTHROPIC_BASE_URL": self.sim.url,
            "ANTHROPIC_ADMIN_API_KEY": "simulator", "AI_USAGE_ANTHROPIC_RATE_FACTOR": "0", "AI_USAGE_SHEETS_BASE_URL": self.sim.url,
            "AI_USAGE_SHEET_ID": self.sim.sheet_id, "AI_USAGE_HTTP_BACKOFF_S": "0.05", "AI_USAGE_HTTP_PATIENCE_S": str(PATIENCE_S),
            "AI_USAGE_DUCKDB_LOCK_WAIT_S": str(LOCK_WAIT_S),
        }  # fmt: skip

    def _open(self, eve: date) -> None:
        """The morning before the first: the history is read in peace."""
        self._reach(eve)
        self.stack.ensure()
        self.stack.wait_for_schedule()
        self._tick(eve, set())
        self._quiet()
        self.say(f"{eve} {'opening':<20} {'read' if self._whole(eve - timedelta(days=1)) else 'NOT READ'}")

    # A morning ------------------------------------------------------------------------------------------------

    def _reach(self, day: date) -> None:
        """The night before that morning is over."""
        self.clock.to(pacific(day, 5, 45))
        self.world.last_day = self.clock.now.date() - timedelta(days=1)

    def _morning(self, morning: Morning) -> None:
        real = time.monotonic()
        last_day = morning.day + timedelta(days=morning.nights - 1)
        looked = [
            Looked(morning.day + timedelta(days=n - 1), morning.day + timedelta(days=n), morning.trial) for n in range(morning.nights)
        ]
        if morning.trial == "asleep":
            self._sleep(morning, looked)
        else:
            self._reach(morning.day)
            self._restate(morning, looked[0])
            known = {r.run_id for r in self.stack.runs()}
            getattr(self, f"_{morning.trial.replace(' ', '_')}")(looked[0], known)
        for one in looked:
            one.deadline = one.deadline or pacific(one.morning, 8)
        self._watch(looked[-1].day, STEPS, last_day)
        self._recover()
        self._release()
        self._vendors_back()
        self.clock.to(pacific(last_day, 7, 59, 50))
        whole = self._look(looked)
        if not whole:
            self._watch(looked[-1].day, LATER, last_day)
            self._look(looked, later=True)
        if morning.trial == "sheet edited":
            self._edit_sheet(looked[0])
        self.result.days += looked
        with (self.folder / "days.jsonl").open("a") as log:
            log.writelines(json.dumps(asdict(one), default=str) + "\n" for one in looked)
        for one in looked:
            state = "excused" if one.excused else "on time" if one.on_time else "LATE"
            self.say(f"{one.morning} {one.trial:<20} {state:<8} {time.monotonic() - real:5.0f} s  {'; '.join(one.notes)}")

    def _watch(self, day: date, steps: tuple[tuple[int, int], ...], morning: date) -> None:
        """Wait for the runs; while the day is not whole, let hours pass, as long as somebody may still repair it."""
        self._quiet()
        for hour, minute in steps:
            if self._whole(day):
                return
            self.clock.to(pacific(morning, hour, minute))
            if (hour, minute) >= (6, 40):
                self._release()
            if (hour, minute) >= (7, 0):
                self._vendors_back()
            self._recover()
            self._quiet(7.5)

    def _quiet(self, at_least: float = 0) -> None:
        if not self.stack.quiet(at_least):
            self.result.stuck.append(
                f"{self.clock.now:%Y-%m-%d %H:%M} UTC: {[r.run_id[:8] + ' ' + r.status for r in self.stack.runs() if r.active]}"
            )
            self.say(f"stuck: {self.result.stuck[-1]}")

    def _whole(self, day: date) -> bool:
        if self.holder or not self.db.exists():
            return False
        if not self._reported(day + timedelta(days=1), self.clock.now):
            return False
        return score.published(self.db, day) is not None and score.compare(self.db, self.world, day, day).clean

    def _reported(self, morning: date, due: datetime) -> bool:
        """A whole daily run has ended since 06:00 of that morning: its last step is the report that people read."""
        begin = pacific(morning, 5, 59)
        return any(
            r.job == "daily" and r.status == "SUCCESS" and r.started and r.ended and begin <= r.started and r.ended <= due
            for r in self.stack.runs()
        )

    def _look(self, looked: list[Looked], later: bool = False) -> bool:
        """At 08:00: is the day there, and is every figure of every day what the books say?"""
        whole = True
        for one in looked:
            one.published = score.published(self.db, one.day)
            due = one.deadline or self.clock.now
            verdict = score.compare(self.db, self.world, one.day, one.day)
            good = one.published is not None and one.published <= due and verdict.clean and self._reported(one.morning, due)
            whole &= one.published is not None and verdict.clean
            if not later:
                one.on_time = good
            elif one.published and verdict.clean:
                one.healed = self.clock.now
                one.notes.append(f"whole by {self.clock.now:%H:%M} UTC")
        if whole:
            self._note_worst(score.compare(self.db, self.world, self.first, looked[-1].day), looked[-1].morning)
        return whole

    def _note_worst(self, verdict: score.Verdict, morning: date) -> None:
        if not verdict.clean:
            self.result.worst.append(
                f"{morning}: {verdict.lost} lost, {verdict.doubled} doubled, {verdict.wrong} wrong; {verdict.samples[0]}"
            )

    def _restate(self, morning: Morning, looked: Looked) -> None:
        """The vendors correct a past day, once each, while they are about to be asked."""
        last = self.world.last_day
        days = [self.first + timedelta(days=n) for n in range((last - self.first).days)]
        for vendor, kind in morning.restate:
            book = self.world.truth.billed_usd_by_day if vendor == "cursor" else self.world.truth.anthropic.usd_by_day
            candidates = [d for d in days if book(d, d)[d] and not (vendor == "cursor" and self.world.history(d))]
            if candidates:
                day = self.rng.choice(candidates)
                (self.world.restate if vendor == "cursor" else self.world.restate_anthropic)(day, kind)
                self.result.restated += 1
                looked.notes.append(f"{vendor} restates {day} {kind}")

    def _tick(self, morning: date, known: set[str]) -> str | None:
        """06:00 comes; returns the run that the schedule asked for."""
        self.clock.to(pacific(morning, 5, 59, 58))
        run = self.stack.wait_for_run(known)
        return run.run_id if run else None

    # Trials ---------------------------------------------------------------------------------------------------

    def _calm(self, looked: Looked, known: set[str]) -> None:
        self._tick(looked.morning, known)

    _sheet_edited = _calm  # it comes at noon: `_edit_sheet`

    def _rough_vendors(self, looked: Looked, known: set[str]) -> None:
        for path in PATHS:
            for kind in self.rng.sample(ROUGH, 3):
                wait = 1 if kind == "429" and self.rng.random() < 0.5 else None
                self.sim.add_fault(Fault(kind, path, after=self.rng.randrange(3), retry_after=wait))
        self._tick(looked.morning, known)
        self._quiet()
        self.sim.clear_faults()

    def _outage(self, looked: Looked, known: set[str]) -> None:
        self.sim.add_fault(Fault("503", "", times=None))
        self.vendors_back = pacific(looked.morning, 7)
        self._tick(looked.morning, known)

    def _run_killed(self, looked: Looked, known: set[str]) -> None:
        run = self._tick(looked.morning, known)
        self._in_the_middle(run, looked)
        process = self.stack.run_process()
        if process is None:
            looked.notes.append("the run had ended before the kill")
            return
        with suppress(psutil.Error):
            process.kill()

    def _daemon_killed(self, looked: Looked, known: set[str]) -> None:
        self._in_the_middle(self._tick(looked.morning, known), looked)
        self.stack.kill("daemon")
        time.sleep(2)
        self.clock.to(pacific(looked.morning, 6, 5))
        self.stack.ensure()

    def _daemon_late(self, looked: Looked, known: set[str]) -> None:
        self.stack.kill("daemon")
        self.clock.to(pacific(looked.morning, 6, 30))
        self.stack.ensure()
        self.stack.wait_for_run(known)

    def _code_server_killed(self, looked: Looked, known: set[str]) -> None:
        self._in_the_middle(self._tick(looked.morning, known), looked)
        self.stack.kill("code")
        self.stack.ensure()

    def _code_server_late(self, looked: Looked, known: set[str]) -> None:
        self._tick(looked.morning, known)
        self.stack.kill("code")
        time.sleep(25)  # in which Dagster may try, and try again
        self.clock.to(pacific(looked.morning, 6, 20))
        self.stack.ensure()
        time.sleep(8)

    def _power_cut(self, looked: Looked, known: set[str]) -> None:
        self._in_the_middle(self._tick(looked.morning, known), looked)
        self.stack.kill("code")
        self.stack.kill("daemon")
        self.clock.to(pacific(looked.morning, 6, 20))
        self.stack.ensure()
        time.sleep(8)

    def _warehouse_held(self, looked: Looked, known: set[str]) -> None:
        self._hold_warehouse()
        run = self._tick(looked.morning, known)
        if run:
            self.stack.wait_for_start(run)
        time.sleep(LOCK_WAIT_S / 3)
        self._release()

    def _warehouse_held_long(self, looked: Looked, known: set[str]) -> None:
        self._hold_warehouse()
        self._tick(looked.morning, known)

    def _disk_full(self, looked: Looked, known: set[str]) -> None:
        if not self.small_disk:
            looked.notes.append("not rehearsed: this user may not mount a small disk")
            self.result.skipped.append("disk full")
        elif self.rng.random() < 0.5:
            self._in_the_middle(self._tick(looked.morning, known), looked)
            self._fill(0)
            return
        else:
            self._fill(self.rng.randrange(40))
        self._tick(looked.morning, known)

    def _sleep(self, morning: Morning, looked: list[Looked]) -> None:
        """From the evening before the first of these mornings until 10:17 on the last: nobody can be on time, so nobody is asked to be; but all
        must be there two hours after waking."""
        self.clock.to(pacific(morning.day - timedelta(days=1), 23, 30))
        self.stack.suspend(True)
        self.clock.to(pacific(looked[-1].morning, 10, 17))
        self.world.last_day = self.clock.now.date() - timedelta(days=1)
        known = {r.run_id for r in self.stack.runs()}
        self.stack.suspend(False)
        self.stack.wait_for_run(known)
        self._quiet(6)
        for one in looked:
            one.excused, one.deadline = True, pacific(looked[-1].morning, 12, 17)
        self.clock.to(pacific(looked[-1].morning, 10, 40))
        self._quiet(6)
        looked[-1].notes.append(f"{len({r.run_id for r in self.stack.runs()} - known)} runs after waking")

    def _edit_sheet(self, looked: Looked) -> None:
        """A sensor sees it and rebuilds; the books do not change, since the note is about nobody."""
        self.clock.to(pacific(looked.morning, 12))
        known = {r.run_id for r in self.stack.runs()}
        self._quiet(6)
        self.world.sheet.add_row("people", {"email": f"visitor-{looked.morning}@example.com", "first_name": "Vi", "department": "Guests"})
        self.clock.to(pacific(looked.morning, 12, 30))
        run = self.stack.wait_for_run(known, 40)
        looked.notes.append(f"the edit made a run of {run.job}" if run else "the edit made no run")
        self._quiet()
        self._note_worst(score.compare(self.db, self.world, self.first, looked.day), looked.morning)

    # Things that happen ---------------------------------------------------------------------------------------

    def _in_the_middle(self, run: str | None, looked: Looked) -> None:
        """Some way into the run, at the moment when DuckDB's log of the transaction in progress is on the disk."""
        if run is None:
            looked.notes.append("no run came")
            return
        self.stack.wait_for_start(run)
        time.sleep(self.rng.uniform(1, 8))
        wal, patient_until = Path(f"{self.db}.wal"), time.monotonic() + 10
        while time.monotonic() < patient_until and self.stack.run_process():
            with suppress(OSError):
                if wal.stat().st_size:
                    looked.notes.append("struck while a transaction was being written")
                    return
            time.sleep(0.001)
        looked.notes.append("struck between transactions")

    def _hold_warehouse(self) -> None:
        code = "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('held', flush=True); time.sleep(600)"
        self.holder = subprocess.Popen([sys.executable, "-c", code, str(self.db)], stdout=subprocess.PIPE)
        assert self.holder.stdout and self.holder.stdout.readline()

    def _release(self) -> None:
        if self.holder:
            self.holder.kill()
            self.holder.wait()
            self.holder = None
        (self.disk / "ballast").unlink(missing_ok=True)

    def _fill(self, left_kb: int) -> None:
        """Leave so little that no run can spool its first answer, or nothing: with 800 KB left a run found room in what it freed itself."""
        stat = os.statvfs(self.disk)
        size = stat.f_bavail * stat.f_frsize - left_kb * 1024
        with (self.disk / "ballast").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, size))

    def _vendors_back(self) -> None:
        if self.vendors_back and self.clock.now >= self.vendors_back:
            self.sim.clear_faults()
            self.vendors_back = None

    def _recover(self) -> None:
        """A supervisor restarts what ended by itself."""
        for service in self.stack.ensure():
            self.result.stuck.append(f"{self.clock.now:%Y-%m-%d %H:%M} UTC: the {service} process had ended by itself")

    # The end --------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        last = self.result.days[-1].day
        self._release()
        self.sim.clear_faults()
        self.result.verdict = score.compare(self.db, self.world, self.first, last)
        self.result.versions = score.versions(self.db, self.world, self.first, last)
        self.result.versions_expected = sum(
            1 + len(self.world.history(self.first + timedelta(days=n))) for n in range((last - self.first).days + 1)
        )
        self.result.alerts = score.alerts(self.db)
        for run in self.stack.runs():
            self.result.runs[run.status] = self.result.runs.get(run.status, 0) + 1
        ticks = self.stack.ticks()
        slept = {m.day + timedelta(days=n) for m in self.mornings for n in range(m.nights - 1)}
        for day in (d.morning for d in self.result.days):
            at = pacific(day, 6)
            found = sum(t == at for t in ticks)
            # Of the mornings slept through Dagster makes up the last; its run reads the days of the others.
            if found != 1 and not (day in slept and found == 0):
                self.result.ticks_missing.append(f"{at:%Y-%m-%d %H:%M} UTC fired {found} times")


def _mounted(folder: Path, size: str) -> bool:
    """A disk of its own, in this process' own mount namespace; False where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False)
    return done.returncode == 0


def begins(mornings: list[Morning]) -> datetime:
    """The instant at which the clock starts."""
    return pacific(mornings[0].day - timedelta(days=1), 4)
