"""What one load did, in numbers and sentences.

Belongs here: counting, and how rows that could not be read are told to whoever has the file. Does not belong here: what is loaded (`loader.py`), how checks word
it (`defs/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from ai_usage.sources.decode import Day
from ai_usage.sources.endpoint import Endpoint
from ai_usage.sources.errors import RefusedError, SourceError
from ai_usage.sources.walk import FailedWalk
from ai_usage.tables.raw import raw_rejects


@dataclass
class LoadReport:
    """What one load did, in numbers that materialization metadata show."""

    by_day: dict[date, Day] = field(default_factory=dict)
    """What each day holds, where the endpoint has days."""
    days: int = 0
    days_empty: int = 0
    days_unchanged: int = 0
    rows: int = 0
    rows_written: int = 0
    rejected: int = 0
    incomplete: int = 0
    unknown_money: int = 0
    pages: int = 0
    requests: int = 0
    vendor_total_usd: Decimal | None = None
    unknown_fields: set[str] = field(default_factory=set)
    absent_fields: set[str] = field(default_factory=set)
    failures: list[FailedWalk] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    """Of a file: one sentence for each rule that a row broke, with the row as a spreadsheet counts it."""
    refused: str | None = None
    """Why the vendor lets nobody read an endpoint that bills nothing and never answered: a state, not a failure."""

    def error(self) -> SourceError | None:
        """One error that stands for every failed window: its class is the first one's, its sentence counts them."""
        if not self.failures:
            return None
        first = self.failures[0]
        if len(self.failures) == 1:
            return first.error
        if all(isinstance(f.error, RefusedError) for f in self.failures):  # one answer for all of them
            return first.error
        windows = ", ".join(str(f.window.first) for f in self.failures[:5]) + (", ..." if len(self.failures) > 5 else "")
        return type(first.error)(f"{len(self.failures)} windows failed ({windows}); the first: {first.error}")

    def count(self, day: Day, changed: bool) -> None:
        """Add a day that was read; `changed`: it became a new version."""
        self.by_day[day.usage_date] = day
        self.days += 1
        self.days_empty += day.records == 0
        self.days_unchanged += not changed
        self.rows += day.rows
        self.rows_written += day.rows if changed else 0
        self.rejected += day.rejected
        self.incomplete += day.incomplete
        self.unknown_money += day.unknown_money
        if day.vendor_total_usd is not None:
            self.vendor_total_usd = (self.vendor_total_usd or Decimal(0)) + day.vendor_total_usd


def as_a_person_counts(rejects: pa.Table, numbers: Mapping[str, Sequence[int]]) -> pa.Table:
    """Rejects of files: the row as a spreadsheet counts it, and a remedy for whoever has the file. `numbers` are each fetch's rows, in order."""
    rows = [
        row
        | (
            {"record_number": numbers[row["fetch_id"]][n - 1]}
            if 0 < (n := row["record_number"] or 0) <= len(numbers[row["fetch_id"]])
            else {}
        )
        | ({"remedy": "Correct the cell in the file and drop it again."} if row["remedy"] == Endpoint.remedy else {})
        for row in rejects.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=raw_rejects.arrow_schema())


def reason(row: Mapping[str, Any]) -> str:
    """A row of rejects as a sentence: where, what, why and the remedy."""
    said = f"row {row['record_number']}, {row['column_name']}" + (f" {row['value']!r}" if row["value"] is not None else "")
    return f"{said} {row['reason']}. {row['remedy']}"
