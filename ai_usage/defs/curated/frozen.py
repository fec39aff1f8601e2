"""Whether closed months are still what was closed: one check for the assets that look."""

from datetime import date

import dagster as dg

from ai_usage.defs.common import check
from ai_usage.finance import ledger
from ai_usage.runtime import Runtime


def stand(runtime: Runtime, months: list[date], name: str) -> dg.AssetCheckResult:
    """Whether these closed months hold the rows that were closed."""
    broken = ledger.damaged(runtime.warehouse, months)
    return check(
        name, not broken, expected=f"{len(months)} closed months as they were closed", actual=f"{len(broken)} changed",
        sample=[{"month": said} for said in broken], blocking=True,
        remedy="Somebody changed closed_cost or closed_invoices by hand: restore it from backup (docs/runbook.md).",
    )  # fmt: skip
