"""Which version of a day counts now, and what a day that came makes of it: a new version, the same one seen again, or nothing.

Belongs here: the rules, as functions of what is held and what came. Does not belong here: reading records, writing (`loader.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from ai_usage.sources.decode import Day
from ai_usage.sources.endpoint import Endpoint
from ai_usage.warehouse.base import Warehouse


@dataclass(frozen=True)
class Current:
    """The version that counts before this load."""

    version_fetch_id: str
    content_sha256: str
    fetched_at: datetime
    origin: str
    usage_date: date
    parser_version: str | None = None
    told_at: datetime | None = None
    # Where a replacement stands in for the vendor's version: what the vendor last said, and the replacement's own figures.
    replaced_sha256: str | None = None
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What a day that came becomes. `version`: the fetch whose rows count, None where it is a new version of its own; `figures`: a replacement's, which stand
    in the place of the day's own."""

    content_sha256: str
    version: str | None
    changed_by: str | None = None
    told_at: datetime | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    is_new: bool = True


def decide(
    before: Current | None, endpoint: Endpoint, day: Day, origin: str, *, replace: bool = False, again: bool = False
) -> Decision | None:
    """What a day that came becomes, beside the version that counts before it.

    Args:
        before: that version; None where there is none.
        endpoint: whose day it is; its parser is a part of what makes a version.
        day: what came.
        origin: `api` or `upload`.
        replace: whether a file may take the place of what the vendor itself said.
        again: whether these are the records of the version before, read by a newer rule.

    Returns:
        The decision; None where a file stands behind the vendor's own data of that day, which stay.
    """
    if origin == "upload" and not replace and before is not None and before.origin == "api" and before.usage_date == day.usage_date:
        return None
    sha = _content(endpoint.parser_version, day)
    told_at = before.told_at if again and before is not None else None
    if before is None:
        return Decision(sha, None, told_at=told_at)
    changed = before.content_sha256 != sha
    # What the vendor says once more leaves a replacement in its place, until it says something new.
    if changed and not (origin == "api" and before.replaced_sha256 == sha):
        return Decision(sha, None, _changed_by(before, endpoint, day, again), told_at)
    return Decision(sha, before.version_fetch_id, None, told_at, before.figures, is_new=False)


def current(warehouse: Warehouse, endpoint: Endpoint) -> dict[date | None, Current]:
    """What counts now.

    Args:
        warehouse: where raw is held.
        endpoint: of which.

    Returns:
        The versions by UTC day; of a snapshot the latest one, under None.

    Raises:
        WarehouseError: the warehouse did not answer.
    """
    snapshot = endpoint.usage_date is None
    latest = "QUALIFY ROW_NUMBER() OVER (PARTITION BY f.endpoint ORDER BY f.usage_date DESC) = 1" if snapshot else ""
    found = warehouse.select(
        f"""
        SELECT
          f.usage_date, f.version_fetch_id, r.content_sha256, f.fetched_at, f.told_at, f.origin, v.origin AS version_origin, r.parser_version,
          f.row_count, f.rejected_count, f.vendor_total_usd, f.unknown_money_count
        FROM stg_current_fetches AS f
        INNER JOIN raw_fetches AS r ON f.fetch_id = r.fetch_id AND f.usage_date = r.usage_date
        INNER JOIN raw_fetches AS v ON f.version_fetch_id = v.fetch_id
        WHERE f.source = @source AND f.endpoint = @endpoint {latest}
        """,
        {"source": endpoint.source, "endpoint": endpoint.name},
    )
    return {
        None if snapshot else row["usage_date"]: Current(
            row["version_fetch_id"], row["content_sha256"], row["fetched_at"], row["origin"], row["usage_date"], row["parser_version"], row["told_at"],
            _said(warehouse, endpoint, row["usage_date"]) if row["origin"] == "upload" else None,
            {n: row[n] for n in ("row_count", "rejected_count", "vendor_total_usd", "unknown_money_count")} if row["version_origin"] == "upload" else {},
        )
        for row in found.to_pylist()
    }  # fmt: skip


def _said(warehouse: Warehouse, endpoint: Endpoint, day: date) -> str | None:
    """The hash of what the vendor itself last said of a day that a file now stands in for; None when it has said nothing."""
    found = warehouse.select(
        """
        SELECT content_sha256 FROM raw_fetches
        WHERE source = @source AND endpoint = @endpoint AND usage_date = @day AND origin = 'api' AND state IN ('complete', 'empty')
        QUALIFY ROW_NUMBER() OVER (PARTITION BY usage_date ORDER BY fetched_at DESC) = 1
        """,
        {"source": endpoint.source, "endpoint": endpoint.name, "day": day},
    )["content_sha256"].to_pylist()
    return found[0] if found else None


def _content(parser_version: str, day: Day) -> str:
    return hashlib.sha256(f"{parser_version}{day.sha256}".encode()).hexdigest()


def _changed_by(before: Current, endpoint: Endpoint, day: Day, again: bool) -> str:
    """What made this version: the vendor's records, or the rule that reads them; `again`: these are the records of the version before."""
    if before.parser_version == endpoint.parser_version:
        return "vendor"
    same = again or (before.parser_version is not None and _content(before.parser_version, day) == before.content_sha256)
    return "rule" if same else "vendor and rule"
