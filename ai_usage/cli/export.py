"""`ai-usage export`: a mart, a fact or the month's chargeback as a file.

Belongs here: arguments, where the file goes, printing. What is written lies in `exporting/`.
"""

from __future__ import annotations

import os
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, cast

import typer

from ai_usage import months
from ai_usage.cli.console import err, opened, out
from ai_usage.errors import SettingsError


def export(
    name: Annotated[
        str, typer.Argument(help="A mart, a fact or a dimension of docs/tables.md, or chargeback: the lines to book for a month.")
    ],
    format_: Annotated[
        str | None, typer.Option("--format", help="csv, xlsx, json or parquet; default: the file's ending, else csv.")
    ] = None,
    month: Annotated[str | None, typer.Option(help="One month, YYYY-MM.")] = None,
    from_: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day; of a table by month, months that begin then or later."),
    ] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last UTC day, inclusive.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="The file, or - for standard output; default: a file here, named after the table and the days.")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="CSV for programs: text as it is stored. Without it no text can become a spreadsheet's formula.")
    ] = False,
) -> None:
    """Write a mart, a fact or the month's chargeback as a file: exact decimals, whole or not at all."""
    from ai_usage.outputs import FORMATS, Export, csv_note, write_export

    ending = output.suffix.removeprefix(".") if output else ""
    asked = Export(name, format_ or (ending if ending in FORMATS else "csv"), *_days(month, from_, to), exact)
    try:
        with opened() as runtime:
            warehouse = runtime.existing()
            if output == Path("-"):
                written = write_export(warehouse, asked, cast(BinaryIO, sys.stdout.buffer))
                sys.stdout.buffer.flush()
                where = "standard output"
            else:
                target = output or Path(asked.file_name)
                written = write_export(warehouse, asked, target)
                where = str(target)
                out.print(where, markup=False, soft_wrap=True, highlight=False)
    except BrokenPipeError:  # whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit from None
    total = written.totals.get("cost_usd")
    said = f"; {csv_note(exact)}" if asked.format == "csv" else ""
    err.print(
        f"{written.rows:,} rows{'' if total is None else f', {total:f} USD'} in {where}{said}",
        markup=False,
        soft_wrap=True,
        highlight=False,
    )


def _days(month: str | None, first: datetime | None, last: datetime | None) -> tuple[date | None, date | None]:
    if month is None:
        return first.date() if first else None, last.date() if last else None
    if first or last:
        raise SettingsError("--month already says which days; leave --from and --to out.")
    first_day = months.parse(month)
    return first_day, months.last_day(first_day)
