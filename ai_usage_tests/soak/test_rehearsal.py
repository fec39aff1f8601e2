"""Two days of the rehearsal, for `make prove`: the run is killed in the middle of a write, and the code server with its run; the clocks change.

Its pieces are proved for every change: the judge (`test_score.py`), the clock (below), kills between any two writes (`faults/`), a daemon that makes a
failed run again (`e2e/test_running_by_itself.py`)."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from ai_usage_tests.fixtures.company import ROOT
from ai_usage_tests.proving import only_in_prove
from ai_usage_tests.soak import clock

ASK = (
    "import datetime, sqlite3, time, duckdb;"
    "print(datetime.datetime.now(datetime.UTC).date());"
    "print(sqlite3.connect(':memory:').execute('SELECT CURRENT_TIMESTAMP').fetchone()[0][:10]);"
    'print(str(duckdb.sql("SELECT CURRENT_DATE").fetchone()[0]));'
    "begun = time.monotonic(); time.sleep(0.3); print(0.2 < time.monotonic() - begun < 20)"
)
pytestmark = pytest.mark.skipif(clock.compiler() is None, reason="simulated time needs Linux and a C compiler")


def test_everything_that_asks_for_the_time_lives_in_simulated_time(tmp_path: Path) -> None:
    """Python, SQLite and DuckDB; pauses stay real."""
    env = clock.prepare(tmp_path, datetime.fromisoformat("2025-03-09T12:00:00+00:00"))
    done = subprocess.run([sys.executable, "-c", ASK], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2025-03-09", "2025-03-09", "2025-03-09", "True"]


@only_in_prove
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_days_with_kills_end_whole_and_on_time(tmp_path: Path) -> None:
    """Nothing is looked at but the program's own verdict, whose judge has tests of its own (`test_score.py`)."""
    done = subprocess.run(
        [sys.executable, "-m", "ai_usage_tests.soak", "--days", "2", "--seed", "7", "--folder", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=3500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    days = [json.loads(line) for line in (tmp_path / "days.jsonl").read_text().splitlines()]
    assert [d["on_time"] for d in days] == [True, True]
    assert sum("struck" in note for d in days for note in d["notes"]) == 2, "both kills found a run to kill"
