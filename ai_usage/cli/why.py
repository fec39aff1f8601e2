"""`ai-usage why`: arguments and printing.

Belongs here: which periods are meant, and an answer as a table, JSON or CSV. Does not belong here: the parts of a change (`finance/drivers.py`).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import typer

from ai_usage import months
from ai_usage.cli.console import err, opened, out, plain
from ai_usage.errors import SettingsError

DAY = ["%Y-%m-%d"]


def why(
    month: Annotated[str | None, typer.Argument(help="A month, like 2026-10: beside the month before.")] = None,
    from_: Annotated[datetime | None, typer.Option("--from", formats=DAY, help="First UTC day of a period of your own.")] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=DAY, help="Its last UTC day.")] = None,
    before_from: Annotated[
        datetime | None,
        typer.Option("--before-from", formats=DAY, help="First UTC day of what it stands beside; default: the period before."),
    ] = None,
    before_to: Annotated[datetime | None, typer.Option("--before-to", formats=DAY, help="Its last UTC day.")] = None,
    by: Annotated[str | None, typer.Option(help="department, platform or person: the parts of each.")] = None,
    format_: Annotated[str, typer.Option("--format", help="table, json or csv.")] = "table",
) -> None:
    """Why cost changed between two periods: parts that sum to the change, whatever order things changed in."""
    from ai_usage.finance.drivers import BY, Period, drivers, month_drivers, not_held, period_before

    if format_ not in ("table", "json", "csv"):
        raise SettingsError(f"--format is {format_!r}; use table, json or csv.")
    if by is not None and by not in BY:
        raise SettingsError(f"--by is {by!r}; use {', '.join(BY)}.")
    if (month is None) == (from_ is None and to is None) or (from_ is None) != (to is None):
        raise SettingsError("name a month, like 2026-10, or both --from and --to.")
    if (before_from is None) != (before_to is None) or (before_from and month):
        raise SettingsError("--before-from and --before-to belong together, beside --from and --to; give all four.")
    with opened() as runtime:
        warehouse = runtime.existing()
        if month is not None:
            later, earlier, rows = month_drivers(warehouse, months.parse(month), by)
        else:
            assert from_ and to
            later = Period(from_.date(), to.date())
            earlier = Period(before_from.date(), before_to.date()) if before_from and before_to else period_before(later)
            rows = drivers(warehouse, later, earlier, by)
        _show(rows, by, format_)
        for sentence in not_held(warehouse, earlier, later):
            err.print(sentence, style="yellow", soft_wrap=True, highlight=False)
    before, total = (sum((r["amount_usd"] for r in rows if r["driver"] == "before" or whole), Decimal(0)) for whole in (False, True))
    err.print(
        f"{earlier}: {before:f} USD; {later}: {total:f} USD; change {total - before:+f} USD, to which the parts sum exactly.",
        soft_wrap=True,
        highlight=False,
    )


def _show(rows: list[dict[str, Any]], by: str | None, format_: str) -> None:
    import pyarrow as pa

    from ai_usage.cli.ask import show
    from ai_usage.dashboards import load_dashboards
    from ai_usage.tables.answers import DRIVERS

    rows = sorted(rows, key=lambda r: ([r[n] for n in r if n not in ("driver", "amount_usd")], DRIVERS.index(r["driver"])))
    if format_ != "table":
        names = list(rows[0]) if rows else ["driver", "amount_usd"]
        show(iter([pa.table({n: [r[n] for r in rows] for n in names})]), format_)
        return
    from rich.table import Table as Grid

    labels = load_dashboards()[0].labels["driver"]
    grid = Grid(*([by.capitalize()] if by else []), "Part", "USD")
    grid.columns[-1].justify = "right"
    for row in rows:
        *names, driver, amount = row.values()
        grid.add_row(*map(plain, names), labels[driver], f"{amount:,.2f}")
    out.print(grid)
