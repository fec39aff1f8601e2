"""Which days each endpoint should hold, which it holds, and how to close what is open: the certificate, and the morning's catch-up.

Belongs here: judging `vw_certificate` and the snapshots against the sources that are on. Does not belong here: Dagster, printing, asking vendors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from ai_usage.runtime import Runtime
from ai_usage.settings import Settings
from ai_usage.sources.endpoint import Endpoint, Window, ranges
from ai_usage.sources.registry import ASKED, history, left_out

HELD = ("complete", "empty")
REFUSED = "refused"
RANGE_DAYS = 30  # a run of a plan reads at most so many days: it ends in time and is small enough to repeat
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Day:
    """One endpoint and UTC day of the certificate. `state` is complete, empty, open, failed, refused or missing: the first two are held. `is_owed` is
    false where the vendor refuses an endpoint that bills nothing and never answered: nobody can close that gap by running again."""

    source: str
    endpoint: str
    usage_date: date
    state: str
    row_count: int | None = None
    vendor_total_usd: Decimal | None = None
    content_sha256: str | None = None
    fetched_at: datetime | None = None
    error: str | None = None
    is_owed: bool = True

    @property
    def is_gap(self) -> bool:
        return self.is_owed and self.state not in HELD


def to_be_held(settings: Settings) -> list[Endpoint]:
    """The endpoints of the sources that are on, without those that a setting leaves out."""
    off = settings.off()
    return [e for e in ASKED if e.source not in off and not left_out(e, settings.leave_out)]


def certificate(runtime: Runtime, first: date, last: date) -> list[Day]:
    """Every endpoint and day of the range.

    Endpoints of a source that is on must hold every day, also those that nobody asked about yet; those that only some keys may read, the days
    since they were first read, except the last ones that the vendor may not have finished. Of a source that is off, what it was asked.

    Args:
        runtime: whose settings and warehouse.
        first: the first UTC day.
        last: the last one, inclusive.

    Returns:
        One `Day` for each, by source, endpoint and day; snapshots have no day and are not among them.

    Raises:
        WarehouseError: the warehouse did not answer.
    """
    runtime.warehouse.ensure()
    found = {
        (row["source"], row["endpoint"], row["usage_date"]): Day(**row)
        for row in runtime.warehouse.select(
            """
            SELECT source, endpoint, usage_date, state, row_count, vendor_total_usd, content_sha256, fetched_at, error
            FROM vw_certificate WHERE usage_date BETWEEN @first AND @last
            """,
            {"first": first, "last": last},
        ).to_pylist()
    }
    begun, barred = first_days(runtime), refused(runtime)
    for endpoint in to_be_held(runtime.settings):
        if endpoint in barred:
            continue
        span = owed(endpoint, Window(first, last), begun, runtime.yesterday)
        for day in span.days if span else ():
            key = (endpoint.source, endpoint.name, day)
            found.setdefault(key, Day(*key, "missing"))
    not_owed = {(e.source, e.name) for e in ASKED if e in barred or left_out(e, runtime.settings.leave_out)}
    return [replace(found[key], is_owed=key[:2] not in not_owed) for key in sorted(found)]


def refused(runtime: Runtime) -> list[Endpoint]:
    """The endpoints that this key may not read: their last attempt was refused, they never answered, and they may be missing."""
    last = {
        (row["source"], row["endpoint"])
        for row in runtime.warehouse.select(
            """
            SELECT source, endpoint FROM (
              SELECT source, endpoint, state FROM raw_fetches WHERE origin = 'api'
              QUALIFY ROW_NUMBER() OVER (PARTITION BY source, endpoint ORDER BY fetched_at DESC, fetch_id DESC) = 1
            ) WHERE state = 'refused'
            """
        ).to_pylist()
    } - first_days(runtime).keys()
    return [e for e in ASKED if (e.source, e.name) in last and e.without]


def first_days(runtime: Runtime) -> dict[tuple[str, str], date]:
    """The first day that each endpoint ever held."""
    held = runtime.warehouse.select(
        "SELECT source, endpoint, MIN(usage_date) AS first_day FROM stg_current_fetches GROUP BY source, endpoint"
    )
    return {(row["source"], row["endpoint"]): row["first_day"] for row in held.to_pylist()}


def owed(endpoint: Endpoint, window: Window, begun: dict[tuple[str, str], date], yesterday: date) -> Window | None:
    """The days of the window that the endpoint must hold, None where it must hold none."""
    first, last = window.first, min(window.last, yesterday - timedelta(days=endpoint.lag_days))
    if endpoint.by_permission:
        first = max(first, begun.get((endpoint.source, endpoint.name), date.max))
    return None if endpoint.usage_date is None or last < first else Window(first, last)


def forgotten(runtime: Runtime, before: date) -> list[date]:
    """Ended days before a day that the platform once would have read and does not hold, oldest first: it slept, or the vendor was down.

    Days before the first one that a source was asked about are history, which nobody asked for: `ai-usage run --from` reads it.
    """
    begun = _first_asked(runtime)
    wanted = {e.source for e in to_be_held(runtime.settings)} & begun.keys()
    if not wanted:
        return []
    first = max(runtime.settings.start_date, min(begun[source] for source in wanted))
    if before <= first:
        return []
    lost = {(gone.endpoint.source, gone.endpoint.name, day) for gone in leaving(runtime, 0) for day in gone.gone}
    days = certificate(runtime, first, before - ONE_DAY)
    return sorted(
        {
            d.usage_date
            for d in days
            if d.is_gap and d.source in wanted and d.usage_date >= begun[d.source] and (d.source, d.endpoint, d.usage_date) not in lost
        }
        | _behind_a_list(runtime, Window(first, before - ONE_DAY))
    )


def _behind_a_list(runtime: Runtime, window: Window) -> set[date]:
    """Days whose facts stand as they were for a list that had lost rows: no endpoint's day says so, since a list has none."""
    lists = [f"{e.source}/{e.name}" for e in to_be_held(runtime.settings) if not e.usage_date]
    found = runtime.warehouse.select(
        "SELECT DISTINCT usage_date FROM held_back WHERE usage_date BETWEEN @first AND @last AND CONCAT(source, '/', endpoint) IN UNNEST(@lists)",
        {"first": window.first, "last": window.last, "lists": lists or [""]},
    )
    return set(found["usage_date"].to_pylist())


def _first_asked(runtime: Runtime) -> dict[str, date]:
    found = runtime.warehouse.select(
        "SELECT source, MIN(usage_date) AS first_day FROM raw_fetches WHERE window_start IS NOT NULL AND origin = 'api' GROUP BY source"
    )
    return {row["source"]: row["first_day"] for row in found.to_pylist()}


def in_runs(days: Iterable[date]) -> list[Window]:
    """Days as windows that one run each reads."""
    return ranges(days, RANGE_DAYS)


def plan(days: Sequence[Day], settings: Settings) -> list[str]:
    """How to close the gaps.

    Args:
        days: as `certificate` gives them.
        settings: which sources are on.

    Returns:
        Commands, oldest days first, each of at most `RANGE_DAYS` days; then a sentence for each source with gaps that is off.
    """
    off = settings.off()
    gaps = [d for d in days if d.is_gap]
    commands = [f"ai-usage run --from {w.first} --to {w.last}" for w in in_runs(d.usage_date for d in gaps if d.source not in off)]
    return commands + [off[source] for source in sorted({d.source for d in gaps} & off.keys())]


# What vendors forget --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Leaving:
    """Days of an endpoint that are not held: the vendor will stop answering about some soon, and has stopped about others."""

    endpoint: Endpoint
    history_days: int
    soon: list[date]
    gone: list[date]


def leaving(runtime: Runtime, within_days: int) -> Iterator[Leaving]:
    """Endpoints with days that are not held and leave the vendor's history within so many days, or have left it.

    Only days count that the vendor still answered about when the endpoint was first read here: earlier ones never could be held.
    """
    today = runtime.today
    known = {
        (row["source"], row["endpoint"]): row["first_read"]
        for row in runtime.warehouse.select(
            """
            SELECT source, endpoint, DATE(MIN(fetched_at)) AS first_read FROM raw_fetches
            WHERE window_start IS NOT NULL AND origin = 'api' AND state IN ('complete', 'empty') GROUP BY source, endpoint
            """
        ).to_pylist()
    }
    days: list[Day] | None = None
    for endpoint in to_be_held(runtime.settings):
        reach, first_read = history(endpoint, runtime.settings.history_days), known.get((endpoint.source, endpoint.name))
        if reach is None or first_read is None or endpoint.usage_date is None:
            continue
        if days is None:
            days = certificate(runtime, runtime.settings.start_date, runtime.yesterday)
        could = first_read - timedelta(days=reach - 1)
        last_safe = today - timedelta(days=reach - 1 - within_days)
        open_days = [
            d.usage_date
            for d in days
            if d.is_gap and (d.source, d.endpoint) == (endpoint.source, endpoint.name) and could <= d.usage_date < last_safe
        ]
        gone = [d for d in open_days if d < today - timedelta(days=reach - 1)]
        if open_days:
            yield Leaving(endpoint, reach, [d for d in open_days if d not in gone], gone)
