"""What a source has told, as one word: read, late, missing, refused or failed. The page, Metabase, alerts, metrics and the commands all say this one.

Belongs here: the rule, its words, and the table that keeps them. Does not belong here: how a single day is judged (`vw_certificate`), who is shown it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from ai_usage import tables
from ai_usage.operations.completeness import HELD, first_days, refused, to_be_held
from ai_usage.runtime import Runtime
from ai_usage.settings import SWITCHES, Settings
from ai_usage.sources.endpoint import Endpoint, Window

READ, LATE, MISSING, REFUSED, FAILED = STATES = ("read", "late", "missing", "refused", "failed")
"""From well to worst."""
NAMES = {switch.source: switch.title for switch in SWITCHES} | {"uploads": "dropped files"}
"""{source: what people call it}."""
ONE_DAY = timedelta(days=1)
Tries = Mapping[date, tuple[str, str | None]]
"""{day: (its state in `vw_certificate`, what the last failure said)}; of a snapshot the state of the last attempt, on its day."""


@dataclass(frozen=True)
class EndpointState:
    """What an endpoint has told. `lacking` are the days that it owes and that are not held, none of a snapshot; `last_held` is the last day held, None
    where there is none. `is_owed`: false where the vendor refuses what bills nothing and never answered, which is no failure."""

    source: str
    endpoint: str
    state: str
    due_day: date
    last_held: date | None
    lacking: tuple[date, ...] = ()
    reason: str | None = None
    is_owed: bool = True
    is_daily: bool = True

    @property
    def is_behind(self) -> bool:
        """Whether the latest day that it lacks, or that is due, comes after what is held; else it lacks only earlier days."""
        return self.last_held is None or self.last_held < max((self.due_day, *self.lacking))


@dataclass(frozen=True)
class SourceState:
    """A source that is on, by the worst of its endpoints. `said` is one line for people, "Sheet: not read since 28 Nov (late)"."""

    source: str
    name: str
    state: str
    said: str
    is_owed: bool
    last_held: date | None

    @property
    def owes(self) -> bool:
        """Whether something is to be done: late, missing, refused or failed, but not refused what bills nothing and was never read."""
        return self.is_owed and self.state != READ


def due_day(settings: Settings, now: datetime) -> date:
    """The last UTC day that a morning should have read by now: that of the last scheduled hour, once the sources had the time that they are given. So a
    day that ended an hour ago is not late, and today never is."""
    at = time.fromisoformat(settings.schedule_at)
    zone = ZoneInfo(settings.schedule_zone)
    patience = timedelta(minutes=settings.wait_for_sources_minutes)
    here = now.astimezone(zone).date()
    morning = next(
        m for m in (datetime.combine(here - n * ONE_DAY, time(at.hour, at.minute), zone) for n in range(3)) if m + patience <= now
    )
    return morning.astimezone(UTC).date() - ONE_DAY


def judge(endpoint: Endpoint, due: date, first: date, yesterday: date, tries: Tries) -> EndpointState:
    """The rule, for one endpoint.

    Args:
        endpoint: which one; its lag is taken off `due` and `yesterday` where it is asked about days.
        due: the last UTC day that should have been read.
        first: the first day that it owes.
        yesterday: the last day that has ended: attempts up to it count, though they may not have been due.
        tries: what is known of its days.

    Returns:
        failed or refused where the last attempt at a day was, late where a day after the last one asked is due or a day was read only before its end,
        missing where nobody asked about a day, or about anything; else read.
    """
    lag = timedelta(days=endpoint.lag_days) if endpoint.usage_date else timedelta()
    due, until = due - lag, yesterday - lag
    held = [day for day, (state, _) in tries.items() if state in HELD]
    last_held, last_asked = max(held, default=None), max(tries, default=None)
    if not endpoint.usage_date:
        told, reason = tries[last_asked] if last_asked else (MISSING, None)
        worst = READ if last_held and last_held >= due else LATE if told in HELD else told
        return EndpointState(
            endpoint.source, endpoint.name, worst, due, last_held, reason=None if worst == READ else reason, is_daily=False
        )
    found: dict[date, str] = {}
    for day in Window(first, max(due, until)).days if first <= max(due, until) else ():
        state = tries[day][0] if day in tries else MISSING
        if state in (FAILED, REFUSED):
            found[day] = state
        elif state not in HELD and day <= due:
            found[day] = LATE if last_asked and (day > last_asked or state == "open") else MISSING
    worst = max(found.values(), key=STATES.index, default=READ)
    lacking = tuple(day for day, state in sorted(found.items()) if state == worst)
    reason = tries[lacking[-1]][1] if lacking and lacking[-1] in tries else None
    return EndpointState(endpoint.source, endpoint.name, worst, due, last_held, lacking, reason)


def states(runtime: Runtime, due: date | None = None, within: Window | None = None) -> list[EndpointState]:
    """Every endpoint that is expected, judged over the settle window: what the mornings read. Those that only some keys may read are expected once they
    were read.

    Args:
        runtime: whose settings and warehouse.
        due: the last UTC day that should have been read; by default the one that the schedule has had the time for.
        within: judge these days of the settle window alone; lists of people and keys are of no day, and are judged always.

    Returns:
        One state for each endpoint of a source that is on, in the order of declarations; none of one that owes none of these days.

    Raises:
        WarehouseError: the warehouse did not answer.
    """
    yesterday, begun, barred = runtime.yesterday, first_days(runtime), refused(runtime)
    due = due or min(yesterday, due_day(runtime.settings, datetime.now(UTC)))
    since = max(runtime.settings.start_date, due - timedelta(days=runtime.settings.settle_days - 1))
    if within is not None:
        due, since, yesterday = min(due, within.last), max(since, within.first), min(yesterday, within.last)
    tries = _tries(runtime)
    asked: dict[str, date] = {}
    for (source, _), days in tries.items():
        asked[source] = min(asked.get(source, date.max), *days)
    found = []
    for endpoint in to_be_held(runtime.settings):
        key = endpoint.source, endpoint.name
        # Days before the first that anybody asked the source about are history, which nobody asked for.
        first = max(since, asked.get(endpoint.source, since))
        if endpoint.by_permission:
            first = max(first, begun.get(key, date.max))
        if endpoint.usage_date and (first == date.max or yesterday - timedelta(days=endpoint.lag_days) < first):
            continue
        state = judge(endpoint, due, first, yesterday, tries.get(key, {}))
        found.append(replace(state, state=REFUSED, is_owed=False) if endpoint in barred else state)
    return found


def by_source(found: Sequence[EndpointState], today: date) -> list[SourceState]:
    """Sources, each by the worst of its endpoints; one that only refuses what may be missing is no failure.

    Args:
        found: endpoints as `states` judges them.
        today: the UTC day on which people read the sentences: days of another year are said with their year.

    Returns:
        In the order of `NAMES`, the sources of which there is an endpoint.
    """
    sources = []
    for source in NAMES:
        mine = [e for e in found if e.source == source]
        if not mine:
            continue
        worst = max(mine, key=lambda e: (e.state != READ and e.is_owed, STATES.index(e.state)))
        same = [e for e in mine if (e.state, e.is_owed) == (worst.state, worst.is_owed)]
        # By name alone where all that tells of the latest day is behind: what the vendor finishes later, and lists of people, were in time a day longer.
        days = [e for e in mine if e.is_daily and e.is_owed]
        latest = [e for e in days if e.due_day == max(d.due_day for d in days)] or mine
        whole = worst.state == READ or (worst.is_owed and all(e.is_behind for e in latest))
        behind = [e for e in (latest if whole else same) if e.is_behind and e.is_owed]
        # Where nothing is behind, all days up to it are held; a list of people of today says nothing of days.
        told = [e.last_held for e in behind or days or [worst]]
        held = None if None in told else min(day for day in told if day)
        name = NAMES[source] if whole else f"{NAMES[source]} ({', '.join(e.endpoint for e in same)})"
        said = f"{name}: {_words(worst, same, bool(behind), held, today)}"
        sources.append(SourceState(source, name, worst.state, said, worst.is_owed, held))
    return sources


def _words(worst: EndpointState, same: Sequence[EndpointState], is_behind: bool, held: date | None, today: date) -> str:
    if worst.state == READ:
        return "read"
    if not worst.is_owed:
        return "refused by the vendor, and never read"
    if is_behind:
        return f"not read since {_day(held, today)} ({worst.state})" if held else f"never read ({worst.state})"
    lacking = sorted({day for e in same for day in e.lacking})
    return f"{len(lacking)} {'day' if len(lacking) == 1 else 'days'} {worst.state}, the first {_day(lacking[0], today)}"


def _day(day: date, today: date) -> str:
    return f"{day.day} {day:%b}" + ("" if day.year == today.year else f" {day.year}")


def _tries(runtime: Runtime) -> dict[tuple[str, str], dict[date, tuple[str, str | None]]]:
    """{(source, endpoint): `Tries`}."""
    rows = runtime.warehouse.select(
        """
        SELECT source, endpoint, usage_date, state, error FROM vw_certificate WHERE state != 'missing'
        UNION ALL
        SELECT f.source, f.endpoint, f.usage_date, COALESCE(IF(b.reason IS NOT NULL, 'failed', NULL), f.state), COALESCE(b.reason, f.error)
        FROM (
          SELECT source, endpoint, usage_date, state, error FROM raw_fetches WHERE window_start IS NULL AND origin = 'api'
          QUALIFY ROW_NUMBER() OVER (PARTITION BY source, endpoint, usage_date ORDER BY IF(state IN ('complete', 'empty'), 1, 0) DESC, fetched_at DESC) = 1
        ) AS f
        LEFT JOIN (SELECT source, endpoint, MIN(reason) AS reason FROM held_back GROUP BY source, endpoint) AS b ON f.source = b.source AND f.endpoint = b.endpoint
        """
    ).to_pylist()
    found: dict[tuple[str, str], dict[date, tuple[str, str | None]]] = {}
    for row in rows:
        found.setdefault((row["source"], row["endpoint"]), {})[row["usage_date"]] = (row["state"], row["error"])
    return found


def stale(runtime: Runtime) -> tuple[int, list[dict[str, Any]]]:
    """(how many endpoints should be fresh now that a run has read, those that are not): days up to yesterday, snapshots of yesterday or today."""
    found = [e for e in states(runtime, runtime.yesterday) if e.is_owed]
    rows = [{"source": e.source, "endpoint": e.endpoint, "missing_day": e.due_day, "last_held": e.last_held} for e in found if e.is_behind]
    return len(found), rows


def record(runtime: Runtime, due: date | None = None) -> list[SourceState]:
    """Judge, and keep the answer in `source_states`, where marts and alerts read it; returns the sources.

    Args:
        runtime: whose settings and warehouse.
        due: as of `states`.

    Raises:
        WarehouseError: it cannot be read or written.
    """
    warehouse = runtime.warehouse
    warehouse.ensure()
    found, now = states(runtime, due), datetime.now(UTC)
    sources = by_source(found, runtime.today)
    names = {one.source: one for one in sources}
    rows = [
        {
            "source": e.source, "endpoint": e.endpoint, "state": e.state, "is_owed": e.is_owed, "due_day": e.due_day, "last_held": e.last_held,
            "lacking_since": min(e.lacking, default=None), "reason": e.reason, "source_state": names[e.source].state,
            "source_said": names[e.source].said, "judged_at": now,
        }
        for e in found
    ]  # fmt: skip
    table = tables.BY_NAME["source_states"]
    if rows:
        warehouse.publish(
            {table: pa.Table.from_pylist(rows, schema=table.arrow_schema())}, tables.BY_NAME["raw_fetches"].arrow_schema().empty_table()
        )
    warehouse.execute("DELETE FROM source_states WHERE judged_at < @now", {"now": now})
    return sources
