"""`ai-usage backup`, `restore`, `upgrade`, `forget`, `copy`, `certify` and `doctor`: arguments and printing.

Belongs here: what the commands say. Does not belong here: what they do (`operations/`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from ai_usage.cli.console import err, opened, out, plain, write
from ai_usage.cli.days import check_days, utc_day
from ai_usage.errors import SettingsError


def backup(folder: Annotated[Path, typer.Argument(help="Where the backup's own folder is made, best on another disk.")]) -> None:
    """Copy the DuckDB file, Dagster's records, the spool and the drop folder into FOLDER/ai-usage-<instant>. Never a key."""
    from ai_usage.operations.backup import back_up

    with opened() as runtime:
        made = back_up(runtime, folder)
        out.print(f"{plain(str(made.folder))} ({made.files:,} files, {made.size / 1e6:.1f} MB)", soft_wrap=True, highlight=False)
        if runtime.settings.warehouse == "bigquery":
            err.print("BigQuery holds the tables: they are not in it; see docs/runbook.md.", style="yellow", soft_wrap=True)


def restore(folder: Annotated[Path, typer.Argument(help="A folder ai-usage-… that `backup` made.")]) -> None:
    """Put a backup where the settings say, after checking every file's SHA-256. Overwrites nothing."""
    from ai_usage.operations.backup import restore as put_back

    with opened() as runtime:
        found = put_back(runtime, folder)
        out.print(
            f"restored {found.files:,} files, {sum(found.rows.values()):,} rows in {len(found.rows)} tables. Run `ai-usage run` next; "
            "whoever was forgotten after this backup was made must be forgotten again.", soft_wrap=True, highlight=False,
        )  # fmt: skip


def upgrade() -> None:
    """After a new version of the platform: read what is held by today's rules and rebuild what follows from it. Asks no vendor; idempotent."""
    from ai_usage.loading.again import read_again
    from ai_usage.transform import MAX_DAYS, HeldBack, build

    with opened() as runtime:
        warehouse = runtime.existing()
        done = read_again(warehouse, runtime.loader(), runtime.settings.spool_dir)
        held = warehouse.select(
            "SELECT MIN(usage_date) AS first_day, MAX(usage_date) AS last_day FROM raw_fetches WHERE window_start IS NOT NULL AND state IN ('complete', 'empty')"
        ).to_pylist()[0]
        first, last = held["first_day"], held["last_day"]
        back: list[HeldBack] = []
        while first is not None and first <= last:  # always: an upgrade that was stopped after reading has not built yet
            end = min(last, first + timedelta(days=MAX_DAYS - 1))
            back += build(warehouse, first, end, as_of=runtime.today, hold_back=True)
            first = end + timedelta(days=1)
    for source, endpoint in sorted({(m.source, m.endpoint) for m in done.moved}):
        mine = [m for m in done.moved if (m.source, m.endpoint) == (source, endpoint)]
        unknown = sum(m.before is None for m in mine)
        before = sum((m.before or Decimal(0) for m in mine), Decimal(0))
        after = sum((m.after for m in mine), Decimal(0))
        out.print(
            f"{source} {endpoint}: {len(mine)} days moved, {before:f} USD before{f' ({unknown} days unknown)' if unknown else ''}, {after:f} USD now.",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
    out.print(
        f"done: {done.read:,} days read again from the spool, {done.gone:,} whose file is gone totalled again from their rows, {done.unknown:,} records of "
        "unknown money. vw_restatements lists what moved, changed_by rule; closed months stay, and what moved in them is a correction in the open month.",
        soft_wrap=True, highlight=False,
    )  # fmt: skip
    for failure in (*done.failures, *(f"{', '.join(h.sources)}, {h.first} to {h.last}: {h.why}" for h in back)):
        err.print(failure, style="yellow", soft_wrap=True, highlight=False)


def forget(
    email: Annotated[str, typer.Argument(help="Any of the person's addresses; the aliases of the sheet are found.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without it only counts are shown.")] = False,
) -> None:
    """Replace all that names a person by a random token, now and in every later load; no figure changes. Shows counts until --yes is given."""
    from ai_usage.operations.erasure import forget as act

    with opened() as runtime:
        outcome = act(runtime, email, really=yes)
    for what, n in outcome.changed.items():
        out.print(f"{n:>10,}  {what}", markup=False, highlight=False)
    if not outcome.changed:
        out.print("nothing names this person any more.")
    for path in outcome.unread:
        err.print(
            f"[red]unread[/red] {plain(str(path))} cannot be read, so the erasure is incomplete until you delete it, or put a whole copy of it in the spool and "
            "forget the person again.", soft_wrap=True, highlight=False,
        )  # fmt: skip
    if not yes:
        out.print(
            f"{outcome.addresses} addresses; nothing was changed. Add --yes to do it; it cannot be undone.", soft_wrap=True, highlight=False
        )
        return
    out.print(
        f"{'incomplete' if outcome.unread else 'done'}: {outcome.token} stands in the person's place.", soft_wrap=True, highlight=False
    )
    for path in outcome.left:
        err.print(
            f"[yellow]left[/yellow] {plain(str(path))} still names the person: docs/how-to/forget-a-person.md",
            soft_wrap=True,
            highlight=False,
        )
    if outcome.unread:
        raise typer.Exit(1)


def copy(
    to: Annotated[str, typer.Option("--to", help="bigquery or duckdb; the other one is read.")],
) -> None:
    """Move every raw version to the other warehouse and rebuild everything after raw. Idempotent; goes on where it was interrupted."""
    from ai_usage.operations.copying import copy as copy_all

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


def certify(
    from_: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day; default: AI_USAGE_START_DATE.")
    ] = None,
    to: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last UTC day, inclusive; default: yesterday.")] = None,
    format_: Annotated[str, typer.Option("--format", help="table, json or csv.")] = "table",
) -> None:
    """Days and endpoints with state, rows and hash, the commands that would close the gaps, and evidence that is damaged. Exit code 1 for either."""
    from ai_usage.cli import certificate as certificates
    from ai_usage.operations import completeness
    from ai_usage.operations.evidence import damages
    from ai_usage.outputs.text import json_text, person_cell

    if format_ not in ("table", "json", "csv"):
        raise SettingsError(f"--format is {format_!r}; use table, json or csv.")
    with opened() as runtime:
        runtime.existing()
        last = utc_day(to, runtime.yesterday)
        first = utc_day(from_, min(last, runtime.settings.start_date))
        check_days(first, last, runtime.settings, runtime.yesterday)
        days = completeness.certificate(runtime, first, last)
        if not days:
            raise SettingsError(
                f"no endpoint was ever asked about {first} to {last}, so there is nothing to certify; run `ai-usage run` first."
            )
        plan = completeness.plan(days, runtime.settings)
        damaged = list(damages(runtime, first, last))
    gaps = sum(d.is_gap for d in days)
    if format_ == "json":
        write(json_text(certificates.document(first, last, days, plan, damaged)) + "\n")
    elif format_ == "csv":
        write(certificates.as_csv(days, person_cell))
    else:
        out.print(certificates.grid(days))
    for line in plan:
        err.print(f"[yellow]gap[/yellow] {plain(line)}", highlight=False, soft_wrap=True)
    for found in damaged:
        span = f"{found.first_day}" + (f" to {found.last_day}" if found.last_day != found.first_day else "")
        err.print(
            f"[red]damaged[/red] {plain(f'{found.source}/{found.endpoint} of {span}: {found.sentence}')}", highlight=False, soft_wrap=True
        )
    word = "[red]not complete[/red]" if gaps else "[red]damaged[/red]" if damaged else "[green]complete[/green]"
    err.print(f"{word}: {first} to {last}, {len(days) - gaps} of {len(days)} days of endpoints are held.", soft_wrap=True)
    if gaps or damaged:
        raise typer.Exit(1)


def doctor() -> None:
    """Try each source and the warehouse: reachable, authorised, clock. One sentence and the remedy for what is not."""
    from ai_usage.operations.doctor import examine

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
