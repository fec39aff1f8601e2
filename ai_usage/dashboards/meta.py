"""What a report says about itself: when, from which sources, how well checked, and what may still move.

Belongs here: the typed facts of the status line, and a helper that reads them from the marts through the
caller's `query`. Does not belong here: the checks themselves, clocks, HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

import pyarrow as pa

Query = Callable[[str], pa.Table]

HEALTH_SQL = """
SELECT source, endpoint, first_day, last_day, days_missing, days_failed, last_fetched_at, rejected_rows
FROM vw_data_health
ORDER BY source, endpoint
"""
SETTLE_SQL = """
SELECT settle_state, MIN(cost_date) AS first_day, MAX(cost_date) AS last_day, SUM(cost_usd) AS cost_usd
FROM vw_cost_allocation
GROUP BY settle_state
"""
HELD_SQL = """
SELECT
  c.source,
  c.usage_date,
  COUNTIF(c.origin = 'api') > 0 AS by_api,
  COUNTIF(b.source IS NOT NULL AND c.vendor_total_usd IS NOT NULL AND c.state IN ('complete', 'empty')) > 0 AS is_billed,
  COUNTIF(c.state IN ('missing', 'failed', 'open')) > 0 AS is_lacking
FROM vw_certificate AS c
LEFT JOIN stg_billed_days AS b ON c.source = b.source AND c.usage_date = b.usage_date
GROUP BY c.source, c.usage_date
ORDER BY c.source, c.usage_date
"""
USE_SQL = """
SELECT MAX(usage_date) AS last_day FROM vw_productivity_metrics
UNION ALL
SELECT MAX(cost_date) AS last_day FROM vw_cost_allocation WHERE cost_type = 'usage'
"""
HEADLINES_SQL = """
SELECT dashboard, sentence
FROM vw_headlines
ORDER BY dashboard
"""
FINAL = ("settled", "closed")


@dataclass(frozen=True)
class Checks:
    """How many checks of the last run passed, warned, failed."""

    passed: int = 0
    warnings: int = 0
    failed: int = 0


@dataclass(frozen=True)
class SourceFreshness:
    """One source and endpoint: what it holds, and since when."""

    source: str
    endpoint: str
    last_day: date | None
    last_fetched_at: datetime | None
    first_day: date | None = None
    days_missing: int = 0
    days_failed: int = 0
    rejected_rows: int = 0


@dataclass(frozen=True)
class Held:
    """From when to when a source was asked for days, and the days between that it did not tell whole: of its bill, and of any report. `platforms` are
    those that it tells of; none: any."""

    source: str
    first_day: date
    last_day: date
    cost_gaps: tuple[tuple[date, date], ...] = ()
    gaps: tuple[tuple[date, date], ...] = ()
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """A source that has not told all that it should: its state (late, missing, refused, failed) and one line that says so. `is_owed`: false where the
    vendor refuses what bills nothing."""

    source: str
    state: str
    said: str
    is_owed: bool = True


@dataclass(frozen=True)
class ReportMeta:
    """The facts behind the status line, and the sentence that each dashboard opens with. `data_through` is the last day that the presets end at."""

    generated_at: datetime
    as_of: datetime
    data_through: date | None = None
    sources: tuple[SourceFreshness, ...] = ()
    held: tuple[Held, ...] = ()
    states: tuple[Told, ...] = ()
    checks: Checks = Checks()
    settled_share: Decimal | None = None
    """Billed cost that is final (settled or closed) as a share of all; None when there is no cost."""
    settled_through: date | None = None
    """The day before the first cost that may still move."""
    version: str = ""
    note: str = ""
    headlines: Mapping[str, str] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """Plain JSON values; times in UTC, to the second."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time in ReportMeta has no time zone; pass it with tzinfo=UTC")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def meta_from_marts(
    query: Query,
    *,
    generated_at: datetime,
    checks: Checks | None = None,
    version: str = "",
    note: str = "",
    states: Sequence[Told] = (),
    platforms: Mapping[str, Sequence[str]] | None = None,
) -> ReportMeta:
    """ReportMeta read from the marts. `platforms`: of which platforms each source tells."""
    sources = tuple(
        SourceFreshness(
            source=row["source"],
            endpoint=row["endpoint"],
            first_day=row["first_day"],
            last_day=row["last_day"],
            last_fetched_at=_utc(row["last_fetched_at"]),
            days_missing=int(row["days_missing"] or 0),
            days_failed=int(row["days_failed"] or 0),
            rejected_rows=int(row["rejected_rows"] or 0),
        )
        for row in query(HEALTH_SQL).to_pylist()
    )
    settled = query(SETTLE_SQL).to_pylist()
    total = sum((r["cost_usd"] or Decimal(0) for r in settled), Decimal(0))
    final = [r for r in settled if r["settle_state"] in FINAL]
    moving = [r["first_day"] for r in settled if r["settle_state"] not in FINAL]
    costs_to = max((r["last_day"] for r in settled), default=None)
    fetched = [s.last_fetched_at for s in sources if s.last_fetched_at]
    # Not the sources' last day: a directory is read today, and seats may be billed ahead.
    days = [r["last_day"] for r in query(USE_SQL).to_pylist() if r["last_day"]] or ([costs_to] if costs_to else [])
    return ReportMeta(
        generated_at=generated_at,
        as_of=max(fetched, default=generated_at),
        data_through=min(max(days), generated_at.astimezone(UTC).date()) if days else None,
        sources=sources,
        held=_held(query(HELD_SQL).to_pylist(), platforms or {}),
        states=tuple(states),
        checks=checks or Checks(),
        settled_share=sum((r["cost_usd"] or Decimal(0) for r in final), Decimal(0)) / total if total else None,
        settled_through=min(moving) - timedelta(days=1) if moving else costs_to,
        version=version,
        note=note,
        headlines={row["dashboard"]: row["sentence"] for row in query(HEADLINES_SQL).to_pylist()},
    )


def _held(rows: list[dict[str, Any]], platforms: Mapping[str, Sequence[str]]) -> tuple[Held, ...]:
    """A source that is known by files alone claims only the days that it holds: none of its days is missing."""
    found = []
    for source, group in groupby(rows, key=lambda row: row["source"]):
        days = list(group)
        if not any(d["by_api"] for d in days):
            continue
        bills = any(d["is_billed"] for d in days)
        unbilled = _ranges([d["usage_date"] for d in days if bills and not d["is_billed"]])
        gaps = _ranges([d["usage_date"] for d in days if d["is_lacking"]])
        found.append(Held(source, days[0]["usage_date"], days[-1]["usage_date"], unbilled, gaps, tuple(platforms.get(source, ()))))
    return tuple(found)


def _ranges(days: list[date]) -> tuple[tuple[date, date], ...]:
    """Days in order as first and last days of what is unbroken."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and day == found[-1][1] + timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return tuple(found)


def _utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
