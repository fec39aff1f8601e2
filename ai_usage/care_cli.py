"""`ai-usage backup`, `restore` and `forget`: arguments and printing.

Belongs here: what the commands say. Does not belong here: what they do (`backing_up.py`, `forgetting.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ai_usage.console import err, opened, out


def backup(folder: Annotated[Path, typer.Argument(help="Where the backup's own folder is made, best on another disk.")]) -> None:
    """Copy the DuckDB file, Dagster's records, the spool and the drop folder into FOLDER/ai-usage-<instant>. Never a key."""
    from ai_usage.backing_up import back_up

    with opened() as runtime:
        made = back_up(runtime, folder)
        out.print(f"{made.folder} ({made.files:,} files, {made.size / 1e6:.1f} MB)", soft_wrap=True, highlight=False)
        if runtime.settings.warehouse == "bigquery":
            err.print("BigQuery holds the tables: they are not in it; see docs/runbook.md.", style="yellow", soft_wrap=True)


def restore(folder: Annotated[Path, typer.Argument(help="A folder ai-usage-… that `backup` made.")]) -> None:
    """Put a backup where the settings say, after checking every file's SHA-256. Overwrites nothing."""
    from ai_usage.backing_up import restore as put_back

    with opened() as runtime:
        found = put_back(runtime, folder)
        out.print(
            f"restored {found.files:,} files, {sum(found.rows.values()):,} rows in {len(found.rows)} tables. Run `ai-usage run` next; "
            "whoever was forgotten after this backup was made must be forgotten again.", soft_wrap=True, highlight=False,
        )  # fmt: skip


def forget(
    email: Annotated[str, typer.Argument(help="Any of the person's addresses; the aliases of the sheet are found.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without it only counts are shown.")] = False,
) -> None:
    """Replace all that names a person by a random token, now and in every later load; no figure changes. Shows counts until --yes is given."""
    from ai_usage.forgetting import forget as act

    with opened() as runtime:
        outcome = act(runtime, email, really=yes)
    for what, n in outcome.changed.items():
        out.print(f"{n:>10,}  {what}", highlight=False)
    if not outcome.changed:
        out.print("nothing names this person any more.")
    if not yes:
        out.print(
            f"{outcome.addresses} addresses; nothing was changed. Add --yes to do it; it cannot be undone.", soft_wrap=True, highlight=False
        )
        return
    out.print(f"done: {outcome.token} stands in the person's place.", soft_wrap=True, highlight=False)
    for path in outcome.left:
        err.print(f"[yellow]left[/yellow] {path} still names the person: docs/how-to/forget-a-person.md", soft_wrap=True, highlight=False)
