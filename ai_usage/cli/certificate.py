"""`ai-usage certify`: days and endpoints with their state and hash, the gaps, and the commands that close them.

Belongs here: how a certificate is shown. Does not belong here: how it is judged (`completeness.py`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from rich.table import Table as Grid

from ai_usage.cli.console import plain
from ai_usage.operations.completeness import Day
from ai_usage.operations.evidence import Damage

COLUMNS = ("source", "endpoint", "usage_date", "state", "row_count", "vendor_total_usd", "content_sha256", "fetched_at", "error")


def records(days: Sequence[Day]) -> list[dict[str, Any]]:
    return [{name: getattr(day, name) for name in COLUMNS} for day in days]


def document(first: date, last: date, days: Sequence[Day], plan: Sequence[str], damaged: Sequence[Damage]) -> dict[str, Any]:
    """The certificate as one object, for `--format json`."""
    gaps = sum(d.is_gap for d in days)
    return {
        "first_day": first,
        "last_day": last,
        "complete": not gaps and not damaged,
        "held": len(days) - gaps,
        "gaps": gaps,
        "plan": list(plan),
        "damaged": [asdict(one) for one in damaged],
        "days": records(days),
    }


def as_csv(days: Sequence[Day], cell: Callable[[Any], str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([cell(row[name]) for name in COLUMNS] for row in records(days))
    return text.getvalue()


def grid(days: Sequence[Day]) -> Grid:
    """Consecutive days of one endpoint and state as one line: a year of 20 endpoints is 7,300 days."""
    found = Grid("source", "endpoint", "days", "state", "number", "rows", "hash", "read (UTC)", "error")
    for group in _runs(days):
        first, last = group[0], group[-1]
        read = [d.fetched_at for d in group if d.fetched_at]
        found.add_row(
            first.source, first.endpoint, f"{first.usage_date}" + (f" to {last.usage_date}" if len(group) > 1 else ""),
            f"[red]{first.state}[/red]" if first.is_gap else first.state, str(len(group)), str(sum(d.row_count or 0 for d in group)),
            (first.content_sha256 or "–")[:12] if len(group) == 1 else "", f"{min(read):%Y-%m-%d %H:%M}" if read else "never", plain(last.error or ""),
        )  # fmt: skip
    return found


def _runs(days: Sequence[Day]) -> Iterator[list[Day]]:
    group: list[Day] = []
    for day in days:
        same = group and (day.source, day.endpoint, day.state) == (group[-1].source, group[-1].endpoint, group[-1].state)
        if group and not (same and (day.usage_date - group[-1].usage_date).days == 1):
            yield group
            group = []
        group.append(day)
    if group:
        yield group
