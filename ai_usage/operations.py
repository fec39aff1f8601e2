"""What keeps the warehouse in order: dropped files, cleaning, the report. Called by assets and by the command line alike.

Belongs here: whole pieces of work on a `Runtime`. Does not belong here: Dagster, HTTP, SQL of models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ai_usage import __version__, tables
from ai_usage.dashboards import html, meta, spec
from ai_usage.dashboards.meta import Checks
from ai_usage.runtime import Runtime
from ai_usage.sources import spool
from ai_usage.sources.errors import SourceError
from ai_usage.sources.uploads import client as uploads
from ai_usage.warehouse import WarehouseError, models


@dataclass(frozen=True)
class FileOutcome:
    """What became of one dropped file; `reason` is set when it was refused."""

    file: str
    rows: int
    reason: str | None = None


def load_uploads(runtime: Runtime, run_id: str | None = None) -> list[FileOutcome]:
    """Load every file of the drop folder. A refused one is put away with its reason beside it; the others stand."""
    outcomes = []
    for found in uploads.dropped(runtime.settings.uploads):
        try:
            if found.kind is None:
                raise SourceError(f"{found.path.name} begins with no known kind; name it {', '.join(f'{k}-….csv' for k in uploads.KINDS)}.")
            walk = uploads.spool_file(found.path, found.kind, runtime.settings.spool_dir)
            report = runtime.loader(run_id).load(walk.endpoint, [walk], origin="upload", replace=uploads.replaces(found.path))
            error = report.error()
            if error:
                raise error
            if report.skipped and not report.days:
                raise SourceError(f"{found.path.name} was not used: {report.skipped[0]}; the vendor's own data stands.")
        except SourceError as error:
            uploads.put_away(found.path, "refused", str(error))
            outcomes.append(FileOutcome(found.path.name, 0, str(error)))
            continue
        note = "\n".join(report.skipped) or None
        uploads.put_away(found.path, "loaded", note)
        outcomes.append(FileOutcome(found.path.name, report.rows_written))
    return outcomes


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
            kept = "fetched_at < @before AND fetch_id NOT IN (SELECT version_fetch_id FROM stg_current_fetches)"
            runtime.warehouse.execute(f"DELETE FROM {row['name']} WHERE {EVERY_DAY} AND {kept}", bounds)
            superseded += row["superseded"]
    kept_days = runtime.settings.spool_keep_days
    return {"orphan_rows": orphans, "superseded_rows": superseded, "spool_files": spool.clean(runtime.settings.spool_dir, kept_days)}


# BigQuery wants to hear that all days are meant (`Table.always_by_day`).
EVERY_DAY = "usage_date BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"


def _to_clean(table: str) -> str:
    """One row: how many rows of a raw table no fetch published, and how many belong to superseded versions past their retention."""
    return f"""
        SELECT
          '{table}' AS name,
          COUNTIF(f.fetch_id IS NULL AND r.fetched_at <= @orphaned) AS orphans,
          COUNTIF(f.fetch_id IS NOT NULL AND v.version_fetch_id IS NULL AND r.fetched_at < @before) AS superseded
        FROM (SELECT fetch_id, fetched_at FROM {table} WHERE {EVERY_DAY}) AS r
        LEFT JOIN raw_fetches AS f ON r.fetch_id = f.fetch_id
        LEFT JOIN (SELECT DISTINCT version_fetch_id FROM stg_current_fetches) AS v ON r.fetch_id = v.version_fetch_id
    """


def write_html_report(runtime: Runtime, path: Path | None = None, checks: Checks | None = None) -> tuple[Path, int]:
    """Render every dashboard into one file; `checks` are the last run's. Returns the path and the size in bytes."""
    target = path or runtime.settings.report_file
    query = runtime.warehouse.select
    note = "Demo data from the simulator: these people do not exist." if runtime.settings.demo else ""
    facts = meta.meta_from_marts(query, generated_at=datetime.now(UTC), checks=checks, version=__version__, note=note)
    try:
        html.write_report(target, spec.load_dashboards(models.sql_root() / "dashboards"), query, facts)
    except OSError as error:
        raise WarehouseError(
            f"the report cannot be written to {target} ({error.strerror}); name another file or set AI_USAGE_REPORT_PATH."
        ) from None
    return target, target.stat().st_size
