"""`ai-usage`: the command line.

Belongs here: arguments, printing, exit codes. What a command does lies in `execution.py`, `operations.py`, `doctor.py` and
`demo.py`. Answers go to standard output; progress and errors to standard error. Every error is one sentence and exit code 1
(2 for a wrong argument).
"""

from __future__ import annotations

import csv
import errno
import io
import logging
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, NoReturn

import pyarrow as pa
import typer
from rich.table import Table as Grid

from ai_usage import __version__, alerts_cli, books_cli, care_cli, export_cli, files, logs, metabase_cli
from ai_usage.console import err, opened, out, plain, write
from ai_usage.exporting import ExportError, cell_text, csv_note, json_text, person_cell
from ai_usage.remembered import unrecorded
from ai_usage.settings import Settings, SettingsError, load_settings
from ai_usage.sources.errors import SourceError
from ai_usage.warehouse import DuckDBWarehouse, WarehouseError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Who spent what on AI tools, what came of it, and whether the number is right.",
)
app.add_typer(metabase_cli.app, name="metabase")
app.command()(books_cli.close)
app.command()(books_cli.focus)
app.command()(export_cli.export)
app.command()(care_cli.backup)
app.command()(care_cli.restore)
app.command()(care_cli.upgrade)
app.command()(care_cli.forget)
app.command("alerts")(alerts_cli.alerts)
log = logging.getLogger(__name__)
GRID_ROWS = 10_000
_C1 = re.compile("[\x7f-\x9f]")  # JSON lets them stand, terminals act on them
Day = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])]


def _day(value: datetime | None, default: date) -> date:
    return value.date() if value else default


@app.command()
def run(
    from_: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day; default: the settle window's.")
    ] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last UTC day, inclusive; default: yesterday.")] = None,
) -> None:
    """Read every source that is on for these UTC days, rebuild what depends on them, run every check."""
    from ai_usage.defs.operations.jobs import on
    from ai_usage.progress import run_with_progress, show_outcome, show_sources

    with opened() as runtime:
        settings = runtime.settings
        last = _day(to, runtime.yesterday)
        first = _day(from_, max(settings.start_date, last - timedelta(days=settings.settle_days - 1)))
        _check_days(first, last, settings, runtime.yesterday)
        for reason in settings.off().values():
            err.print(reason, style="yellow", soft_wrap=True)
        if not settings.any_source_is_on:
            raise SettingsError(
                "no source is on; set CURSOR_ADMIN_API_KEY, ANTHROPIC_ADMIN_API_KEY or AI_USAGE_SHEET_ID (docs/settings.md), or try `make demo`."
            )
        try:
            outcome = run_with_progress(runtime, first, last, err, read=on(settings))
        except KeyboardInterrupt:  # Typer would end without a word
            err.print("interrupted; what was published stands, nothing is half-written.", soft_wrap=True)
            raise typer.Exit(130) from None
        show_sources(runtime, outcome, on(settings), err)
        show_outcome(outcome, first, last, err)
        if not outcome.success:
            raise typer.Exit(1)


def _check_days(first: date, last: date, settings: Settings, yesterday: date) -> None:
    if settings.start_date > yesterday:
        raise SettingsError(
            f"AI_USAGE_START_DATE={settings.start_date} is a day that has not ended in UTC; set it to {yesterday} or earlier, or run when it has ended."
        )
    if first > last:
        raise SettingsError(f"--from {first} lies after --to {last}; exchange them.")
    if first < settings.start_date:
        raise SettingsError(f"--from {first} lies before AI_USAGE_START_DATE={settings.start_date}; set that to an earlier day first.")
    if last > yesterday:
        raise SettingsError(f"--to {last} has not ended in UTC; the last whole day is {yesterday}.")


@app.command()
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
    from ai_usage.operations import put_into_folder
    from ai_usage.progress import run_with_progress, show_outcome

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


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT in BigQuery dialect; tables by their names alone.")],
    format_: Annotated[str, typer.Option("--format", help="table, json or csv.")] = "table",
    exact: Annotated[
        bool, typer.Option("--exact", help="CSV for programs: text as it is stored. Without it no text can become a spreadsheet's formula.")
    ] = False,
) -> None:
    """Ask the warehouse. Read only; JSON is a list of objects with exact decimals."""
    if format_ not in ("table", "json", "csv"):
        raise SettingsError(f"--format is {format_!r}; use table, json or csv.")
    if exact and format_ != "csv":
        raise SettingsError(f"--exact is about csv, and --format is {format_!r}; leave it out.")
    sql = os.fsencode(sql).decode("utf-8", errors="replace")  # in an ASCII locale other letters came as broken halves
    with opened() as runtime, unrecorded():
        warehouse, settings = runtime.warehouse, runtime.settings
        if isinstance(warehouse, DuckDBWarehouse):
            answer = warehouse.ask(sql, seconds=settings.query_timeout_s, memory_mb=settings.query_memory_mb)
        else:
            answer = iter([warehouse.select(sql)])
        try:
            _show(answer, format_, exact)
        except KeyboardInterrupt:  # Typer would end without a word
            err.print("interrupted; the query was ended, nothing was changed.", soft_wrap=True)
            raise typer.Exit(130) from None


def _show(answer: Iterator[pa.Table], format_: str, exact: bool = False) -> None:
    """Batch by batch: no answer is held whole, but for a grid, which is wide as its widest cell and so is bounded."""
    first = next(answer)
    names = first.column_names
    rows = (row for batch in chain([first], answer) for row in batch.to_pylist())
    if format_ == "json":
        write("[")
        for number, row in enumerate(rows):
            write((", " if number else "") + _C1.sub(lambda c: f"\\u{ord(c[0]):04x}", json_text(row)))
        write("]\n")
    elif format_ == "csv":
        writer = csv.writer(SimpleNamespace(write=write), lineterminator="\n")
        writer.writerow(names)
        cell, written = cell_text if exact else person_cell, 0
        for row in rows:
            writer.writerow([cell(row[n]) for n in names])
            written += 1
        err.print(f"{written} rows; {csv_note(exact)}", soft_wrap=True, highlight=False)
    else:
        held = list(islice(rows, GRID_ROWS + 1))
        if len(held) > GRID_ROWS:
            raise WarehouseError(
                f"the answer has more than {GRID_ROWS:,} rows, too many for a table; add LIMIT, or use --format csv or json."
            )
        grid = Grid(*map(plain, names))
        for row in held:
            grid.add_row(*[plain(cell_text(row[n])) or "–" for n in names])
        out.print(grid)
        err.print(f"{len(held)} rows")


@app.command()
def copy(
    to: Annotated[str, typer.Option("--to", help="bigquery or duckdb; the other one is read.")],
) -> None:
    """Move every raw version to the other warehouse and rebuild everything after raw. Idempotent; goes on where it was interrupted."""
    from ai_usage.copying import copy as copy_all

    engines = ("duckdb", "bigquery")
    if to not in engines:
        raise SettingsError(f"--to is {to!r}; use duckdb or bigquery.")
    with opened() as runtime:
        source = runtime.engine(engines[engines.index(to) - 1])

        def told(done: int, total: int) -> None:
            err.print(f"{done:,} of {total:,} fetches moved", soft_wrap=True)

        moved = copy_all(source, runtime.engine(to), today=runtime.today, progress=told)
    err.print(
        f"done: {moved.fetches:,} fetches with {moved.rows:,} rows moved, {moved.already_there:,} were there already, "
        f"{moved.rebuilt_days:,} days rebuilt.", soft_wrap=True,
    )  # fmt: skip
    for day, platform, before, after in moved.differences[:20]:
        err.print(
            f"[yellow]differs[/yellow] {day} {platform}: {before} USD there, {after} USD here; the source's facts are older than its raw "
            "versions, so run the job rebuild on the source to see the same.", soft_wrap=True,
        )  # fmt: skip


@app.command()
def report(
    output: Annotated[Path | None, typer.Option(help="Where to write it; default: AI_USAGE_REPORT_PATH.")] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            help="As known at an earlier moment: a UTC day (its end), or a time like 2026-10-31T14:00:00Z. Computed from raw versions.",
        ),
    ] = None,
) -> None:
    """Write all dashboards as one HTML file that needs no network."""
    from ai_usage.as_of import moment_of
    from ai_usage.execution import last_checks
    from ai_usage.operations import write_html_report

    with opened() as runtime:
        if as_of:
            moment = moment_of(as_of, datetime.now(UTC))
            path, size = write_html_report(runtime, output or Path(f"ai-usage-{moment:%Y-%m-%d}.html"), as_of=moment)
        else:
            path, size = write_html_report(runtime, output, last_checks(runtime.settings))
        out.print(f"{path} ({size / 1e6:.1f} MB)", markup=False, soft_wrap=True)


@app.command()
def status() -> None:
    """What is held: each source's days, the cost by platform, the last run."""
    from ai_usage.progress import show_status

    with opened() as runtime:
        show_status(runtime, out)


@app.command()
def certify(
    from_: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day; default: AI_USAGE_START_DATE.")
    ] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last UTC day, inclusive; default: yesterday.")] = None,
    format_: Annotated[str, typer.Option("--format", help="table, json or csv.")] = "table",
) -> None:
    """Days and endpoints with state, rows and hash, and the commands that would close the gaps. Exit code 1 when there are gaps."""
    from ai_usage import certify as certificates
    from ai_usage import completeness

    if format_ not in ("table", "json", "csv"):
        raise SettingsError(f"--format is {format_!r}; use table, json or csv.")
    with opened() as runtime:
        runtime.existing()
        last = _day(to, runtime.yesterday)
        first = _day(from_, min(last, runtime.settings.start_date))
        _check_days(first, last, runtime.settings, runtime.yesterday)
        days = completeness.certificate(runtime, first, last)
        if not days:
            raise SettingsError(
                f"no endpoint was ever asked about {first} to {last}, so there is nothing to certify; run `ai-usage run` first."
            )
        plan = completeness.plan(days, runtime.settings)
    gaps = sum(d.is_gap for d in days)
    if format_ == "json":
        write(json_text(certificates.document(first, last, days, plan)) + "\n")
    elif format_ == "csv":
        write(certificates.as_csv(days, person_cell))
    else:
        out.print(certificates.grid(days))
    for line in plan:
        err.print(f"[yellow]gap[/yellow] {plain(line)}", highlight=False, soft_wrap=True)
    word = "[red]not complete[/red]" if gaps else "[green]complete[/green]"
    err.print(f"{word}: {first} to {last}, {len(days) - gaps} of {len(days)} days of endpoints are held.", soft_wrap=True)
    if gaps:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Try each source and the warehouse: reachable, authorised, clock. One sentence and the remedy for what is not."""
    from ai_usage.doctor import examine

    with opened() as runtime:
        found = examine(runtime)
    for finding in found:
        mark = {"ok": "[green]ok[/green] ", "off": "[yellow]off[/yellow]", "warn": "[yellow]warn[/yellow]", "bad": "[red]bad[/red]"}[
            finding.state
        ]
        out.print(f"{mark}  {finding.what}: ", end="", soft_wrap=True)
        out.print(finding.sentence, markup=False, soft_wrap=True)
    if any(f.state == "bad" for f in found):
        raise typer.Exit(1)


@app.command()
def demo(
    days: Annotated[int, typer.Option(min=2, max=730, help="How many UTC days, ending yesterday.")] = 90,
    people: Annotated[int, typer.Option(min=3, max=1000, help="How many people.")] = 24,
    data_dir: Annotated[Path, typer.Option(help="Where everything is written; emptied first.")] = Path("data/demo"),
    seed: Annotated[int, typer.Option(help="Another seed is another company.")] = 7,
) -> None:
    """Simulated vendors on localhost, every asset through Dagster, the dashboards: no key, no account."""
    from ai_usage.demo import run_demo

    if not run_demo(days, people, data_dir, seed, out, err):
        raise typer.Exit(1)


@app.command()
def simulate(
    days: Annotated[int, typer.Option(min=1, help="How many UTC days, ending yesterday.")] = 90,
    people: Annotated[int, typer.Option(min=3, help="How many people.")] = 24,
    port: Annotated[int, typer.Option(help="Where to listen on localhost.")] = 8765,
    seed: Annotated[int, typer.Option(help="Another seed is another company.")] = 7,
) -> None:
    """Only the simulated vendors, until Ctrl-C; prints the settings that point at them."""
    from ai_usage.demo import simulated_world
    from ai_usage.simulator import Simulator

    with Simulator(simulated_world(days, people, seed), port=port, cursor_key="simulator", anthropic_key="simulator") as sim:
        out.print(
            f"AI_USAGE_CURSOR_BASE_URL={sim.url}\nCURSOR_ADMIN_API_KEY=simulator\nAI_USAGE_ANTHROPIC_BASE_URL={sim.url}\n"
            f"ANTHROPIC_ADMIN_API_KEY=simulator\nAI_USAGE_SHEETS_BASE_URL={sim.url}\nAI_USAGE_SHEET_ID={sim.sheet_id}",
            highlight=False,
        )
        import signal

        signal.sigwait({signal.SIGINT, signal.SIGTERM})


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Where the pages are served.")] = 3000,
    host: Annotated[str, typer.Option(help="Which address listens; any but this machine's needs AI_USAGE_PAGES_TOKEN.")] = "127.0.0.1",
) -> None:
    """Dagster's web pages with everything loaded, and its daemon for the schedule and the sensors, until Ctrl-C."""
    from ai_usage.execution import dagster_home
    from ai_usage.pages import check_reach

    settings = load_settings()
    check_reach(host, settings)
    files.keep_private(settings.data_dir, settings.file_group)
    home = dagster_home(settings)
    for reason in settings.off().values():
        err.print(reason, style="yellow", soft_wrap=True)
    err.print(f"DAGSTER_HOME={home}\nhttp://{host}:{port}", highlight=False, soft_wrap=True)
    shape = ["--log-format", "json"] if settings.log_format == "json" else []
    words = [sys.executable, "-m", "ai_usage.pages", "dev", "-m", "ai_usage.definitions", "--host", host, "--port", str(port), *shape]
    os.execv(sys.executable, words)  # noqa: S606


@app.command()
def templates(folder: Annotated[Path, typer.Argument(help="Where to write them.")] = Path("docs/templates")) -> None:
    """Write the CSV templates of the drop folder and of the sheet's tabs."""
    from ai_usage.sources.google_sheets.records import TABS
    from ai_usage.sources.google_sheets.records import template as tab_template
    from ai_usage.sources.uploads.client import EXPORTS, KINDS, template

    folder.mkdir(parents=True, exist_ok=True)
    kinds = (*KINDS, *EXPORTS)
    for kind in kinds:
        (folder / f"{kind}.csv").write_text(template(kind), encoding="utf-8")
    for tab in TABS:
        (folder / f"sheet_{tab}.csv").write_text(tab_template(tab), encoding="utf-8")
    out.print(f"{len(kinds) + len(TABS)} templates in {folder}", markup=False, soft_wrap=True)


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        out.print(__version__)
        raise typer.Exit


def main() -> None:
    """Entry point: every known error is one sentence on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # names and documents are UTF-8, whatever the locale
    try:
        app(standalone_mode=True)
    except (SettingsError, WarehouseError, SourceError, ExportError) as error:
        _fail(str(error))
    except OSError as error:
        if not error.errno:
            raise
        _fail(_of_the_machine(error))
    except UnicodeEncodeError:
        _fail("a name that is not ASCII cannot be used in this locale; set LC_ALL=C.UTF-8 and run again.")
    except KeyboardInterrupt:
        err.print("interrupted; what was published stands, nothing is half-written.")
        sys.exit(130)


def _fail(sentence: str) -> NoReturn:
    if logs.is_json():
        log.error(sentence)
    else:
        err.print("[red]error[/red]: ", end="", soft_wrap=True)
        err.print(sentence, markup=False, soft_wrap=True, highlight=False)
    sys.exit(1)


def _of_the_machine(error: OSError) -> str:
    """What the disk or the machine refused, wherever it did."""
    where = error.filename or "a file of the platform"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where} cannot be written, the disk is full; free space and run again, nothing is half-written."
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{where} cannot be written or read ({error.strerror}); correct its owner or mount, or set AI_USAGE_DATA_DIR to a folder of your own."
    return f"{where}: {error.strerror}; correct that and run again, nothing is half-written."


if __name__ == "__main__":
    main()
