"""`ai-usage close` and `focus`: arguments, printing, exit codes.

Belongs here: what finance asks of a month. Does not belong here: what closing means (`closing.py`), what FOCUS wants (`focus.py`).
"""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from ai_usage import months
from ai_usage.cli.console import err, opened, out, plain


def close(
    month: Annotated[str, typer.Argument(help="The month, like 2026-10.")],
    author: Annotated[str | None, typer.Option(help="Who decides; default: the user who is logged in.")] = None,
    reason: Annotated[str, typer.Option(help="Why; required with --reopen and --accept.")] = "",
    accept: Annotated[
        list[str] | None,
        typer.Option(
            help="Close although this is open: unread_days, unknown_money, unknown_kinds. May be given again; the ledger keeps it with --reason."
        ),
    ] = None,
    reopen: Annotated[bool, typer.Option("--reopen", help="Open the closed month again; both decisions stay on record.")] = False,
    with_earlier: Annotated[bool, typer.Option("--with-earlier", help="Close the open months before it too, in order.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Only prove that the month holds the rows that were closed.")] = False,
) -> None:
    """Close a month: compute it once more, run its checks, freeze what is booked. Later corrections are booked to the first open month."""
    from ai_usage.cli.progress import run_with_progress, show_outcome
    from ai_usage.finance import closing, ledger, readiness

    first = months.parse(month)
    with opened() as runtime:
        if verify:
            if first not in ledger.closed_months(runtime.warehouse):
                raise ledger.ClosingError(f"{month} is not closed, so nothing is frozen that could have changed.")
            for sentence in ledger.damaged(runtime.warehouse, [first]):
                raise ledger.ClosingError(sentence)
            out.print(f"{month} holds the rows that were closed.")
            return
        decides = author or getpass.getuser()
        if reopen:
            was = closing.reopen(runtime.warehouse, first, author=decides, reason=reason)
            out.print(f"{month} is open again; it was closed with {was.cost_usd:,.2f} USD.", soft_wrap=True, highlight=False)
            return
        accepted = accept or []
        readiness.check_answers(accepted, reason)
        early = readiness.refusal(runtime.warehouse, first, runtime.today)
        if early:
            raise ledger.ClosingError(early)
        earlier = readiness.open_before(runtime.warehouse, first)
        if earlier and not with_earlier:
            raise ledger.ClosingError(
                f"{earlier[0]:%Y-%m} is still open; months are closed in order, so close it first, or all of them with --with-earlier."
            )
        begins, start = earlier[0] if earlier else first, runtime.settings.start_date
        if begins < start:
            raise ledger.ClosingError(
                f"{begins:%Y-%m} begins before AI_USAGE_START_DATE={start}, so it cannot be computed once more; set that to {begins} or earlier."
            )
        before = ledger.closed_months(runtime.warehouse)
        config = {"closed_month": {"month": month, "author": decides, "reason": reason, "with_earlier": with_earlier, "accept": accepted}}
        outcome = run_with_progress(runtime, begins, months.last_day(first), err, job="close_month", config=config)
        show_outcome(outcome, begins, months.last_day(first), err)
        held = runtime.warehouse.select("SELECT month, row_count, cost_usd, sha256 FROM stg_closed_months ORDER BY month").to_pylist()
        new = [row for row in held if row["month"] not in before]
        for row in new:
            said = f"{row['month']:%Y-%m} is closed: {row['cost_usd']:f} USD in {row['row_count']} rows, SHA-256 {row['sha256']}."
            out.print(said, soft_wrap=True, highlight=False)
            for sentence in readiness.warnings(runtime.warehouse, row["month"]):
                err.print(f"[yellow]note[/yellow] {plain(sentence)}", soft_wrap=True, highlight=False)
        if not outcome.success or first not in (row["month"] for row in new):
            raise typer.Exit(1)


def focus(
    month: Annotated[str, typer.Option(help="The month that books the cost, as 2026-10.")],
    output: Annotated[Path | None, typer.Option(help="Folder for the files; default: focus in AI_USAGE_EXPORT_DIR.")] = None,
    version: Annotated[str, typer.Option("--version", help="FOCUS version: 1.2 or 1.4.")] = "1.2",
) -> None:
    """Write a month's booked cost as FOCUS (FinOps Open Cost and Usage Specification): CSV, Parquet and metadata."""
    from ai_usage.finance.focus import export, month_to_write, sha256

    with opened() as runtime:
        runtime.existing()
        written = export(runtime, month_to_write(month, runtime.today), output, version)
    for path in written.files:
        out.print(f"{path} sha256 {sha256(path)}", markup=False, soft_wrap=True, highlight=False)
    err.print(f"{written.rows:,} rows, BilledCost {written.billed_usd:f} USD: the books' {month} to the last digit.", soft_wrap=True)
