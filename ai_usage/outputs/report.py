"""All dashboards as one HTML file.

Belongs here: from a warehouse to the file. Does not belong here: which warehouse (`operations/report.py`), the page (`dashboards/html.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ai_usage import __version__
from ai_usage.dashboards import html, meta
from ai_usage.dashboards.load import load_dashboards
from ai_usage.dashboards.meta import Checks
from ai_usage.sources import registry
from ai_usage.warehouse import Warehouse, WarehouseError, models


def write(
    target: Path, warehouse: Warehouse, at: datetime, checks: Checks | None, note: str, states: Sequence[meta.Told] = ()
) -> tuple[Path, int]:
    query = warehouse.select
    facts = meta.meta_from_marts(
        query, generated_at=at, checks=checks, version=__version__, note=note, states=states, platforms=registry.TELLS
    )
    try:
        html.write_report(target, load_dashboards(models.sql_root() / "dashboards"), query, facts)
    except OSError as error:
        raise WarehouseError(
            f"the report cannot be written to {target} ({error.strerror}); name another file or set AI_USAGE_REPORT_PATH."
        ) from None
    return target, target.stat().st_size
