"""The results of a run's checks as rows of the warehouse.

Belongs here: appending them, once for each run, and their retention. Does not belong here: where results come from (Dagster's record of the run).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from ai_usage import tables
from ai_usage.runtime import Runtime


@dataclass(frozen=True)
class CheckRecord:
    """One result; `state` is passed, warning or failed."""

    asset: str
    check_name: str
    state: str
    blocking: bool
    expected: str | None
    actual: str | None
    what_to_do: str | None
    checked_at: datetime


def record_checks(runtime: Runtime, run_id: str, found: Sequence[CheckRecord]) -> int:
    """Write a run's results and drop those past their retention; returns the rows written.

    A result takes the place of an earlier one of the same run, asset and check, so that a step which Dagster repeats leaves one row.
    """
    table = tables.BY_NAME["check_results"]
    warehouse = runtime.warehouse
    warehouse.ensure()
    latest = {(r.asset, r.check_name): r for r in sorted(found, key=lambda r: r.checked_at)}
    before = datetime.now(UTC) - timedelta(days=runtime.settings.check_keep_days)
    # Most runs are new and nothing is old: on BigQuery a DELETE is a job of some seconds, so it is asked for only where it does something.
    held = warehouse.select(
        "SELECT COUNTIF(run_id = @run_id) AS of_run, COUNTIF(checked_at < @before) AS past FROM check_results",
        {"run_id": run_id, "before": before},
    ).to_pylist()[0]
    if held["of_run"] or held["past"]:
        names = [f"{asset}/{name}" for asset, name in latest] or [""]
        warehouse.execute(
            "DELETE FROM check_results WHERE checked_at < @before OR (run_id = @run_id AND CONCAT(asset, '/', check_name) IN UNNEST(@names))",
            {"run_id": run_id, "before": before, "names": names},
        )
    rows = [{**asdict(r), "run_id": run_id} for r in latest.values()]
    if rows:
        data = pa.Table.from_pylist(rows, schema=table.arrow_schema())
        warehouse.publish({table: data}, tables.BY_NAME["raw_fetches"].arrow_schema().empty_table())
    return len(rows)
