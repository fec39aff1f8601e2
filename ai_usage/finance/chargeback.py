"""The month's chargeback files: CSV and XLSX, the sum on disk beside the mart's.

Belongs here: which months, what they must sum to. Does not belong here: Dagster, formats, SQL of models.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from ai_usage import months
from ai_usage.outputs import CHARGEBACK, Export, exact_sum, write_export
from ai_usage.runtime import Runtime

FORMATS = ("csv", "xlsx")


@dataclass(frozen=True)
class Chargeback:
    """One month's files. `expected_usd` is the mart's total of the month, `written_usd` what the CSV file adds up to as it lies on disk."""

    month: date
    files: tuple[Path, ...]
    rows: int
    expected_usd: Decimal
    written_usd: Decimal


def write_chargebacks(runtime: Runtime, last_day: date) -> list[Chargeback]:
    """The files of the month of that day and of the month before. Each appears whole or not at all. Raises `ExportError`, `WarehouseError`."""
    return [_chargeback(runtime, month) for month in months.with_before(last_day)]


def _chargeback(runtime: Runtime, month: date) -> Chargeback:
    asked = [Export(CHARGEBACK, kind, month, months.last_day(month)) for kind in FORMATS]
    files = [runtime.settings.exports / e.file_name for e in asked]
    written = [write_export(runtime.warehouse, e, f) for e, f in zip(asked, files, strict=True)]
    expected = runtime.warehouse.select(
        "SELECT COALESCE(SUM(cost_usd), 0) AS usd FROM vw_cost_allocation WHERE cost_date BETWEEN @date_from AND @date_to",
        {"date_from": month, "date_to": months.last_day(month)},
    )["usd"][0].as_py()
    with files[0].open(encoding="utf-8", newline="") as file:
        total = exact_sum(Decimal(row["cost_usd"]) for row in csv.DictReader(file))
    return Chargeback(month, tuple(files), written[0].rows, Decimal(expected), total)
