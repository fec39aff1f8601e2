"""Which versions in raw have lost rows, which no run can cause, and what of a table must stand as it is because of them.

Belongs here: finding them, and whose figures they hold back. Does not belong here: writing (`days.py`), the check that tells of them (`defs/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ai_usage.sources import registry
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.transform import totals
from ai_usage.transform.held import ONE_BILL, STAGED, HeldBack, leaning_on
from ai_usage.warehouse import Warehouse, models


def lost_rows(warehouse: Warehouse, endpoints: Sequence[Endpoint], window: Window) -> list[dict[str, Any]]:
    """Current versions that have other rows than their fetch says.

    Args:
        warehouse: where raw is held.
        endpoints: whose versions; at least one.
        window: UTC days, both inclusive; of a list the latest version is asked, whatever its day.

    Returns:
        At most 1,000 rows of source, endpoint, usage_date, expected_rows and found_rows, by day.

    Raises:
        WarehouseError: the warehouse did not answer.
    """

    def names(of_days: bool) -> list[str]:
        return [f"{e.source}/{e.name}" for e in endpoints if bool(e.usage_date) is of_days] or [""]

    # A snapshot that did not change points at rows of an earlier day; a day's rows are of that day.
    days = {e.table.name: "usage_date BETWEEN @start_date AND @end_date" if e.usage_date else "TRUE" for e in endpoints}
    found = "\nUNION ALL\n".join(
        f"SELECT fetch_id, COUNT(*) AS found_rows FROM {table} WHERE {where} AND fetch_id IN (SELECT version_fetch_id FROM held) GROUP BY fetch_id"
        for table, where in days.items()
    )
    return warehouse.select(
        f"""
        WITH held AS (
          SELECT f.source, f.endpoint, f.usage_date, f.version_fetch_id, f.row_count FROM stg_current_fetches AS f
          LEFT JOIN stg_snapshots AS s ON f.source = s.source AND f.endpoint = s.endpoint AND f.usage_date = s.usage_date
          WHERE (CONCAT(f.source, '/', f.endpoint) IN UNNEST(@daily) AND f.usage_date BETWEEN @start_date AND @end_date)
            OR (CONCAT(f.source, '/', f.endpoint) IN UNNEST(@snapshots) AND s.usage_date IS NOT NULL)
        ),
        found AS ({found})
        SELECT h.source, h.endpoint, h.usage_date, h.row_count AS expected_rows, COALESCE(r.found_rows, 0) AS found_rows
        FROM held AS h
        LEFT JOIN found AS r ON h.version_fetch_id = r.fetch_id
        WHERE h.row_count != COALESCE(r.found_rows, 0) ORDER BY h.usage_date, h.source, h.endpoint LIMIT 1000
        """,
        {"daily": names(True), "snapshots": names(False), "start_date": window.first, "end_date": window.last},
    ).to_pylist()


def lost(warehouse: Warehouse, name: str, window: Window) -> list[HeldBack]:
    """What a curated model must leave as it stands, since a version that it reads has lost rows.

    Args:
        warehouse: where raw is held.
        name: the dimension or fact.
        window: the days that are to be written, both inclusive.

    Returns:
        Of a fact: for a day that has lost rows that day, with what was billed together with it; for a list, which has no day, all days of the window; both of the
        sources alone whose rows are made of it. Of a dimension: the lists that it reads, each on its day.

    Raises:
        WarehouseError: the warehouse did not answer.
    """
    read = models.tables_read(name)
    endpoints = [e for e in registry.ENDPOINTS.values() if e.table.name in read and (name in STAGED or not e.usage_date)]
    found = []
    for row in lost_rows(warehouse, endpoints, window) if endpoints else ():
        key = row["source"], row["endpoint"]
        endpoint, day = registry.ENDPOINTS[key], row["usage_date"]
        why = (
            f"{row['source']}/{row['endpoint']} of {day} has {row['found_rows']} rows where {row['expected_rows']} were published; "
            "restore the warehouse from backup (docs/runbook.md#versions_are_whole)."
        )
        sources: tuple[str, ...] = (endpoint.source,)
        days = day, day
        if name in STAGED:
            sources = leaning_on(name, endpoint.table.name) or sources
            if not endpoint.usage_date:
                days = (window.first, window.last)
            elif endpoint.source in ONE_BILL:
                days = totals.whole_ranges(warehouse, day, day)
        found.append(HeldBack(*days, sources, why, key))
    return found
