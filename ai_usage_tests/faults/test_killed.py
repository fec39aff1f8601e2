"""A process ends at any moment, by SIGKILL or by Ctrl-C, or two run at once: one more run gives the tables of an undisturbed one.

The load that is killed is an update: the warehouse holds the days as they first were, the vendor has restated some of them.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance

from ai_usage.simulator import Fault
from ai_usage_tests.fixtures.company import (
    DAYS,
    FIRST,
    KEY,
    LAST,
    MARTS,
    PATHS,
    Company,
    Prepared,
    assert_books,
    assert_same,
    assert_sentence,
    company,
    plain,
    rows,
    snapshot,
    wait_until,
)
from ai_usage_tests.proving import PROVE, only_in_prove, some

PROCESS = Path(__file__).with_name("loading_process.py")
RANDOM = random.Random(20261122)
MOMENTS = sorted(RANDOM.random() for _ in range(20 if PROVE else 1))  # parts of the load's duration
STATEMENTS = [
    0.0,
    *sorted(RANDOM.random() for _ in range(20 if PROVE else 2)),
    1.0,
]  # parts of its statements; the first and the last always


def restate(firm: Company) -> None:
    for day, kind in ((DAYS[2], "up"), (DAYS[4], "down"), (DAYS[7], "empty")):
        firm.world.restate(day, kind)


class Loads:
    """Starts loads, each in a process of its own."""

    def __init__(self, firm: Company) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PROCESS)],
            cwd=firm.cwd,
            env=firm.env(),
            text=True,
            bufsize=1,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._said("ready") == ""

    def begin(self, statement: int = 0) -> int:
        """The process id of a load that dies before that statement; 0: it does not."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{FIRST} {LAST} {statement}\n")
        self.sent = 0
        return int(self._said("begun"))

    def end(self) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write("wait\n")
        return int(self._said("ended"))

    def _said(self, word: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            first, _, rest = line.strip().partition(" ")
            if first == "sent":
                self.sent = int(rest)
            if first == word:
                return rest
        raise AssertionError(f"the process ended before it said {word!r}")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def firm(tmp_path_factory: pytest.TempPathFactory, prepared: Prepared) -> Iterator[Company]:
    with company(tmp_path_factory.mktemp("killed")) as found:
        found.data.mkdir(parents=True)
        shutil.copyfile(prepared.db, found.db)
        found.sim.latency_s = 0.01  # spreads the load over time, as a vendor would
        yield found


@pytest.fixture(scope="module")
def first_state(firm: Company) -> bytes:
    """The warehouse before the restatement."""
    return firm.db.read_bytes()


@pytest.fixture(scope="module")
def loads(firm: Company) -> Iterator[Loads]:
    found = Loads(firm)
    yield found
    found.close()


@pytest.fixture(scope="module")
def whole(firm: Company, first_state: bytes, loads: Loads) -> tuple[dict[str, list[str]], float, int]:
    """An undisturbed load of the restated days: its tables, how long it took, how many statements it sent."""
    restate(firm)
    loads.begin()
    begun = time.monotonic()
    assert loads.end() == 0
    assert_books(firm.db, firm.world)
    return snapshot(firm.db), time.monotonic() - begun, loads.sent


def put_back(firm: Company, state: bytes) -> None:
    firm.db.with_name(firm.db.name + ".wal").unlink(missing_ok=True)
    firm.db.write_bytes(state)


def _assert_whole(firm: Company, tables: dict[str, list[str]], what: str, *, marts: bool = PROVE) -> None:
    """The tables of an undisturbed load. Marts are views over them, and cost as much as the load: compared once, and each time when proving."""
    found = snapshot(firm.db, without=() if marts or PROVE else MARTS)
    assert_same(found, {name: tables[name] for name in found}, what)


@pytest.mark.parametrize("part", MOMENTS)
def test_killed_at_a_moment(part: float, firm: Company, first_state: bytes, whole: tuple, loads: Loads) -> None:
    tables, duration, _ = whole
    put_back(firm, first_state)
    load = loads.begin()
    time.sleep(part * duration)
    os.kill(load, signal.SIGKILL)
    assert loads.end() in (-signal.SIGKILL, 0)
    firm.load()
    _assert_whole(firm, tables, f"killed after {part:.0%}")


@pytest.mark.parametrize("part", STATEMENTS)
def test_killed_before_a_statement(part: float, firm: Company, first_state: bytes, whole: tuple, loads: Loads) -> None:
    tables, _, statements = whole
    put_back(firm, first_state)
    deadly = 1 + round(part * (statements - 1))
    loads.begin(deadly)
    assert loads.end() == -signal.SIGKILL
    firm.load()
    _assert_whole(firm, tables, f"killed before statement {deadly} of {statements}", marts=part == 1.0)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Company]:
    with company(tmp_path) as found:
        yield found


def run_status(firm: Company) -> list[str]:
    os.environ["DAGSTER_HOME"] = str(firm.home)
    try:
        with DagsterInstance.get() as instance:
            return [record.dagster_run.status.value for record in instance.get_run_records()]
    finally:
        del os.environ["DAGSTER_HOME"]


def test_the_command_killed_again_and_again(fresh: Company, prepared: Prepared) -> None:
    """SIGKILL while facts are made, before that (when proving) while raw is loaded; then one run."""
    fresh.sim.latency_s = 0.05
    facts = "SELECT COUNT(*) FROM fct_usage_daily"
    for reached in some([facts], ["SELECT COUNT(*) FROM raw_fetches", facts]):
        process = fresh.start("run", "--from", FIRST.isoformat(), "--to", LAST.isoformat())
        try:
            wait_until(lambda: process.poll() is not None or _count(fresh, reached), 120, reached)
        finally:
            process.kill()
            process.communicate()
    fresh.sim.latency_s = 0
    done = fresh.run_to_facts()
    assert done.returncode == 0, plain(done.stderr)
    assert_books(fresh.db, fresh.world)
    assert_same(*(snapshot(db, without=("vw_data_health",)) for db in (fresh.db, prepared.db)))


def _count(firm: Company, sql: str) -> int:
    try:
        return int(rows(firm.db, sql)[0][0])
    except Exception:  # held by the command at this instant, or not there yet
        return 0


def test_ctrl_c(fresh: Company) -> None:
    """Exit 130, one sentence, what was published stands whole, and Dagster does not believe that the run still goes on."""
    fresh.sim.add_fault(Fault("slow", PATHS["daily-usage-data"], seconds=4.0))
    process = fresh.start("run", "--from", FIRST.isoformat(), "--to", LAST.isoformat())
    try:
        wait_until(lambda: fresh.log(PATHS["daily-usage-data"]) or process.poll() is not None, 120, "the request that never ends")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=500)
    finally:
        process.kill()
    done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
    [status] = run_status(fresh)
    assert status in {"CANCELED", "FAILURE"}, status
    assert not rows(fresh.db, "SELECT fetch_id FROM raw_cursor_events EXCEPT SELECT fetch_id FROM raw_fetches")
    assert_sentence(done, "interrupted", code=130)
    assert KEY not in out + err
    fresh.load()
    assert_books(fresh.db, fresh.world)


@only_in_prove  # two loads in one process: test_permanent.py; the sentence about the other process: e2e/test_failures.py
def test_two_commands_at_once(fresh: Company) -> None:
    """Both end well, or one says in a sentence that the other holds the file; one run later at the latest the tables are right."""
    pair = [fresh.start("run", "--from", FIRST.isoformat(), "--to", LAST.isoformat()) for _ in range(2)]
    ended = [subprocess.CompletedProcess(p.args, p.returncode, *said) for p in pair for said in [p.communicate(timeout=500)]]
    for process, done in zip(pair, ended, strict=True):
        done.returncode = process.returncode
        if done.returncode:
            assert_sentence(done, "another process")
    assert any(done.returncode == 0 for done in ended), [plain(d.stderr) for d in ended]
    assert_books(fresh.db, fresh.world)
    assert rows(fresh.db, "SELECT usage_date, endpoint, change_usd FROM vw_restatements") == []
