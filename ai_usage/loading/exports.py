"""claude.ai's exports against what is held: which events are new, which ranges of spend may stand side by side.

Belongs here: the rules that need both a file and the warehouse. Reading a file is `sources/claude_ai/exports.py`'s, publishing is the loader's.

Law of the audit log: what is current is the union of every export dropped, whatever their order; a day never shrinks unless a `.replace.csv` says so.
Law of spend: ranges that hold money never overlap, so no cent is counted twice. The same range again is a new version of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import Path
from typing import Any

from ai_usage.sources import redaction
from ai_usage.sources.claude_ai import exports
from ai_usage.sources.claude_ai.records import AUDIT_LOG, SPEND
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.sources.errors import ContractError
from ai_usage.sources.spool import Spooled
from ai_usage.sources.uploads.client import replaces, spool_records
from ai_usage.warehouse.base import Warehouse


def _nobody(address: str) -> None:
    """Nobody was forgotten."""


@dataclass(frozen=True)
class Range:
    """One range of spend that counts now; `has_money` is false where the report said that nothing was spent."""

    window: Window
    has_money: bool

    def __str__(self) -> str:
        return f"{self.window.first} to {self.window.last}"


@dataclass(frozen=True)
class Export:
    """A file that may be loaded: its walks, and the UTC days whose facts it moves."""

    endpoint: Endpoint
    walks: Sequence[Spooled]
    days: Window


def read_export(
    warehouse: Warehouse, path: Path, kind: str, spool: Path, today: date, start: date, swap: redaction.Swap = _nobody
) -> Export:
    """The file as walks that can be loaded. Raises `ContractError` when it cannot be read or may not stand beside what is held."""
    return (
        _audit_log(warehouse, path, spool, today, swap) if kind == "claude_ai_audit_log" else _spend(warehouse, path, spool, today, start)
    )


def _audit_log(warehouse: Warehouse, path: Path, spool: Path, today: date, swap: redaction.Swap) -> Export:
    # A forgotten person's held events stand under the token, and an event without the actor's id is known again by its address alone.
    new = [{**r, "actor_email": redaction.replaced(r.get("actor_email") or "", swap) or None} for r in exports.audit_events(path)]
    days = {day for record in new if (day := exports.event_day(record)) is not None}
    if not days:
        raise ContractError(f"no row of {path.name} names an instant; drop it as it was downloaded, without opening it in a spreadsheet.")
    window = Window(min(days), max(days))
    if window.last > today or window.first < date(2020, 1, 1):
        raise ContractError(f"{path.name} names days from {window.first} to {window.last}; drop it as it was downloaded.")
    held = [] if replaces(path) else _held_events(warehouse, window, days)
    return Export(AUDIT_LOG, [spool_records(path.name, AUDIT_LOG, window, exports.union(held, new), spool)], window)


def _held_events(warehouse: Warehouse, window: Window, days: set[date]) -> list[exports.Record]:
    """The current events of these days as the records that they came from; those that were rejected among them."""
    scope: dict[str, Any] = {"first_day": window.first, "last_day": window.last}
    found = warehouse.select(
        """
        SELECT r.* FROM raw_claude_ai_audit_log AS r
        INNER JOIN stg_current_fetches AS f ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date
        WHERE f.source = 'claude_ai' AND f.endpoint = 'audit_log' AND r.usage_date BETWEEN @first_day AND @last_day
        """,
        scope,
    ).to_pylist()
    rejected = warehouse.select(
        """
        SELECT DISTINCT r.usage_date, r.record_number, r.payload FROM raw_rejects AS r
        INNER JOIN stg_current_fetches AS f ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date
        WHERE f.source = 'claude_ai' AND f.endpoint = 'audit_log' AND r.usage_date BETWEEN @first_day AND @last_day
        """,
        scope,
    ).to_pylist()
    own = [f.path for f in AUDIT_LOG.fields]
    records: list[exports.Record] = [
        {
            **{name: row.get(name) for name in own},
            "created_at": f"{row['event_at'].astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            **(json.loads(row["extra"]) if row["extra"] else {}),
        }
        for row in found
        if row["usage_date"] in days
    ]
    # The record of a forgotten person was emptied: it says nothing that could be rejected again.
    return records + [json.loads(row["payload"]) for row in rejected if row["usage_date"] in days and row["payload"] != redaction.EMPTIED]


def held_ranges(warehouse: Warehouse) -> list[Range]:
    """The ranges of spend that count now, the earliest first. One that says nothing was spent gives way where another holds money."""
    found = [
        Range(Window(row["window_start"].astimezone(UTC).date(), row["usage_date"]), row["state"] == "complete")
        for row in warehouse.select(
            """
            SELECT f.usage_date, f.state, r.window_start
            FROM stg_current_fetches AS f
            INNER JOIN raw_fetches AS r ON f.fetch_id = r.fetch_id
            WHERE f.source = 'claude_ai' AND f.endpoint = 'spend' ORDER BY f.usage_date
            """
        ).to_pylist()
    ]
    return [r for r in found if r.has_money or not any(o.has_money and _overlap(r.window, o.window) for o in found)]


def _overlap(one: Window, other: Window) -> bool:
    return one.first <= other.last and other.first <= one.last


def _spend(warehouse: Warehouse, path: Path, spool: Path, today: date, start: date) -> Export:
    window = exports.check_period(path.name, exports.period_in(path.name), today)
    if window.last < start:
        raise ContractError(f"{path.name} ends before AI_USAGE_START_DATE={start}; set that to an earlier day first, then drop it again.")
    numbers: list[int] = []
    rows = exports.spend_rows(path, window, numbers)
    in_the_way = [r.window for r in held_ranges(warehouse) if r.has_money and r.window != window and _overlap(r.window, window)]
    inside = [w for w in in_the_way if window.first <= w.first and w.last <= window.last]
    if in_the_way and (len(inside) < len(in_the_way) or not rows or not replaces(path)):
        raise ContractError(_refusal(path.name, window, in_the_way, inside if rows else []))
    withdrawn = [spool_records(path.name, SPEND, w, [], spool) for w in inside if w.last != window.last]
    days = Window(min(w.first for w in (window, *inside)), window.last)
    return Export(SPEND, [spool_records(path.name, SPEND, window, rows, spool, numbers), *withdrawn], days)


def _refusal(name: str, window: Window, others: Sequence[Window], inside: Sequence[Window]) -> str:
    them = " and ".join(f"{w.first} to {w.last}" for w in others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
    remedy = f"export exactly {others[0].first} to {others[0].last} to replace that one, or days that no export holds"
    if len(inside) == len(others):
        remedy = f"end its name in .replace.csv if it shall take the place of {'that one' if len(others) == 1 else 'those'}, or " + remedy
    return f"{name} sums {window.first} to {window.last}, which overlaps the export of {them} that is loaded, so money would count twice; {remedy}."
