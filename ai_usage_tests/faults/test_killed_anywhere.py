"""SIGKILL between any two writes of an update, on either engine: the tables are those of before or those of after, and one more run ends it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_usage_tests.faults.dying_process import billed, update
from ai_usage_tests.fixtures.bigquery import BigQueryDesk, Place
from ai_usage_tests.fixtures.desk import Desk

pytestmark = pytest.mark.both_engines
PROCESS = Path(__file__).with_name("dying_process.py")


@pytest.fixture
def updates(desk: Desk, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """The process that forks updates of this desk's warehouse."""
    where = {"folder": str(desk.folder)}
    if isinstance(desk, BigQueryDesk):
        place: Place = request.getfixturevalue("bigquery_place")
        where |= {"url": str(place.url), "dataset": desk.warehouse.place.split(".")[1]}
    else:
        where["path"] = str(desk.path)
    process = subprocess.Popen(
        [sys.executable, str(PROCESS), json.dumps(where)], text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(PROCESS.parents[2])},
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def died(updates: subprocess.Popen[str], version: str, moment: int) -> bool:
    """Whether the update was killed at that moment; False when it ended before it came."""
    assert updates.stdin is not None and updates.stdout is not None
    updates.stdin.write(f"{version} {moment}\n")
    code = int(updates.stdout.readline())
    assert code in (0, -signal.SIGKILL)
    return code != 0


def staged(desk: Desk) -> dict:
    return {r["d"]: r["usd"] for r in desk.ask("SELECT cost_date AS d, SUM(cost_usd) AS usd FROM stg_cursor_cost GROUP BY cost_date")}


def written(desk: Desk) -> dict:
    return {r["d"]: r["usd"] for r in desk.ask("SELECT cost_date AS d, SUM(cost_usd) AS usd FROM fct_cost_daily GROUP BY cost_date")}


def test_killed_between_any_two_writes(desk: Desk, updates: subprocess.Popen[str]) -> None:
    """Each update goes from what the last one left to the other version, so that one history holds every moment."""
    update(desk, "first")
    before, after = "first", "second"
    for moment in itertools.count(1):
        if not died(updates, after, moment):
            break
        both = (billed(before), billed(after))
        assert staged(desk) in both and written(desk) in both, f"half of an update can be seen after moment {moment}"
        update(desk, after)
        assert staged(desk) == written(desk) == billed(after), f"killed at moment {moment}"
        before, after = after, before
    assert staged(desk) == written(desk) == billed(after)
    assert moment > (6 if isinstance(desk, BigQueryDesk) else 15), "moments before each write and the last COMMIT"
