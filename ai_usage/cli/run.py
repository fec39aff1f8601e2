"""`ai-usage run`, `upload`, `status` and `dev`: arguments and printing.

Belongs here: what the commands say. Does not belong here: what they do (`runs/`, `operations/`).
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from ai_usage.cli.console import err, opened, out
from ai_usage.cli.days import check_days, utc_day
from ai_usage.errors import SettingsError


def run(
    from_: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day; default: the settle window's.")
    ] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last UTC day, inclusive; default: yesterday.")] = None,
) -> None:
    """Read every source that is on for these UTC days, rebuild what depends on them, run every check."""
    from ai_usage.cli.progress import run_with_progress, show_outcome, show_sources
    from ai_usage.defs.operations.jobs import on
    from ai_usage.settings import SWITCHES, variable
    from ai_usage.sources.endpoint import Window

    with opened() as runtime:
        settings = runtime.settings
        last = utc_day(to, runtime.yesterday)
        first = utc_day(from_, max(settings.start_date, last - timedelta(days=settings.settle_days - 1)))
        check_days(first, last, settings, runtime.yesterday)
        for reason in settings.off().values():
            err.print(reason, style="yellow", soft_wrap=True)
        if not settings.any_source_is_on:
            given = [variable(switch.setting) for switch in SWITCHES]
            raise SettingsError(
                f"no source is on; set {', '.join(given[:-1])} or {given[-1]} (docs/settings.md), load files alone with ai-usage upload, or try `make demo`."
            )
        try:
            outcome = run_with_progress(runtime, first, last, err, read=on(settings))
        except KeyboardInterrupt:  # Typer would end without a word
            err.print("interrupted; what was published stands, nothing is half-written.", soft_wrap=True)
            raise typer.Exit(130) from None
        show_sources(runtime, outcome, on(settings), Window(first, last), err)
        show_outcome(outcome, first, last, err)
        if not outcome.success:
            raise typer.Exit(1)


def upload(
    file: Annotated[Path | None, typer.Argument(help="A CSV file to put into the drop folder first, under its proper name.")] = None,
    from_: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Of a claude.ai spend report: the first day that it sums.")
    ] = None,
    to: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Of a claude.ai spend report: the last day that it sums, inclusive."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of what stands there: the name then ends in .replace.csv.")
    ] = False,
) -> None:
    """Load the CSV files of the drop folder now, and rebuild what depends on them."""
    from ai_usage.cli.progress import run_with_progress, show_outcome
    from ai_usage.operations.uploads import put_into_folder

    with opened() as runtime:
        first, last = runtime.settings.start_date, runtime.yesterday
        if file:
            begins, ends = from_.date() if from_ else None, to.date() if to else None
            put = put_into_folder(runtime.settings, file, begins, ends, replace, runtime.today)
            err.print(f"put into {put}", markup=False, soft_wrap=True, highlight=False)
        elif from_ or to or replace:
            raise SettingsError(
                "--from, --to and --replace speak of one file; name it: ai-usage upload FILE --from 2026-10-01 --to 2026-10-31."
            )
        outcome = run_with_progress(runtime, first, last, err, job="rebuild", read=["uploads"])
        show_outcome(outcome, first, last, err)
        refused = any(c.name == "files_readable" and c.state != "passed" for c in outcome.checks)
        if not outcome.success or (file and refused):
            raise typer.Exit(1)


def status() -> None:
    """What is held: each source's days, the cost by platform, the last run."""
    from ai_usage.cli.progress import show_status

    with opened() as runtime:
        show_status(runtime, out)


def dev(
    port: Annotated[int, typer.Option(help="Where the pages are served.")] = 3000,
    host: Annotated[str, typer.Option(help="Which address listens; any but this machine's needs AI_USAGE_PAGES_TOKEN.")] = "127.0.0.1",
) -> None:
    """Dagster's web pages with everything loaded, and its daemon for the schedule and the sensors, until Ctrl-C."""
    from ai_usage.guards import files
    from ai_usage.runs.execution import check_records, dagster_home
    from ai_usage.runs.pages import check_reach
    from ai_usage.settings import load_settings

    settings = load_settings()
    check_reach(host, settings)
    files.keep_private(settings.data_dir, settings.file_group)
    home = dagster_home(settings)
    check_records(settings)
    for reason in settings.off().values():
        err.print(reason, style="yellow", soft_wrap=True)
    err.print(f"DAGSTER_HOME={home}\nhttp://{host}:{port}", highlight=False, soft_wrap=True)
    shape = ["--log-format", "json"] if settings.log_format == "json" else []
    words = [sys.executable, "-m", "ai_usage.runs.pages", "dev", "-m", "ai_usage.definitions", "--host", host, "--port", str(port), *shape]
    os.execv(sys.executable, words)  # noqa: S606
