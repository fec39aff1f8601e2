"""What keeps the warehouse in order: dropped files, cleaning, the report. Called by assets and by the command line alike.

Belongs here: whole pieces of work on a `Runtime`. Does not belong here: Dagster, HTTP, SQL of models.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from ai_usage import __version__, completeness, tables
from ai_usage.as_of import rebuild as rebuild_as_of
from ai_usage.dashboards import html, meta, spec
from ai_usage.dashboards.meta import Checks
from ai_usage.files import NotPlainError, oddity
from ai_usage.loading import exports
from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources import redaction, spool
from ai_usage.sources.claude_ai import exports as claude_ai
from ai_usage.sources.endpoint import Window
from ai_usage.sources.errors import SourceError
from ai_usage.sources.spool import Spooled
from ai_usage.sources.uploads import client as uploads
from ai_usage.warehouse import Warehouse, WarehouseError, models
from ai_usage.warehouse.base import every_day


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
            outcome = _load_file(runtime, run_id, found, within)
        except FileNotFoundError:
            outcome = FileOutcome(found.path.name, 0, f"{found.path.name} went away while it was read; drop it again.")
        except SourceError as error:
            # Nothing of a refused file counts, so rows of forgotten people need not be kept.
            swap = _swap(runtime)
            with suppress(NotPlainError):
                redaction.redact_file(found.path, swap, keep_rows=False)
            uploads.put_away(found.path, "refused", redaction.replaced(str(error), swap))
            outcome = FileOutcome(found.path.name, 0, str(error))
        outcomes.append(outcome)
    return outcomes


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
        known = ", ".join(f"{k}-….csv" for k in (*uploads.KINDS, *uploads.EXPORTS))
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


def clean_up(runtime: Runtime) -> Mapping[str, int]:
    """Remove raw rows whose fetch was never published, rows of superseded versions and spool files past their retention; returns counts."""
    runtime.warehouse.ensure()
    now = datetime.now(UTC)
    bounds = {"before": now - timedelta(days=runtime.settings.superseded_keep_days), "orphaned": now - runtime.warehouse.orphan_age}
    # One question for all tables, since most have nothing to remove: on BigQuery each DELETE is a job of some seconds.
    found = runtime.warehouse.select("\nUNION ALL\n".join(_to_clean(t.name) for t in tables.RAW if t.name != "raw_fetches"), bounds)
    orphans = superseded = 0
    for row in found.to_pylist():
        if row["orphans"]:
            kept = "fetched_at <= @orphaned AND fetch_id NOT IN (SELECT fetch_id FROM raw_fetches)"
            runtime.warehouse.execute(f"DELETE FROM {row['name']} WHERE {EVERY_DAY} AND {kept}", bounds)
            orphans += row["orphans"]
        if row["superseded"]:
            # The version's row in raw_fetches stays, and with it what was said when; only its rows go.
            kept = f"fetched_at < @before AND fetch_id NOT IN ({COUNTING})"
            runtime.warehouse.execute(f"DELETE FROM {row['name']} WHERE {EVERY_DAY} AND {kept}", bounds)
            superseded += row["superseded"]
    kept_days = runtime.settings.spool_keep_days
    return {"orphan_rows": orphans, "superseded_rows": superseded, "spool_files": spool.clean(runtime.settings.spool_dir, kept_days)}


EVERY_DAY = every_day("usage_date")
# Versions that stay: those that count now, and those on which a closed month was closed.
COUNTING = "SELECT version_fetch_id FROM stg_current_fetches UNION DISTINCT SELECT version_fetch_id FROM stg_closing_fetches"


def _to_clean(table: str) -> str:
    """One row: how many rows of a raw table no fetch published, and how many belong to superseded versions past their retention."""
    return f"""
        SELECT
          '{table}' AS name,
          COUNTIF(f.fetch_id IS NULL AND r.fetched_at <= @orphaned) AS orphans,
          COUNTIF(f.fetch_id IS NOT NULL AND v.version_fetch_id IS NULL AND r.fetched_at < @before) AS superseded
        FROM (SELECT fetch_id, fetched_at FROM {table} WHERE {EVERY_DAY}) AS r
        LEFT JOIN raw_fetches AS f ON r.fetch_id = f.fetch_id
        LEFT JOIN ({COUNTING}) AS v ON r.fetch_id = v.version_fetch_id
    """


def write_html_report(
    runtime: Runtime, path: Path | None = None, checks: Checks | None = None, as_of: datetime | None = None
) -> tuple[Path, int]:
    """Render every dashboard into one file; `checks` are the last run's. Returns the path and the size in bytes.

    `as_of` shows what was known at that moment: the same moment gives the same bytes, whatever was learned since.
    """
    target = path or runtime.settings.report_file
    note = "Demo data from the simulator: these people do not exist." if runtime.settings.demo else ""
    warehouse = runtime.existing()
    if as_of is None:
        late = [meta.NotRead(one.name, one.last_held) for one in completeness.behind(runtime)]
        return _render(target, warehouse, datetime.now(UTC), checks, note, late)
    with TemporaryDirectory(prefix="as-of-", dir=runtime.settings.data_dir) as folder:
        then = rebuild_as_of(warehouse, Path(folder) / "as_of.duckdb", as_of)
        with then.held():
            return _render(target, then, as_of, checks, f"As known on {as_of:%Y-%m-%d %H:%M} UTC. {note}".strip())


def _render(
    target: Path, warehouse: Warehouse, at: datetime, checks: Checks | None, note: str, not_read: Sequence[meta.NotRead] = ()
) -> tuple[Path, int]:
    query = warehouse.select
    facts = meta.meta_from_marts(query, generated_at=at, checks=checks, version=__version__, note=note, not_read=not_read)
    try:
        html.write_report(target, spec.load_dashboards(models.sql_root() / "dashboards"), query, facts)
    except OSError as error:
        raise WarehouseError(
            f"the report cannot be written to {target} ({error.strerror}); name another file or set AI_USAGE_REPORT_PATH."
        ) from None
    return target, target.stat().st_size
