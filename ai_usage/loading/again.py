"""What is held, read by today's rules: after an upgrade of the platform, without asking a vendor.

Belongs here: which versions an older rule made, reading them again from the spool, and the totals of those whose spool file is gone. Does not belong
here: computing what follows from raw (`transform`), printing.

A version that is read again is a new version of its day, so the old one stays for `--as-of`, and `vw_restatements` shows what moved, by rule. It was
told when the old one was: a day that was read before it ended does not become whole by being read again.
Snapshots are left alone: the next run reads them anew.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from ai_usage.loading.loader import Loader
from ai_usage.sources import spool
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.registry import ENDPOINTS
from ai_usage.sources.spool import Spooled
from ai_usage.tables.raw import raw_fetches
from ai_usage.warehouse.base import Warehouse


@dataclass(frozen=True)
class Moved:
    """A day whose total another rule changed. `before` is None where the total was unknown."""

    source: str
    endpoint: str
    day: date
    before: Decimal | None
    after: Decimal


@dataclass
class Again:
    """What reading again did: days read from the spool, days whose spool file is gone, totals that moved, records of unknown money, failures."""

    read: int = 0
    gone: int = 0
    moved: list[Moved] = field(default_factory=list)
    unknown: int = 0
    failures: list[str] = field(default_factory=list)


def read_again(warehouse: Warehouse, loader: Loader, root: Path) -> Again:
    """Read every day that an older rule read, from the spool below `root`; where its file is gone, compute its total from its rows."""
    warehouse.ensure()
    outdated = _outdated(warehouse)
    report = Again()
    for source, name, origin in sorted({(row["source"], row["endpoint"], row["origin"]) for row in outdated}):
        mine = [row for row in outdated if (row["source"], row["endpoint"], row["origin"]) == (source, name, origin)]
        walks, days = _walks(root, ENDPOINTS[source, name], mine, report.failures)
        if walks:
            loaded = loader.load(ENDPOINTS[source, name], walks, origin, again=days)
            report.read += loaded.days
            report.failures += [str(failed.error) for failed in loaded.failures]
    report.gone = total_again(warehouse)
    now = {(r["source"], r["endpoint"], r["usage_date"]): r for r in _bills(warehouse)}
    for row in outdated:
        after = now.get((row["source"], row["endpoint"], row["usage_date"]))
        if after and after["vendor_total_usd"] is not None:
            report.unknown += after["unknown_money_count"] or 0
            if after["vendor_total_usd"] != row["vendor_total_usd"]:
                before, total = row["vendor_total_usd"], after["vendor_total_usd"]
                report.moved.append(Moved(row["source"], row["endpoint"], row["usage_date"], before, total))
    return report


def total_again(warehouse: Warehouse) -> int:
    """Give each version that an older rule totalled the total that its rows have by today's; returns how many moved. The rows stay as they are.

    Not of a file that sums a range, whose rows say no more than its total, nor of a day that another report of the same bill replaces.
    """
    now, rows = datetime.now(UTC), []
    for row in _bills(warehouse):
        endpoint = ENDPOINTS[row["source"], row["endpoint"]]
        if row["parser_version"] == endpoint.parser_version or row["is_aside"] or endpoint.whole_window:
            continue
        total, unknown = row["staged_usd"] or Decimal(0), row["rejected_records"] or 0
        if (row["vendor_total_usd"], row["unknown_money_count"] or 0) == (total, unknown):
            continue
        rows.append(
            {name: row[name] for name in raw_fetches.column_names if name in row}
            | {
                "fetch_id": uuid.uuid4().hex, "fetched_at": max(now, row["fetched_at"] + timedelta(microseconds=1)), "run_id": None, "pages": 0,
                "requests": 0, "changed": True, "changed_by": "rule", "told_at": row["told_at"] or row["fetched_at"], "vendor_total_usd": total,
                "unknown_money_count": unknown,
            }
        )  # fmt: skip
    if rows:
        warehouse.publish({}, pa.Table.from_pylist(rows, schema=raw_fetches.arrow_schema()))
    return len(rows)


def _outdated(warehouse: Warehouse) -> list[dict[str, Any]]:
    """The versions of days that count and that another declaration read than today's, with where their bytes lie."""
    held = warehouse.select(
        """
        SELECT
          f.source, f.endpoint, f.usage_date, f.origin, f.vendor_total_usd, r.parser_version, r.window_start, r.window_end, r.spool_path, r.pages,
          r.requests
        FROM stg_current_fetches AS f
        INNER JOIN raw_fetches AS r ON f.fetch_id = r.fetch_id AND f.usage_date = r.usage_date
        WHERE r.window_start IS NOT NULL ORDER BY f.source, f.endpoint, f.usage_date
        """
    ).to_pylist()
    declared = {key: endpoint.parser_version for key, endpoint in ENDPOINTS.items()}
    return [row for row in held if row["parser_version"] != declared.get((row["source"], row["endpoint"]), row["parser_version"])]


def _walks(root: Path, endpoint: Endpoint, rows: list[dict[str, Any]], damaged: list[str]) -> tuple[list[Spooled], Mapping[str, set[date]]]:
    """The spooled walks of these days, and of each the days that still count; `damaged` takes a sentence for each file that is not what came."""
    by_file: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["spool_path"]:
            by_file[row["spool_path"]].append(row)
    walks, days = [], {}
    for name, mine in by_file.items():
        if not (root / name).is_file():
            continue
        if wrong := spool.flaw(root / name):
            damaged.append(f"{root / name} {wrong}, so its days keep their rows; put it back from a backup and run this again.")
            continue
        first = mine[0]
        end = first["window_end"] or first["window_start"]
        window = Window(first["window_start"].astimezone(UTC).date(), end.astimezone(UTC).date())
        walk = spool.reopen(root, endpoint, window, name, first["pages"] or 0, first["requests"] or 0)
        walks.append(walk)
        days[str(walk.path)] = {row["usage_date"] for row in mine}
    return walks, days


def _bills(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Each current version of a bill: its row of `raw_fetches`, what its rows say in staging, and how many of its records were rejected."""
    return warehouse.select(
        """
        SELECT
          r.*, s.cost_usd AS staged_usd, x.usage_date IS NOT NULL AS is_aside, j.records AS rejected_records
        FROM stg_current_fetches AS f
        INNER JOIN raw_fetches AS r ON f.fetch_id = r.fetch_id AND f.usage_date = r.usage_date
        INNER JOIN stg_bill_sources AS b ON f.source = b.source AND f.endpoint = b.endpoint
        LEFT JOIN (SELECT cost_date, source, SUM(cost_usd) AS cost_usd FROM stg_cost GROUP BY cost_date, source) AS s
          ON f.usage_date = s.cost_date AND b.cost_source = s.source
        LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
        LEFT JOIN (
          SELECT fetch_id, usage_date, COUNT(DISTINCT record_number) AS records FROM raw_rejects WHERE NOT COALESCE(is_counted, FALSE)
          GROUP BY fetch_id, usage_date
        ) AS j ON f.version_fetch_id = j.fetch_id AND f.usage_date = j.usage_date
        """
    ).to_pylist()
