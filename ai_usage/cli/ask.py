"""`ai-usage query`, `report` and `templates`: arguments and printing.

Belongs here: what the commands say, and an answer as a table, JSON or CSV. Does not belong here: the guard of a query (`warehouse/`).
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated

import typer

from ai_usage.cli.console import err, opened, out, plain, write
from ai_usage.errors import SettingsError
from ai_usage.guards.memory import limited_memory

if TYPE_CHECKING:
    import pyarrow as pa

GRID_ROWS = 10_000
_INTERRUPTED = "interrupted; the query was ended, nothing was changed."
_C1 = re.compile("[\x7f-\x9f]")  # JSON lets them stand, terminals act on them


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
    from ai_usage.remembered import unrecorded

    sql = os.fsencode(sql).decode("utf-8", errors="replace")  # in an ASCII locale other letters came as broken halves
    with opened() as runtime, unrecorded():
        settings = runtime.settings
        answer = runtime.warehouse.ask(sql, seconds=settings.query_timeout_s, memory_mb=settings.query_memory_mb, stuck=_end)
        try:
            with limited_memory(settings.query_memory_mb):
                show(answer, format_, exact)
        except KeyboardInterrupt:  # Typer would end without a word
            err.print(_INTERRUPTED, soft_wrap=True)
            raise typer.Exit(130) from None


def _end(sentence: str | None) -> None:
    """End this process, since the engine does not end its work: a thread that computes cannot be taken away."""
    err.print(f"[red]error[/red]: {plain(sentence)}" if sentence else _INTERRUPTED, soft_wrap=True, highlight=False)
    os._exit(1 if sentence else 130)


def show(answer: Iterator[pa.Table], format_: str, exact: bool = False) -> None:
    """Batch by batch: no answer is held whole, but for a grid, which is wide as its widest cell and so is bounded."""
    from rich.table import Table as Grid

    from ai_usage.outputs.text import cell_text, csv_note, json_text, person_cell
    from ai_usage.warehouse import WarehouseError

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
    from ai_usage.operations.as_of import moment_of
    from ai_usage.operations.report import write_html_report
    from ai_usage.runs.execution import last_checks

    with opened() as runtime:
        if as_of:
            moment = moment_of(as_of, datetime.now(UTC))
            path, size = write_html_report(runtime, output or Path(f"ai-usage-{moment:%Y-%m-%d}.html"), as_of=moment)
        else:
            path, size = write_html_report(runtime, output, last_checks(runtime.settings))
        out.print(f"{path} ({size / 1e6:.1f} MB)", markup=False, soft_wrap=True)


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
