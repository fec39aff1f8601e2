"""What is deleted when: rows that no fetch published, rows of superseded versions, spool files past their retention.

Belongs here: statements that delete from raw. Does not belong here: a person's erasure (`erasure.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from ai_usage import tables
from ai_usage.runtime import Runtime
from ai_usage.sources import spool
from ai_usage.warehouse.base import every_day


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
