"""The checks on tables, as functions that an asset calls after its write and reports with it.

Belongs here: questions to the warehouse and how their answers are judged. They run inside the asset's step, since a step of its own
costs as much orchestration as the question itself (150-200 ms with SQLite). A blocking one stops everything downstream in its run; what the
blocking ones of raw tables guard is proved once more where facts are written, since those are another run's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import dagster as dg
import pandas as pd
import pandera.errors

from ai_usage import tables
from ai_usage.defs.common import SAMPLE, check
from ai_usage.loading import LoadReport
from ai_usage.sources.endpoint import Endpoint, Window
from ai_usage.tables.schema import Table
from ai_usage.transform import totals
from ai_usage.transform.lost import lost_rows
from ai_usage.warehouse import Warehouse

TOLERANCE_USD = Decimal("0.000000001")


def raw_specs(endpoint: Endpoint) -> list[dg.AssetCheckSpec]:
    """Checks that every raw table has, and conservation for those that bill."""
    asset = endpoint.table.name
    specs = [
        dg.AssetCheckSpec("schema", asset=asset, description="A sample of the rows passes the table's pandera schema."),
        dg.AssetCheckSpec(
            "versions_are_whole", asset=asset, blocking=True, description="Each current version has as many rows as its fetch says."
        ),
        dg.AssetCheckSpec("complete", asset=asset, description="Every day asked is held: complete or empty, none failed or missing."),
        dg.AssetCheckSpec("no_rejects", asset=asset, description="No record failed validation, or lost a field to it."),
        dg.AssetCheckSpec("no_drift", asset=asset, description="The vendor sent the fields that are declared, and no others."),
    ]
    if endpoint.vendor_total:
        specs += [
            dg.AssetCheckSpec(
                "conservation", asset=asset, blocking=True, description="The vendor's readable total of each day is staging's, to 1e-9 USD."
            ),
            dg.AssetCheckSpec(
                "money_readable", asset=asset, description="No record hides what it bills, in which currency or on which day."
            ),
        ]
    return specs


def raw_checks(
    warehouse: Warehouse, endpoint: Endpoint, window: Window, report: LoadReport, asked: Sequence[date] | None = None
) -> Iterator[dg.AssetCheckResult]:
    """Results for `raw_specs`, over the days of this run. `asked`: the days that must be held; default: all of the window."""
    table = endpoint.table
    scope: dict[str, Any] = {"source": endpoint.source, "endpoint": endpoint.name, "start_date": window.first, "end_date": window.last}
    yield schema(warehouse, table, window)
    broken = lost_rows(warehouse, [endpoint], window)
    yield check(
        "versions_are_whole", not broken, expected=0, actual=len(broken), sample=broken, blocking=True,
        remedy="Rows of a published version are gone, which no run can cause: restore the warehouse from backup.",
    )  # fmt: skip
    if asked is None:
        asked = [] if report.refused else window.days if endpoint.usage_date else [window.first]
    held = warehouse.select(
        "SELECT usage_date FROM stg_current_fetches WHERE source = @source AND endpoint = @endpoint AND usage_date BETWEEN @start_date AND @end_date",
        scope,
    )["usage_date"].to_pylist()
    missing = sorted(set(asked) - set(held))
    yield check(
        "complete", not missing and not report.refused, expected="an answer" if report.refused else len(asked),
        actual="refused" if report.refused else len(asked) - len(missing), sample=[{"missing_day": d} for d in missing],
        remedy=f"{report.refused} To leave it out without a warning: AI_USAGE_LEAVE_OUT='[\"{endpoint.source}/{endpoint.name}\"]'."
        if report.refused else "Run these days again: ai-usage run --from DAY --to DAY.",
    )  # fmt: skip
    bad = report.rejected + report.incomplete
    yield check(
        "no_rejects", bad == 0, expected=0, actual=bad, sample=rejects(warehouse, endpoint, window) if bad else (),
        remedy=f"The reasons are in raw_rejects. {endpoint.remedy} Records that count (`is_counted`) lack only the field that is named.",
    )  # fmt: skip
    yield check(
        "no_drift", not report.unknown_fields, expected="no unknown fields", actual=", ".join(sorted(report.unknown_fields)) or "none",
        remedy=endpoint.drift_remedy
        or f"The values are kept in `extra`; declare the fields in sources/{endpoint.source}/records.py to give them columns.",
    )  # fmt: skip
    if endpoint.vendor_total:
        yield conservation(warehouse, endpoint, window)
        yield money_readable(warehouse, endpoint, window)


def schema(warehouse: Warehouse, table: Table, window: Window) -> dg.AssetCheckResult:
    """pandera on at most 1,000 rows of the range: a sample, since every record was validated before it was written."""
    where = f"WHERE {table.date_column} BETWEEN @start_date AND @end_date" if table.date_column else ""
    rows = warehouse.select(
        f"SELECT {', '.join(table.column_names)} FROM {table.name} {where} LIMIT 1000",
        {"start_date": window.first, "end_date": window.last} if where else {},
    )
    frame = rows.to_pandas(types_mapper=pd.ArrowDtype)
    failures: list[dict[str, Any]] = []
    try:
        table.pandera_schema().validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        failures = error.failure_cases[["column", "check", "failure_case"]].head(SAMPLE).to_dict("records")
    return check(
        "schema", not failures, expected="every row valid", actual=f"{len(failures)} failures in {rows.num_rows} rows", sample=failures,
        remedy="The table's declaration and its rows differ; find the model or parser that wrote them.",
    )  # fmt: skip


def rejects(warehouse: Warehouse, endpoint: Endpoint, window: Window) -> Any:
    return warehouse.select(
        """
        SELECT r.usage_date, r.record_number, r.column_name, COALESCE(r.is_counted, FALSE) AS is_counted, r.value, r.reason, r.remedy
        FROM raw_rejects AS r
        INNER JOIN stg_current_fetches AS f ON r.fetch_id = f.version_fetch_id
        WHERE f.source = @source AND f.endpoint = @endpoint AND f.usage_date BETWEEN @start_date AND @end_date
        ORDER BY r.usage_date, r.record_number LIMIT 20
        """,
        {"source": endpoint.source, "endpoint": endpoint.name, "start_date": window.first, "end_date": window.last},
    )


def conservation(warehouse: Warehouse, endpoint: Endpoint, window: Window) -> dg.AssetCheckResult:
    """Vendor total = raw = staging, for each day, or range of days that a file sums, over all money that can be read; of a day that is set aside for
    another report of the same bill, nothing may be staged."""
    first, last = totals.whole_ranges(warehouse, window.first, window.last) if endpoint.whole_window else (window.first, window.last)
    found = warehouse.select(
        """
        SELECT
          f.usage_date, f.vendor_total_usd, COALESCE(s.cost_usd, 0) AS staged_usd,
          IF(a.usage_date IS NULL, f.vendor_total_usd, 0) - COALESCE(s.cost_usd, 0) AS difference_usd
        FROM (
          SELECT usage_date, vendor_total_usd FROM stg_current_fetches
          WHERE source = @source AND endpoint = @endpoint AND usage_date BETWEEN @start_date AND @end_date
        ) AS f
        LEFT JOIN (
          SELECT usage_date FROM stg_set_aside
          WHERE source = @source AND endpoint = @endpoint AND usage_date BETWEEN @start_date AND @end_date
        ) AS a ON f.usage_date = a.usage_date
        LEFT JOIN (
          SELECT COALESCE(r.last_day, c.cost_date) AS cost_date, SUM(c.cost_usd) AS cost_usd FROM stg_cost AS c
          LEFT JOIN (
            SELECT last_day, day FROM stg_claude_ai_ranges CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(first_day, last_day)) AS day WHERE @by_range
          ) AS r ON c.cost_date = r.day
          WHERE c.source = @staged_as AND c.cost_date BETWEEN @start_date AND @end_date GROUP BY COALESCE(r.last_day, c.cost_date)
        ) AS s ON f.usage_date = s.cost_date
        ORDER BY f.usage_date
        """,
        {
            "source": endpoint.source,
            "endpoint": endpoint.name,
            "start_date": first,
            "end_date": last,
            "staged_as": endpoint.staged_as,
            "by_range": endpoint.whole_window,
        },
    ).to_pylist()
    wrong = [row for row in found if row["difference_usd"] is None or abs(row["difference_usd"]) > TOLERANCE_USD]
    actual = sum((row["staged_usd"] for row in found), Decimal(0))
    expected = actual + sum((row["difference_usd"] or Decimal(0) for row in found), Decimal(0))
    return check(
        "conservation", not wrong, expected=expected, actual=actual, difference=expected - actual, sample=wrong, blocking=True,
        remedy="Run these days again; if it stays, sql/staging/ repeats or drops rows of these days. After an upgrade of the platform run "
        "`ai-usage upgrade` first.",
    )  # fmt: skip


def money_readable(warehouse: Warehouse, endpoint: Endpoint, window: Window) -> dg.AssetCheckResult:
    """Names each record whose money is unknown: its day, its line in the spool file, and why. The rest of the day counts."""
    unknown = warehouse.select(
        """
        SELECT usage_date, source, endpoint, record_number, reason, spool_path FROM stg_unknown_money
        WHERE source = @source AND endpoint = @endpoint AND usage_date BETWEEN @start_date AND @end_date ORDER BY usage_date, record_number
        """,
        {"source": endpoint.source, "endpoint": endpoint.name, "start_date": window.first, "end_date": window.last},
    )
    return check(
        "money_readable", unknown.num_rows == 0, expected=0, actual=unknown.num_rows, sample=unknown, severe=True,
        remedy="What the records of these days bill is counted without these. Read each at its line (record_number) of spool_path below the data folder's "
        "spool, or with its payload in raw_rejects; ask the vendor, or drop a corrected .replace.csv (docs/how-to/upload-files.md).",
    )  # fmt: skip


def grain(warehouse: Warehouse, table: Table, window: Window | None = None) -> dg.AssetCheckResult:
    """No two rows share the table's key, NULLs counted as equal."""
    key = ", ".join(table.key)
    where = f"WHERE {table.date_column} BETWEEN @start_date AND @end_date" if table.date_column and window else ""
    twice = warehouse.select(
        f"SELECT {key}, COUNT(*) AS found FROM {table.name} {where} GROUP BY {key} HAVING COUNT(*) > 1 LIMIT 20",
        {"start_date": window.first, "end_date": window.last} if where and window else {},
    )
    return check(
        "grain", twice.num_rows == 0, expected=0, actual=twice.num_rows, sample=twice, blocking=True,
        remedy=f"{table.name} must have one row for {table.grain}; the model that makes it joins something twice.",
    )  # fmt: skip


def declared(name: str) -> Table:
    return tables.BY_NAME[name]
