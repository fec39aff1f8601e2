"""`ai-usage demo` and `simulate`: from nothing to true dashboards, with simulated vendors.

Belongs here: the simulator's world for it, settings that point at it, and the closing table. The numbers are proved before they are
shown: the billed total must equal the simulator's books.
"""

from __future__ import annotations

import shutil
import signal
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ai_usage import months
from ai_usage.cli.console import err, out, plain
from ai_usage.errors import SettingsError

if TYPE_CHECKING:
    from rich.table import Table as Grid

    from ai_usage.runtime import Runtime
    from ai_usage.simulator import World

MARK = ".ai-usage-demo"


def simulated_world(days: int, people: int, seed: int) -> World:
    """A company whose history ends yesterday. 14 events per person and working day make the pictures lively."""
    from ai_usage.simulator import World

    last = datetime.now(UTC).date() - timedelta(days=1)
    return World(
        seed=seed, people=people, first_day=last - timedelta(days=days - 1), last_day=last, events_per_person_day=14.0, anthropic=True
    )


def run_demo(days: int, people: int, data_dir: Path, seed: int) -> bool:
    """Run everything into `data_dir`, which is emptied first; True when the run, its checks and the comparison with the books succeeded."""
    from ai_usage.settings import Settings, only_these
    from ai_usage.simulator import Simulator

    _empty(data_dir)
    world = simulated_world(days, people, seed)
    with Simulator(world, cursor_key="simulator", anthropic_key="simulator") as sim:
        # The definitions read the environment when they are imported, so it is set before.
        only_these(
            {
                "AI_USAGE_DEMO": "true", "AI_USAGE_DATA_DIR": str(data_dir), "AI_USAGE_START_DATE": world.first_day.isoformat(),
                "AI_USAGE_CURSOR_BASE_URL": sim.url, "CURSOR_ADMIN_API_KEY": "simulator", "AI_USAGE_CURSOR_RATE_FACTOR": "0",
                "AI_USAGE_ANTHROPIC_BASE_URL": sim.url,
                "ANTHROPIC_ADMIN_API_KEY": "simulator",
                "AI_USAGE_ANTHROPIC_RATE_FACTOR": "0",
                "AI_USAGE_SHEETS_BASE_URL": sim.url, "AI_USAGE_SHEET_ID": sim.sheet_id,
            }
        )  # fmt: skip
        from ai_usage.cli.progress import run_with_progress
        from ai_usage.defs.operations.jobs import on
        from ai_usage.guards import files
        from ai_usage.runtime import Runtime

        runtime = Runtime(Settings())
        files.keep_private(runtime.settings.data_dir, runtime.settings.file_group)
        _drop_exports(runtime.settings.uploads, world)
        outcome = run_with_progress(runtime, world.first_day, world.last_day, err, read=on(runtime.settings))
        runtime.close()
    for asset, sentence in outcome.failures.items():
        err.print(f"failed {asset}: {sentence}", markup=False, soft_wrap=True)
    if not outcome.success:
        return False
    billed = runtime.warehouse.select("SELECT SUM(cost_usd) AS usd FROM fct_cost_daily WHERE cost_type IN ('usage', 'overage')")["usd"][
        0
    ].as_py()
    books = (world.truth.billed_usd_by_day(), world.truth.anthropic.usd_by_day())
    truth = sum((usd for book in books for usd in book.values()), Decimal(0))
    truth += sum(world.truth.claude_ai_spend_usd_by_day_user().values(), Decimal(0))
    out.print(_summary(runtime, world, outcome.count("passed"), outcome.count("warning"), billed == truth, truth))
    for check in outcome.checks:
        if check.state == "warning":
            out.print(f"[yellow]warning[/yellow] {check.asset}/{check.name}: {plain(str(check.metadata.get('actual')))}", soft_wrap=True)
    return bool(billed == truth)


def _summary(runtime: Runtime, world: World, passed: int, warnings: int, true: bool, truth: Decimal) -> Grid:
    from rich.table import Table as Grid

    from ai_usage.cli.progress import platform_totals

    records = runtime.warehouse.select("SELECT SUM(row_count) AS n FROM stg_current_fetches")["n"][0].as_py()
    grid = Grid(title="AI usage demo", show_header=False, title_justify="left")
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    grid.add_row("days", f"{(world.last_day - world.first_day).days + 1} (UTC, {world.first_day} to {world.last_day})")
    grid.add_row("records", f"{records:,}")
    for platform, cost, people in platform_totals(runtime):
        grid.add_row(f"billed USD, {platform}", f"{cost:,.2f}  ({people} people)")
    grid.add_row("vendor's books", f"usage {truth:,.9f} USD: {'equal to the last digit' if true else 'NOT EQUAL'}")
    grid.add_row("checks", f"{passed} passed, {warnings} warnings")
    grid.add_row("dashboard", str(runtime.settings.report_file))
    grid.add_row("database", str(runtime.settings.duckdb_file))
    return grid


def _drop_exports(folder: Path, world: World) -> None:
    """What somebody in finance downloads from claude.ai: the audit log, the spend of each month, and day by day of the last three days."""
    folder.mkdir(parents=True)
    first, last = world.first_day, world.last_day
    (folder / "claude_ai_audit_log.csv").write_text(world.export_audit_log(first, last), encoding="utf-8")
    begin = first
    while begin <= last:
        month_end = months.last_day(begin)
        recent = last - timedelta(days=2)
        end = begin if begin >= recent else min(month_end, recent - timedelta(days=1))
        (folder / f"claude_ai_spend.{begin}_{end}.csv").write_text(world.export_spend(begin, end), encoding="utf-8")
        begin = end + timedelta(days=1)


def _empty(folder: Path) -> None:
    """Empty a folder that an earlier demo made; refuse any other."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise SettingsError(f"{folder} holds files that no demo made; name another folder with --data-dir.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def demo(
    days: Annotated[int, typer.Option(min=2, max=730, help="How many UTC days, ending yesterday.")] = 90,
    people: Annotated[int, typer.Option(min=3, max=1000, help="How many people.")] = 24,
    data_dir: Annotated[Path, typer.Option(help="Where everything is written; emptied first.")] = Path("data/demo"),
    seed: Annotated[int, typer.Option(help="Another seed is another company.")] = 7,
) -> None:
    """Simulated vendors on localhost, every asset through Dagster, the dashboards: no key, no account."""
    if not run_demo(days, people, data_dir, seed):
        raise typer.Exit(1)


def simulate(
    days: Annotated[int, typer.Option(min=1, help="How many UTC days, ending yesterday.")] = 90,
    people: Annotated[int, typer.Option(min=3, help="How many people.")] = 24,
    port: Annotated[int, typer.Option(help="Where to listen on localhost.")] = 8765,
    seed: Annotated[int, typer.Option(help="Another seed is another company.")] = 7,
) -> None:
    """Only the simulated vendors, until Ctrl-C; prints the settings that point at them."""
    from ai_usage.simulator import Simulator

    with Simulator(simulated_world(days, people, seed), port=port, cursor_key="simulator", anthropic_key="simulator") as sim:
        out.print(
            f"AI_USAGE_CURSOR_BASE_URL={sim.url}\nCURSOR_ADMIN_API_KEY=simulator\nAI_USAGE_ANTHROPIC_BASE_URL={sim.url}\n"
            f"ANTHROPIC_ADMIN_API_KEY=simulator\nAI_USAGE_SHEETS_BASE_URL={sim.url}\nAI_USAGE_SHEET_ID={sim.sheet_id}",
            highlight=False,
        )
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
