"""Dropped files: read, judged, loaded, put away. Called by assets and by the command line alike.

Belongs here: what becomes of a file of the drop folder. Does not belong here: Dagster, the formats of files (`sources/uploads`, `sources/claude_ai`).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ai_usage.guards.files import NotPlainError, oddity
from ai_usage.loading import exports
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources import redaction
from ai_usage.sources.claude_ai import exports as claude_ai
from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import SourceError
from ai_usage.sources.spool import Spooled
from ai_usage.sources.uploads import client as uploads


@dataclass(frozen=True)
class FileOutcome:
    """What became of one dropped file; `reason` is set when it was refused, `waits` when it was left for a later run. `unread`: one sentence for each
    row that could not be read, of a file whose other rows count."""

    file: str
    rows: int
    reason: str | None = None
    waits: str | None = None
    unknown_fields: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def load_uploads(
    runtime: Runtime, run_id: str | None = None, kinds: Collection[str | None] | None = None, within: Window | None = None
) -> list[FileOutcome]:
    """Load the files of the drop folder, or those of some kinds (None among them: files of no known kind).

    A refused file is put away with its reason beside it; the others stand. An export of claude.ai whose days lie outside `within`, the days that
    the run rebuilds, waits: otherwise its money would stand in raw and in no fact.
    """
    outcomes = []
    for found in uploads.dropped(runtime.settings.uploads):
        if kinds is not None and found.kind not in kinds:
            continue
        try:
            outcome = _loaded_or_refused(runtime, run_id, found, within)
        except OSError as error:
            # Only what happens to the file itself is the file's matter: a full disk is everybody's.
            if error.filename is None or Path(os.fsdecode(error.filename)) != found.path:
                raise
            gone = isinstance(error, FileNotFoundError)
            why = (
                "went away while it was read; drop it again"
                if gone
                else f"cannot be read ({error.strerror}); correct that, and drop it again"
            )
            outcome = FileOutcome(found.path.name, 0, f"{found.path.name} {why}.")
        outcomes.append(outcome)
    return outcomes


def _loaded_or_refused(runtime: Runtime, run_id: str | None, found: uploads.Dropped, within: Window | None) -> FileOutcome:
    try:
        return _load_file(runtime, run_id, found, within)
    except SourceError as error:
        # Nothing of a refused file counts, so rows of forgotten people need not be kept.
        swap = _swap(runtime)
        with suppress(FileNotFoundError):
            with suppress(NotPlainError):
                redaction.redact_file(found.path, swap, keep_rows=False)
            uploads.put_away(found.path, "refused", redaction.replaced(str(error), swap))
        return FileOutcome(found.path.name, 0, str(error))


def put_into_folder(settings: Settings, file: Path, first: date | None, last: date | None, replace: bool, today: date) -> Path:
    """Copy a file into the drop folder under the name that says what it is; returns where it lies.

    Raises `SourceError` in one sentence where the loader would refuse it later: unknown kind, unreadable, a spend report without its range.
    """
    if not file.is_file():
        raise SourceError(f"there is no file {file}; name the CSV file that was downloaded.")
    kind = uploads.kind_of(file.name) or uploads.kind_by_header(file)
    if kind is None:
        raise SourceError(
            f"{file.name} has neither the name nor the columns of a known kind; name it {', '.join(f'{k}-….csv' for k in (*uploads.KINDS, *uploads.EXPORTS))}."
        )
    if (first is None) != (last is None):
        raise SourceError("--from and --to belong together; give both days, or neither.")
    ending = ".replace.csv" if replace or uploads.replaces(file) else ".csv"
    if kind == "claude_ai_spend":
        given, named = Window(first, last) if first and last else None, claude_ai.period_in(file.name)
        if given and named and given != named:
            raise SourceError(
                f"{file.name} says {named.first} to {named.last}, and --from and --to say {first} to {last}; only one can be right."
            )
        period = claude_ai.check_period(file.name, given or named, today)
        claude_ai.spend_rows(file, period)
        target = settings.uploads / f"{kind}.{period.first}_{period.last}{ending}"
    elif first:
        raise SourceError(f"--from and --to say which days a spend report sums; {file.name} is {kind}, whose rows have days of their own.")
    else:
        if kind == "claude_ai_audit_log":
            claude_ai.audit_events(file)
        else:
            uploads.check_file(file, kind)
        stem = re.sub(r"(\.replace)?\.csv$", "", file.name, flags=re.IGNORECASE)
        target = settings.uploads / f"{stem if stem.lower().startswith(kind) else f'{kind}-{stem}'}{ending}"
    if target.exists():
        raise SourceError(f"{target} waits there already; load it first with `ai-usage upload`, or delete it.")
    settings.uploads.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")  # not a .csv before it is whole
    shutil.copyfile(file, part)
    return part.replace(target)


def _load_file(runtime: Runtime, run_id: str | None, found: uploads.Dropped, within: Window | None) -> FileOutcome:
    path, settings = found.path, runtime.settings
    if kind := oddity(path, hard_links=True):
        raise SourceError(
            f"{path.name} is {kind}, which was not read and is removed from the drop folder; put a copy of the file itself there."
        )
    if found.kind is None:
        by_columns = uploads.kind_by_header(path)
        known = (
            f"{by_columns}-….csv, as its columns say" if by_columns else ", ".join(f"{k}-….csv" for k in (*uploads.KINDS, *uploads.EXPORTS))
        )
        raise SourceError(f"{path.name} begins with no known kind; name it {known}.")
    walks: Sequence[Spooled]
    if found.kind in uploads.EXPORTS:
        runtime.warehouse.ensure()
        export = exports.read_export(
            runtime.warehouse, path, found.kind, settings.spool_dir, runtime.today, settings.start_date, _swap(runtime)
        )
        if within and not _covers(within, export.days, settings.start_date, runtime.yesterday):
            days = f"{max(export.days.first, settings.start_date)} to {min(export.days.last, runtime.yesterday)}"
            return FileOutcome(path.name, 0, waits=f"{path.name} holds {days}, which this run does not rebuild; run ai-usage upload.")
        endpoint, walks = export.endpoint, export.walks
    else:
        walk = uploads.spool_file(path, found.kind, settings.spool_dir)
        endpoint, walks = walk.endpoint, [walk]
    report = runtime.loader(run_id).load(endpoint, walks, origin="upload", replace=uploads.replaces(path))
    error = report.error()
    if error:
        raise error
    if report.skipped and not report.days:
        raise SourceError(f"{path.name} was not used: {report.skipped[0]}; the vendor's own data stands.")
    with suppress(FileNotFoundError):  # its rows are published, and somebody took it away since
        if found.kind == "claude_ai_audit_log":
            claude_ai.strip_personal(path)
        redaction.redact_file(path, _swap(runtime))
        uploads.put_away(path, "loaded", "\n".join([*report.skipped, *report.reasons]) or None)
    return FileOutcome(path.name, report.rows_written, unknown_fields=tuple(sorted(report.unknown_fields)), unread=tuple(report.reasons))


def _swap(runtime: Runtime) -> redaction.Swap:
    """Whose addresses may not be kept; nobody's while there is no warehouse."""
    runtime.warehouse.ensure()
    return runtime.forgotten if runtime.forgotten.anyone() else lambda address: None


def _covers(run: Window, days: Window, start: date, yesterday: date) -> bool:
    """Whether a run rebuilds every day of these that has facts: none before the start date, and today's come with tomorrow's run."""
    return run.first <= max(days.first, start) and min(days.last, yesterday) <= run.last
