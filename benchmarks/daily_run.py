"""What orchestration costs: the daily run of every asset and check through Dagster, against the same data work without it.

Belongs here: three kinds of fresh process over the same settled warehouse of 35 days of Cursor, Anthropic and a sheet. `dagster` is `ai-usage run`:
definitions, instance, event log, assets, checks. `bare` fetches, decodes, publishes, runs the models and renders the report with the same
functions. What is left between them is orchestration, its checks and its imports; the design allows 15 s of CPU. `empty` makes a new warehouse.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from datetime import UTC, date, datetime, timedelta
from functools import partial

from common import Meter, answer, child, cpu_s, median, save, simulator, table


def _days(days: int) -> tuple[date, date]:
    last = datetime.now(UTC).date() - timedelta(days=1)
    return last - timedelta(days=days - 1), last


def dagster(days: int) -> None:
    """`ai-usage run`, in this process."""
    from ai_usage.defs.operations.jobs import on
    from ai_usage.runs.execution import execute
    from ai_usage.runtime import Runtime

    runtime = Runtime()
    outcome = execute(runtime, *_days(days), read=on(runtime.settings))
    if not outcome.success:
        raise SystemExit(f"the run failed: {outcome.failures}")
    answer(cpu_s=cpu_s(), imports_s=0, assets=len(outcome.materialized), checks=len(outcome.checks))


def bare(days: int) -> None:
    """The data work alone."""
    from ai_usage import transform
    from ai_usage.operations.report import write_html_report
    from ai_usage.runtime import Runtime
    from ai_usage.sources.endpoint import Window
    from ai_usage.sources.registry import SOURCES
    from ai_usage.sources.walk import walk_all

    runtime = Runtime()
    meter = Meter()
    window, today = Window(*_days(days)), Window(runtime.today, runtime.today)
    with runtime.held():  # as in a run
        loader = runtime.loader()
        for source in (s for s in SOURCES.values() if runtime.settings.is_on(s.name)):
            for question in (q for q in source.questions if q.reach is None):
                windows = window.split(question.walk_days) if question.endpoint.usage_date else [today]
                client = runtime.client(source.name, question.client)
                loader.load(question.endpoint, walk_all(windows, partial(question.ask, client), question.endpoint))
        transform.build(runtime.warehouse, window.first, window.last, as_of=runtime.today)
        write_html_report(runtime)
    answer(**meter.read())


def empty(_: int) -> None:
    """A new warehouse."""
    from pathlib import Path

    from ai_usage.warehouse import DuckDBWarehouse

    with tempfile.TemporaryDirectory() as folder:
        meter = Meter()
        DuckDBWarehouse(Path(folder) / "w.duckdb").ensure()
        answer(**meter.read())


PARTS = {"dagster": dagster, "bare": bare, "empty": empty}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=35)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--part", choices=tuple(PARTS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        PARTS[given.part](given.days)
        return
    first, last = _days(given.days)
    with (
        simulator("--anthropic", "--from", str(first), "--to", str(last), "--people", "24") as sim,
        tempfile.TemporaryDirectory() as folder,
    ):
        os.environ |= {
            "AI_USAGE_DATA_DIR": folder, "AI_USAGE_START_DATE": str(first), "AI_USAGE_CURSOR_BASE_URL": sim["url"], "CURSOR_ADMIN_API_KEY": sim["key"],
            "AI_USAGE_CURSOR_RATE_FACTOR": "0", "AI_USAGE_SHEETS_BASE_URL": sim["url"], "AI_USAGE_SHEET_ID": sim["sheet_id"],
            "AI_USAGE_ANTHROPIC_BASE_URL": sim["url"], "ANTHROPIC_ADMIN_API_KEY": sim["anthropic_key"], "AI_USAGE_ANTHROPIC_RATE_FACTOR": "0",
        }  # fmt: skip
        os.environ.pop("DAGSTER_HOME", None)
        child([__file__, "--part", "dagster", "--days", str(given.days)])  # the first load; the daily run finds it
        found = {part: [child([__file__, "--part", part, "--days", str(given.days)]) for _ in range(given.runs)] for part in PARTS}
    whole, data = median(found["dagster"], "cpu_s"), median(found["bare"], "cpu_s")
    one = found["dagster"][0]
    save(
        "daily_run",
        "The daily run: orchestration beside the data work",
        [
            table(
                ("what", "CPU s", "× data work"),
                [
                    (
                        f"through Dagster: {one['assets']} assets, {one['checks']} checks, {given.days} days",
                        f"{whole:.1f}",
                        f"{whole / data:.1f}",
                    ),
                    ("the data work alone", f"{data:.1f}", "1.0"),
                    ("orchestration, checks, imports (allowed: 15)", f"{whole - data:.1f}", f"{(whole - data) / data:.1f}"),
                    ("a new warehouse (allowed: 0.5)", f"{median(found['empty'], 'cpu_s'):.2f}", ""),
                ],
            )
        ],
    )


if __name__ == "__main__":
    main()
