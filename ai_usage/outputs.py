"""What leaves the warehouse by itself after each run: the chargeback files and the serving copy.

Belongs here: whole pieces of work on a `Runtime`, called by assets and by the command line alike. Does not belong here: Dagster, formats, SQL of models.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from ai_usage import months, tables
from ai_usage.dashboards.metabase.config import postgres_details
from ai_usage.dashboards.metabase.errors import MetabaseError
from ai_usage.exporting import CHARGEBACK, Export, exact_sum, write_export
from ai_usage.runtime import Runtime
from ai_usage.warehouse import WarehouseError
from ai_usage.warehouse.postgres_copy import Difference, copy_marts, differences

FORMATS = ("csv", "xlsx")
SERVING_IS_OFF = (
    "the serving copy is off: AI_USAGE_SERVING_URL is not set; set it to postgresql://user:password@host:5432/database?schema=ai_usage."
)


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


def publish_serving_copy(runtime: Runtime) -> Mapping[str, int]:
    """Copy every mart into the serving Postgres, in one transaction; returns the rows of each."""
    url, schema = _serving(runtime)
    return copy_marts(runtime.warehouse, url, schema, tables.MARTS)


def serving_differences(runtime: Runtime) -> list[Difference]:
    """Where the serving copy, as a reader finds it now, has other rows or other money than the marts."""
    url, schema = _serving(runtime)
    return differences(runtime.warehouse, url, schema, tables.MARTS)


def _serving(runtime: Runtime) -> tuple[str, str]:
    if runtime.settings.serving_url is None:
        raise WarehouseError(SERVING_IS_OFF)
    url = runtime.settings.serving_url.get_secret_value()
    try:
        return url, postgres_details(url)[0]
    except MetabaseError as error:
        raise WarehouseError(str(error).replace("METABASE_POSTGRES_URL", "AI_USAGE_SERVING_URL")) from None
