"""Updates in processes of their own, on either engine, to be killed between two writes. This one imports everything once and forks one for each
line `VERSION MOMENT`.

An update reads both days anew and makes the cost of both. It kills itself (SIGKILL) at its MOMENT-th moment; 0: at none. On DuckDB a moment is right
before a statement to the file, COMMIT included. On BigQuery it is right before a job that writes is sent, and right after it was sent, while nobody
waits for it any more.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from ai_usage.sources.cursor.records import EVENTS
from ai_usage.warehouse import DuckDBWarehouse, models
from ai_usage.warehouse import duckdb_file as engine
from ai_usage.warehouse.bigquery_jobs import Jobs
from ai_usage_tests.faults.loading_process import _Counting, _Engine
from ai_usage_tests.fixtures.bigquery import BigQueryDesk, Place
from ai_usage_tests.fixtures.desk import Desk, event, spooled

DAY, NEXT = date(2026, 11, 1), date(2026, 11, 2)
CENTS: dict[str, dict[date, list[int]]] = {"first": {DAY: [10, 20], NEXT: [5]}, "second": {DAY: [10, 35], NEXT: []}}
"""What the vendor says: in the second version one day went up and the other was restated to empty."""


def billed(version: str) -> dict[date, Decimal]:
    """USD of the days that have any, by this module's own arithmetic."""
    return {day: Decimal(sum(cents)) / 100 for day, cents in CENTS[version].items() if cents}


def update(desk: Desk, version: str) -> None:
    walks = [spooled(desk.spool, EVENTS, day, records=[event(day, cents=c) for c in cents]) for day, cents in CENTS[version].items()]
    assert desk.load(EVENTS, *walks).error() is None
    model = models.model("fct_cost_daily")
    now = datetime.now(UTC)  # a run's own clock: a fixed one would make two updates one call, and so one job
    desk.warehouse.replace(model.table, model.sql, {"start_date": DAY, "end_date": NEXT, "as_of_date": now.date(), "processed_at": now})


def _desk(where: dict[str, str]) -> Desk:
    folder = Path(where["folder"])
    if "url" in where:
        return BigQueryDesk(Place("local", where["url"]).warehouse(where["dataset"]), folder)
    return Desk(DuckDBWarehouse(Path(where["path"])), folder)


class _Moments:
    """Jobs that write pass here twice: before they are sent, and when they were."""

    passed = 0
    deadly = 0

    @classmethod
    def one(cls) -> None:
        cls.passed += 1
        if cls.passed == cls.deadly:
            os.kill(os.getpid(), signal.SIGKILL)


def _watched(run: Callable[..., Any]) -> Callable[..., Any]:
    def watched(self: Jobs, base: str | None, insert: Callable[..., Any]) -> Any:
        def sent(client: Any, job_id: str | None) -> Any:
            _Moments.one()
            job = insert(client, job_id)
            _Moments.one()
            return job

        return run(self, base, sent if base else insert)

    return watched


def main() -> None:
    where = json.loads(sys.argv[1])
    engine.duckdb = _Engine()  # type: ignore[assignment]
    Jobs._run = _watched(Jobs._run)  # type: ignore[method-assign]
    print("ready", flush=True)
    while line := sys.stdin.readline():
        version, moment = line.split()
        child = os.fork()
        if child == 0:
            _Counting.deadly = _Moments.deadly = int(moment)
            update(_desk(where), version)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
