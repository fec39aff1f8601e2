"""What a person sees while a run works, and the short tables after it.

Belongs here: rich displays on top of `execution.py`. They hold no truth of their own.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from ai_usage.cli.console import plain
from ai_usage.defs.operations.jobs import RAW
from ai_usage.operations import states
from ai_usage.runs.execution import RunOutcome, execute, last_run, steps
from ai_usage.runtime import Runtime
from ai_usage.sources.endpoint import Window
from ai_usage.warehouse import WarehouseError


def run_with_progress(
    runtime: Runtime,
    first: date,
    last: date,
    console: Console,
    job: str = "daily",
    read: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
) -> RunOutcome:
    """Read sources and execute a job with a moving display; on SIGTERM the run ends as cancelled, like on Ctrl-C."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("assets"), TimeElapsedColumn(),
        console=console, transient=not console.is_terminal,
    ) as display:  # fmt: skip
        task = display.add_task("loading definitions", total=None)
        display.update(task, total=len(steps(job, runtime, read)))

        def moved(step: str, ended: bool) -> None:
            if ended:
                display.advance(task)
            else:
                display.update(task, description=f"{first} to {last}  [bold]{step}[/bold]")

        outcome = execute(runtime, first, last, job=job, read=read, progress=moved, config=config)
        display.update(task, description=f"{first} to {last}")
    return outcome


def show_sources(runtime: Runtime, outcome: RunOutcome, read: Sequence[str], window: Window, console: Console) -> None:
    """Which sources were read, and which were not: what of them failed, and until when they are held. A source of which the page and the alerts say that it
    was not read makes the run one that is not complete."""
    failed = {source: [asset for asset in outcome.failures if RAW.get(asset) == source] for source in read}
    try:
        told = {one.source: one for one in states.by_source(states.states(runtime, within=window), runtime.today)}
    except WarehouseError:  # its own sentence stands among the failures
        told = {}
    owing = {source for source, state in told.items() if state.owes}
    outcome.success = outcome.success and not owing
    done = [states.NAMES[source] for source in read if not failed[source] and source not in owing]
    console.print(f"read: {', '.join(done) or 'nothing'}", soft_wrap=True, highlight=False)
    for source in (name for name in read if failed[name] or name in owing):
        state = told.get(source)
        since = "" if state is None else f"; held up to {state.last_held}" if state.last_held else "; nothing is held of what failed"
        said = f"{states.NAMES[source]}: {', '.join(failed[source])}{since}" if failed[source] or state is None else state.said
        console.print("[red]not read[/red] ", end="", soft_wrap=True)
        console.print(said, markup=False, soft_wrap=True, highlight=False)


def show_outcome(outcome: RunOutcome, first: date, last: date, console: Console) -> None:
    """Failures, checks that did not pass, and one line that sums up."""
    for asset, sentence in outcome.failures.items():
        console.print(f"[red]failed[/red] {asset}: ", end="", soft_wrap=True)
        console.print(sentence, markup=False, soft_wrap=True)
    for check in outcome.checks:
        if check.state != "passed":
            colour = "red" if check.state == "failed" else "yellow"
            said = (
                f"expected {check.metadata.get('expected')}, found {check.metadata.get('actual')}. {check.metadata.get('what_to_do', '')}"
            )
            console.print(f"[{colour}]{check.state}[/{colour}] check {check.asset}/{check.name}: ", end="", soft_wrap=True)
            console.print(said, markup=False, soft_wrap=True)
    if outcome.skipped:
        console.print(f"not run, since something before them failed: {', '.join(outcome.skipped)}", soft_wrap=True)
    word = "[green]done[/green]" if outcome.success else "[red]not complete[/red]"
    console.print(
        f"{word}: {first} to {last}, {len(outcome.materialized)} assets, {outcome.count('passed')} checks passed, "
        f"{outcome.count('warning')} warnings, {outcome.count('failed')} failed.", soft_wrap=True,
    )  # fmt: skip


def platform_totals(runtime: Runtime) -> list[tuple[str, Decimal, int]]:
    """(platform, billed USD, people with cost) over everything held."""
    found = runtime.warehouse.select(
        """
        SELECT f.platform, SUM(f.cost_usd) AS cost_usd, COUNT(DISTINCT CASE WHEN COALESCE(u.kind, 'person') = 'person' THEN f.user_email END) AS people
        FROM fct_cost_daily AS f LEFT JOIN dim_users AS u ON f.user_email = u.email GROUP BY f.platform ORDER BY cost_usd DESC
        """
    )
    return [(row["platform"], row["cost_usd"], row["people"]) for row in found.to_pylist()]


def show_status(runtime: Runtime, console: Console) -> None:
    """Sources, cost, last run."""
    grid = Grid("source", "endpoint", "days", "complete", "empty", "failed", "missing", "last read (UTC)", "rows", "rejected", title="Held")
    for row in runtime.warehouse.select("SELECT * FROM vw_data_health ORDER BY source, endpoint").to_pylist():
        grid.add_row(
            row["source"], row["endpoint"], f"{row['first_day']} to {row['last_day']}", *(str(row[f"days_{s}"]) for s in ("complete", "empty", "failed", "missing")),
            f"{row['last_fetched_at']:%Y-%m-%d %H:%M}" if row["last_fetched_at"] else "never", str(row["row_count"] or 0), str(row["rejected_rows"] or 0),
        )  # fmt: skip
    console.print(grid)
    money = Grid("platform", "billed USD", "people", title="Billed")
    for platform, cost, people in platform_totals(runtime):
        money.add_row(plain(platform), f"{cost:,.2f}", str(people))
    console.print(money)
    for told in states.by_source(states.states(runtime), runtime.today):
        console.print(
            told.said, style="" if told.state == states.READ else "red" if told.is_owed else "yellow", markup=False, highlight=False
        )
    for reason in runtime.settings.off().values():
        console.print(reason, style="yellow")
    run = last_run(runtime.settings)
    console.print(f"Last run: {run}" if run else "No run yet: ai-usage run")
