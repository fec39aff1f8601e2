"""What is deleted when: rows that no fetch published, rows of superseded versions, spool files past their retention.

Belongs here: the list of what is kept how long, which `docs/retention.md` shows, and statements that delete from raw. Does not belong here: a person's
erasure (`erasure.py`), Dagster's records (`defs/operations/purge.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ai_usage import tables
from ai_usage.runtime import Runtime
from ai_usage.sources import spool
from ai_usage.warehouse.base import every_day


@dataclass(frozen=True)
class Kept:
    """One kind of thing. `setting` says for how many days; None: for good, or as `until` says. `tables`: the stored tables that it is in."""

    what: str
    until: str
    setting: str | None = None
    tables: Sequence[str] = ()
    deleted_by: str = ""


_RAW = tuple(t.name for t in tables.RAW if t.name != "raw_fetches")
CLEANING = "the asset `cleaning`, in each daily run"
KEPT = (
    Kept("each fetch: what was asked, when, with which answer", "for good: it says what was known when", tables=("raw_fetches",)),
    Kept("rows of the version that counts, and of those on which a closed month was closed", "for good", tables=_RAW),
    Kept("rows of a version that a later one replaced", "days after it was fetched", "superseded_keep_days", _RAW, CLEANING),
    Kept("rows that no fetch published, left by a process that was killed", "at once; on BigQuery after a day", None, _RAW, CLEANING),
    Kept("usage, cost, people and stored totals", "until their days are computed again", tables=tuple(t.name for t in tables.CURATED),
         deleted_by="the same transaction that writes them anew"),
    Kept("closed months, with the decisions about them", "for good", tables=tuple(t.name for t in tables.BOOKS)),
    Kept("results of checks", "days after the check", "check_keep_days", ("check_results",), "the asset `check_results`, at the end of each run"),
    Kept("alerts sent, requests to vendors, who was forgotten", "for good", tables=tuple(t.name for t in tables.OPERATIONS if not t.view)),
    Kept("the spool: the vendors' bytes", "days after they were last received", "spool_keep_days", deleted_by=CLEANING),
    Kept("parts of a spool file whose reading broke off", "a day", deleted_by=CLEANING),
    Kept("Dagster's runs, with their events and what their steps printed", "days after the run was made", "dagster_keep_days", deleted_by=CLEANING),
    Kept("each partition's latest materialization and each check's latest evaluation in Dagster's records", "until the next one, however old"),
    Kept("Dagster's ticks", "90 days; of sensors that skipped 7, that failed 30", deleted_by="Dagster's daemon, by `dagster.yaml`"),
    Kept("files of the drop folder, loaded or refused; damaged spool files; backups; exports; the report", "until you remove them, or the next is written"),
)  # fmt: skip


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
