"""Marts: each asset deploys one view from sql/marts/ and proves what it shows."""

from decimal import Decimal
from typing import Any

import dagster as dg
import pyarrow as pa

from ai_usage.defs import checks
from ai_usage.defs.common import OWNERS, check, failed, spent, table_metadata, upstream, usd
from ai_usage.months import last_day
from ai_usage.operations import states
from ai_usage.runtime import Runtime
from ai_usage.tables import MARTS
from ai_usage.tables.schema import Table
from ai_usage.warehouse import WarehouseError, models

# Views that show money must show all of it.
CONSERVED = (
    "vw_cost_booked",
    "vw_cost_allocation",
    "vw_cost_months",
    "vw_monthly_finance",
    "vw_use_and_cost",
    "vw_platform_roi",
    "vw_adoption",
)
STORED = "vw_cost_months"


def _mart(table: Table) -> dg.AssetsDefinition:
    model = models.model(table.name)
    specs = []
    if table.name in CONSERVED:
        specs.append(
            dg.AssetCheckSpec(
                "conservation", asset=table.name, blocking=True, description="The view's total is fct_cost_daily's, to 1e-9 USD."
            )
        )
    if table.name == "vw_focus":
        specs.append(
            dg.AssetCheckSpec(
                "conservation", asset=table.name, blocking=True, description="BilledCost of each month is vw_cost_booked's, to 1e-9 USD."
            )
        )
    if table.name == "sheet_issues":
        specs.append(
            dg.AssetCheckSpec("sheet_is_clean", asset=table.name, description="Every row of the sheet is used, and none is doubtful.")
        )

    @dg.asset(
        name=table.name, description=table.description, metadata=table_metadata(table), group_name="marts", owners=OWNERS,
        kinds={"sql", "view"}, deps=upstream(table.name), check_specs=specs,
    )  # fmt: skip
    def mart(runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
        try:
            runtime.warehouse.create_view(table)
            if table.name == "vw_sources":
                states.record(runtime)
            # Planning a mart costs more than reading it, so the rows come with the check's own question where there is one.
            issues = _issues(runtime) if table.name == "sheet_issues" else None
            shown = _shown(runtime, table) if table.name in CONSERVED and table.name != STORED else None
            rows = issues.num_rows if issues is not None else shown["n"] if shown else _count(runtime, table)
        except WarehouseError as error:
            raise failed(error) from None
        metadata: dict[str, Any] = {"dagster/row_count": rows, "model": model.path}
        results = []
        if table.name in CONSERVED:
            result, total = _conserved(table, shown) if shown else _stored(runtime)
            results.append(result)
            metadata |= usd(total)
        elif table.name == "vw_focus":
            results.append(_focus(runtime))
        elif issues is not None:
            results.append(_sheet(issues))
        return dg.MaterializeResult(metadata=metadata | spent(runtime), check_results=results)

    return mart


def _count(runtime: Runtime, table: Table) -> int:
    return int(runtime.warehouse.select(f"SELECT COUNT(*) AS n FROM {table.name}")["n"][0].as_py())


def _shown(runtime: Runtime, table: Table) -> dict[str, Any]:
    """The mart's rows and money, beside the facts' money."""
    found = runtime.warehouse.select(
        "SELECT COUNT(*) AS n, COALESCE(SUM(cost_usd), 0) AS shown_usd, (SELECT COALESCE(SUM(cost_usd), 0) FROM fct_cost_daily) AS fact_usd "
        f"FROM {table.name}"
    )
    return dict(found.to_pylist()[0])


def _conserved(table: Table, row: dict[str, Any]) -> tuple[dg.AssetCheckResult, Any]:
    difference = row["fact_usd"] - row["shown_usd"]
    return check(
        "conservation", abs(difference) <= checks.TOLERANCE_USD, expected=row["fact_usd"], actual=row["shown_usd"], difference=difference,
        blocking=True, remedy=f"A join in the view repeats or drops cost; see {models.model(table.name).path}.",
    ), row["shown_usd"]  # fmt: skip


def _stored(runtime: Runtime) -> tuple[dg.AssetCheckResult, Any]:
    """Month by month and owner by owner: stored months that a run which was cut off left behind would charge the wrong department, and the total
    would be right."""
    found = runtime.warehouse.select(
        """
        SELECT month, SUM(shown_usd) AS shown_usd, SUM(booked_usd) AS booked_usd, SUM(ABS(booked_usd - shown_usd)) AS misplaced_usd
        FROM (
          SELECT month, department, user_email, cost_type, SUM(booked_usd) AS booked_usd, SUM(shown_usd) AS shown_usd
          FROM (
            SELECT
              DATE_TRUNC(cost_date, MONTH) AS month, department, user_email, cost_type, cost_usd AS booked_usd, CAST(0 AS NUMERIC) AS shown_usd
            FROM vw_cost_allocation
            UNION ALL
            SELECT month, department, user_email, cost_type, CAST(0 AS NUMERIC) AS booked_usd, cost_usd AS shown_usd FROM vw_cost_months
          ) AS both_sides
          GROUP BY month, department, user_email, cost_type
        ) AS owners
        GROUP BY month ORDER BY month
        """
    ).to_pylist()
    wrong = [m for m in found if m["misplaced_usd"] > checks.TOLERANCE_USD]
    booked, shown = (sum((m[name] for m in found), Decimal(0)) for name in ("booked_usd", "shown_usd"))
    days = f" --from {wrong[0]['month']} --to {last_day(wrong[-1]['month'])}" if wrong else ""
    return check(
        "conservation", not wrong, expected=booked, actual=shown, difference=sum((m["misplaced_usd"] for m in wrong), Decimal(0)),
        sample=wrong, blocking=True,
        remedy=f"A run that was cut off left these months' totals behind; run their days again with ai-usage run{days}.",
    ), shown  # fmt: skip


def _focus(runtime: Runtime) -> dg.AssetCheckResult:
    """Month by month: a charge in the wrong month would leave the total as it is."""
    months = runtime.warehouse.select(
        """
        SELECT month, SUM(booked_usd) AS booked_usd, SUM(focus_usd) AS focus_usd
        FROM (
          SELECT booked_month AS month, cost_usd AS booked_usd, CAST(0 AS NUMERIC) AS focus_usd FROM vw_cost_booked
          UNION ALL
          SELECT DATE(BillingPeriodStart) AS month, CAST(0 AS NUMERIC) AS booked_usd, BilledCost AS focus_usd FROM vw_focus
        ) AS both_sides
        GROUP BY month ORDER BY month
        """
    ).to_pylist()
    wrong = [m for m in months if m["booked_usd"] != m["focus_usd"]]
    booked, shown = (sum((m[name] for m in months), Decimal(0)) for name in ("booked_usd", "focus_usd"))
    return check(
        "conservation", not wrong, expected=booked, actual=shown, difference=booked - shown, sample=wrong, blocking=True,
        remedy="A join in the view repeats or drops cost; see sql/marts/vw_focus.sql.",
    )  # fmt: skip


def _issues(runtime: Runtime) -> pa.Table:
    return runtime.warehouse.select(
        "SELECT tab, sheet_row, column_name, value, reason, remedy, is_used FROM sheet_issues ORDER BY tab, sheet_row"
    )


def _sheet(issues: pa.Table) -> dg.AssetCheckResult:
    return check(
        "sheet_is_clean", issues.num_rows == 0, expected=0, actual=issues.num_rows, sample=issues,
        remedy="Correct these rows in the sheet as each remedy says; the next run reads them.",
    )  # fmt: skip


marts = [_mart(table) for table in MARTS]
