"""What proves the figures that are held: rows of the current versions, and the vendors' bytes that they were read from.

Belongs here: finding what is no longer as it was written. Does not belong here: which days should be held (`completeness.py`), and mending.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ai_usage.runtime import Runtime
from ai_usage.sources import spool
from ai_usage.sources.endpoint import Window
from ai_usage.sources.registry import ENDPOINTS
from ai_usage.transform.lost import lost_rows
from ai_usage.warehouse import Warehouse


@dataclass(frozen=True)
class Damage:
    """Evidence that is not as it was written: days of an endpoint, what is wrong, and what to do."""

    source: str
    endpoint: str
    first_day: date
    last_day: date
    sentence: str


def damages(runtime: Runtime, first: date, last: date) -> Iterator[Damage]:
    """What of the evidence of these days, and of the latest snapshots, is no longer as it was written; each spool file is read once.

    A file past its retention may be gone. Where there is no spool at all, on a machine that only asks the warehouse, its files are not judged.
    """
    for row in lost_rows(runtime.warehouse, list(ENDPOINTS.values()), Window(first, last)):
        yield Damage(
            row["source"], row["endpoint"], row["usage_date"], row["usage_date"],
            f"the warehouse holds {row['found_rows']:,} of its {row['expected_rows']:,} rows; restore it from a backup.",
        )  # fmt: skip
    root = runtime.settings.spool_dir
    if not root.is_dir():
        return
    # The cleaning may have come a moment before: a file is as old as its last byte, which came before the fetch.
    kept_since = datetime.now(UTC) - timedelta(days=max(0, runtime.settings.spool_keep_days - 1))
    for row in _files(runtime.warehouse, first, last):
        path = root / row["spool_path"]
        wrong = spool.flaw(path) if path.exists() else "is gone" if row["received_at"] > kept_since else None
        if wrong:
            again = "ai-usage run" if row["is_snapshot"] else f"ai-usage run --from {row['first_day']} --to {row['last_day']}"
            yield Damage(
                row["source"], row["endpoint"], row["first_day"], row["last_day"],
                f"{path} {wrong}; put it back from a backup, or read it again with {again}. The figures stand.",
            )  # fmt: skip


def _files(warehouse: Warehouse, first: date, last: date) -> list[dict[str, Any]]:
    """The spool files that the current fetches of these days, and the latest snapshots, were read from."""
    return warehouse.select(
        """
        SELECT
          r.spool_path, f.source, f.endpoint, MIN(f.usage_date) AS first_day, MAX(f.usage_date) AS last_day, MAX(r.fetched_at) AS received_at,
          LOGICAL_AND(r.window_start IS NULL) AS is_snapshot
        FROM stg_current_fetches AS f
        INNER JOIN raw_fetches AS r ON f.fetch_id = r.fetch_id AND f.usage_date = r.usage_date
        LEFT JOIN stg_snapshots AS s ON f.source = s.source AND f.endpoint = s.endpoint AND f.usage_date = s.usage_date
        WHERE r.spool_path IS NOT NULL
          AND (s.usage_date IS NOT NULL OR (r.window_start IS NOT NULL AND f.usage_date BETWEEN @first AND @last))
        GROUP BY r.spool_path, f.source, f.endpoint ORDER BY f.source, f.endpoint, first_day, r.spool_path
        """,
        {"first": first, "last": last},
    ).to_pylist()
