"""`ai-usage explain`: arguments and printing.

Belongs here: which figure is meant, and its explanation as a table, JSON or CSV. Does not belong here: the steps and their proof (`finance/explain.py`).
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ai_usage import months
from ai_usage.cli.console import err, opened, out, plain, write
from ai_usage.errors import SettingsError

if TYPE_CHECKING:
    from ai_usage.finance.evidence import Found
    from ai_usage.finance.explain import Explanation

DAY = ["%Y-%m-%d"]
ROWS = 12  # of the grid that says where days come from
WIDE = 300  # characters of a record


def _names(what: str) -> Any:
    return typer.Option(help=f"{what}; give it again for another.")


def explain(
    month: Annotated[str | None, typer.Argument(help="A month, like 2026-10.")] = None,
    from_: Annotated[datetime | None, typer.Option("--from", formats=DAY, help="First UTC day of a period of your own.")] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=DAY, help="Its last UTC day; default: that day alone.")] = None,
    department: Annotated[list[str] | None, _names("A department")] = None,
    person: Annotated[list[str] | None, _names("A person's e-mail, or name")] = None,
    platform: Annotated[list[str] | None, _names("A platform")] = None,
    vendor: Annotated[list[str] | None, _names("Who sends the bill")] = None,
    model: Annotated[list[str] | None, _names("A model")] = None,
    key: Annotated[list[str] | None, _names("An API key's or service account's id, or name")] = None,
    cost_type: Annotated[list[str] | None, _names("A cost type, like usage or subscription")] = None,
    workspace: Annotated[list[str] | None, _names("A workspace's id")] = None,
    lines: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many lines, the largest.")] = 20,
    records: Annotated[
        int, typer.Option(min=0, max=1_000, help="At most so many of the vendor's records of each of the largest lines.")
    ] = 3,
    files: Annotated[int, typer.Option(min=0, max=10_000, help="At most so many files of the spool are read again for the proof.")] = 100,
    format_: Annotated[str, typer.Option("--format", help="table, json or csv; csv holds the lines.")] = "table",
) -> None:
    """From a figure to its lines, to the fetches that told of them, to the vendor's own records: proved at each step to sum."""
    from ai_usage.finance.explain import explain as explained
    from ai_usage.finance.figure import Figure, named

    if format_ not in ("table", "json", "csv"):
        raise SettingsError(f"--format is {format_!r}; use table, json or csv.")
    if (month is None) == (from_ is None) or (month and to):
        raise SettingsError("name a month, like 2026-10, or --from and --to.")
    first = months.parse(month) if month else from_.date() if from_ else None
    assert first
    last = months.last_day(first) if month else to.date() if to else first
    if last < first:
        raise SettingsError(f"--from {first} lies after --to {last}; exchange them.")
    asked = {
        "department": department, "person": person, "platform": platform, "vendor": vendor, "model": model, "key": key, "cost_type": cost_type,
        "workspace": workspace,
    }  # fmt: skip
    with opened() as runtime:
        warehouse = runtime.existing()
        chosen = {kind: [v for name in names for v in named(warehouse, kind, name)] for kind, names in asked.items() if names}
        found = explained(
            warehouse, runtime.settings.spool_dir, runtime.forgotten, Figure(first, last, chosen), lines=lines, records=records, files=files
        )
        {"table": _grid, "json": _json, "csv": _csv}[format_](found)
    for note in found.notes:
        err.print(note, soft_wrap=True, highlight=False)
    for proof in found.proofs:
        if not proof.holds:
            err.print(
                f"[red]does not sum[/red]: {plain(proof.said)}: {proof.whole_usd:f} and {proof.parts_usd:f} USD, {proof.whole_usd - proof.parts_usd:+f}; "
                f"{proof.remedy}.", soft_wrap=True, highlight=False,
            )  # fmt: skip
    if not found.holds:
        raise typer.Exit(1)


def _grid(found: Explanation) -> None:
    out.print(f"{found.figure}: {found.total_usd:f} USD", markup=False, soft_wrap=True, highlight=False)
    if not found.lines.count:
        out.print("No line of the books is in it.", highlight=False)
        return
    named = ("Day", "Department", "Person", "Key", "Platform", "Model", "Of", "State")
    rows = [
        [
            r["booked_on"], r["department"], r["user_email"], r["api_key_id"], r["platform"], r["model"], r["token_type"] or r["cost_type"],
            f"{r['settle_state']}, corrects {r['cost_date']}" if r["is_correction"] else r["settle_state"], r["cost_usd"],
        ]
        for r in found.lines.rows
    ]  # fmt: skip
    count, usd = found.lines.others
    _table(f"Lines: {found.lines.count:,}", named, rows, ("others", count, usd))
    days = sorted(found.days, key=lambda d: (-abs(d["figure_usd"]), d["cost_date"], d["source"]))
    told = [
        [d["cost_date"], d["asked"], d["endpoint"], d["fetched_at"] and f"{d['fetched_at']:%Y-%m-%d %H:%M}", d["fetch_id"], d["figure_usd"]]
        for d in days[:ROWS]
    ]
    rest = sum((d["figure_usd"] for d in days[ROWS:]), Decimal(0))
    _table("Where they come from", ("Day", "Source", "Endpoint", "Read, UTC", "Fetch"), told, ("other days", len(days[ROWS:]), rest))
    for line, records in found.found:
        _records(line, records)
    for tab, rows_of in found.sheet.items():
        _table(
            f"The sheet's tab {tab}, worked out for these days", ("Row", "Says"), [[r.line, r.text, r.usd] for r in rows_of[:ROWS]],
            ("other rows", len(rows_of[ROWS:]), sum((r.usd for r in rows_of[ROWS:]), Decimal(0))),
        )  # fmt: skip
    for proof in found.proofs:
        if proof.holds:
            out.print(f"sums exactly: {proof.said}: {proof.whole_usd:f} USD", markup=False, soft_wrap=True, highlight=False)


def _table(title: str, names: Sequence[str], rows: Sequence[Sequence[Any]], rest: tuple[str, int, Decimal]) -> None:
    """Rows whose last value is USD, and one for what is not shown of them, so that what stands there sums."""
    from rich.table import Table as Grid

    grid = Grid(*names, "USD", title=plain(title), title_justify="left")
    grid.columns[-1].justify = "right"
    for row in rows:
        grid.add_row(*["–" if v is None else plain(str(v)) for v in row[:-1]], f"{row[-1]:f}")
    what, count, usd = rest
    if count:
        grid.add_row(f"{count:,} {what}", *[""] * (len(names) - 1), f"{usd:f}")
    out.print(grid)


def _records(line: dict[str, Any], found: Found) -> None:
    who = ", ".join(str(line[name]) for name in ("cost_date", "user_email", "api_key_id", "model", "token_type") if line[name])
    out.print(f"\n{who}: {line['cost_usd']:f} USD", markup=False, soft_wrap=True, highlight=False)
    if found.missing:
        out.print(f"  {found.missing}.", markup=False, soft_wrap=True, highlight=False)
        return
    said = f"  {found.source} {found.endpoint}: {found.count} record{'s' * (found.count != 1)}, {found.told_usd:f} USD"
    if found.quantity and found.unit:
        said += f" for {found.quantity:,} {found.unit.lower()}, {found.told_usd * 1_000_000 / found.quantity:,.6f} USD a million"
    said += f"; {found.spool_path}"
    out.print(said, markup=False, soft_wrap=True, highlight=False)
    for record in found.records:
        text = record.text if len(record.text) <= WIDE else record.text[:WIDE] + " …"
        out.print(f"  line {record.line}, {record.usd:f} USD: {text}", markup=False, soft_wrap=True, highlight=False)


def _json(found: Explanation) -> None:
    from ai_usage.outputs.text import json_text

    count, usd = found.lines.others
    said = {
        "from": found.figure.first, "to": found.figure.last, "chosen": dict(found.figure.chosen), "table": found.table, "total_usd": found.total_usd,
        "lines": found.lines.rows, "other_lines": {"count": count, "cost_usd": usd}, "days": found.days,
        "records": [{"line": line, **asdict(records)} for line, records in found.found],
        "sheet": {tab: [asdict(r) for r in rows] for tab, rows in found.sheet.items()},
        "proofs": [{**asdict(p), "holds": p.holds} for p in found.proofs], "notes": found.notes,
    }  # fmt: skip
    write(json_text(said) + "\n")


def _csv(found: Explanation) -> None:
    """Lines with who told of them; what is not shown is a last row, so that the column sums."""
    from ai_usage.outputs.text import csv_note, person_cell

    told = {(d["source"], d["cost_date"]): d for d in found.days}
    more = ("endpoint", "fetch_id", "fetched_at", "spool_path")
    names = [*(found.lines.rows[0] if found.lines.rows else ("cost_usd",)), *more]
    writer = csv.writer(SimpleNamespace(write=write), lineterminator="\n")
    writer.writerow(names)
    for row in found.lines.rows:
        of = told[row["source"], row["cost_date"]]
        writer.writerow([person_cell(v) for v in (*row.values(), *(of[name] for name in more))])
    count, usd = found.lines.others
    if count:
        writer.writerow(
            [person_cell(v) for v in (f"{count} other lines", *[None] * (len(names) - 2 - len(more)), usd, *[None] * len(more))]
        )
    err.print(f"{len(found.lines.rows)} of {found.lines.count} lines; {csv_note(False)}", soft_wrap=True, highlight=False)
