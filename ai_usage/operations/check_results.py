"""The results of a run's checks as rows of the warehouse.

Belongs here: appending them, once for each run and check, and their retention. Does not belong here: where results come from (Dagster's record of the run).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

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


def record_checks(runtime: Runtime, found: Mapping[str, Sequence[CheckRecord]]) -> int:
    """Write the results of some runs, {run: results}, and drop those past their retention; returns the rows written.

    A result takes the place of an earlier one of the same run, asset and check, so that a step which Dagster repeats leaves one row.
    """
    table = tables.BY_NAME["check_results"]
    warehouse = runtime.warehouse
    warehouse.ensure()
    latest = {(run, r.asset, r.check_name): r for run, records in found.items() for r in sorted(records, key=lambda r: r.checked_at)}
    before = datetime.now(UTC) - timedelta(days=runtime.settings.check_keep_days)
    bounds: dict[str, Any] = {"names": ["/".join(name) for name in latest] or [""], "before": before}
    # Most runs are new and nothing is old: on BigQuery a DELETE is a job of some seconds, so it is asked for only where it does something.
    gone = f"(checked_at < @before OR {NAME} IN UNNEST(@names))"
    if warehouse.select(f"SELECT COUNTIF({gone}) AS n FROM check_results", bounds)["n"][0].as_py():
        warehouse.execute(f"DELETE FROM check_results WHERE {gone}", bounds)
    rows = [{**asdict(r), "run_id": run} for (run, _, _), r in latest.items()]
    if rows:
        data = pa.Table.from_pylist(rows, schema=table.arrow_schema())
        warehouse.publish({table: data}, tables.BY_NAME["raw_fetches"].arrow_schema().empty_table())
    return len(rows)


NAME = "CONCAT(run_id, '/', asset, '/', check_name)"
