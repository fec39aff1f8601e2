"""Cursor: one asset for each raw table. What is fetched and how is in ai_usage/sources/cursor/README.md."""

from decimal import Decimal
from typing import Any

import dagster as dg

from ai_usage.defs import checks
from ai_usage.defs.common import DAYS, OWNERS, RANGES, check, day_range, table_metadata
from ai_usage.defs.loading import load_days
from ai_usage.runtime import Runtime
from ai_usage.sources.cursor import records
from ai_usage.sources.endpoint import Endpoint, Window

SHARED: dict[str, Any] = {"group_name": "cursor", "owners": OWNERS, "kinds": {"python", "cursor"}}


def _declared(endpoint: Endpoint) -> dict[str, Any]:
    """What the declarations say of an asset, so that nothing is written twice."""
    table = endpoint.table
    return {
        "name": table.name, "description": table.description, "metadata": table_metadata(table), "code_version": endpoint.parser_version,
        "check_specs": checks.raw_specs(endpoint), **SHARED,
    }  # fmt: skip


@dg.asset(**_declared(records.EVENTS), partitions_def=DAYS, backfill_policy=RANGES)
def raw_cursor_events(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    return load_days(context, runtime, records.EVENTS, day_range(context), runtime.cursor.events)


@dg.asset(**_declared(records.DAILY_USAGE), partitions_def=DAYS, backfill_policy=RANGES)
def raw_cursor_usage(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    return load_days(context, runtime, records.DAILY_USAGE, day_range(context), runtime.cursor.daily_usage, 30)


@dg.asset(**_declared(records.MEMBERS))
def raw_cursor_members(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    return load_days(context, runtime, records.MEMBERS, Window(runtime.today, runtime.today), runtime.cursor.members)


SPEND = _declared(records.SPEND)
SPEND["check_specs"] = [
    *SPEND["check_specs"],
    dg.AssetCheckSpec(
        "spend_agrees", asset="raw_cursor_spend", description="The cycle's billed events agree with Cursor's own running total."
    ),
]


@dg.asset(**SPEND, deps=["raw_cursor_events"])
def raw_cursor_spend(context: dg.AssetExecutionContext, runtime: dg.ResourceParam[Runtime]) -> dg.MaterializeResult:
    today = Window(runtime.today, runtime.today)
    return load_days(context, runtime, records.SPEND, today, runtime.cursor.spend, more=lambda: [spend_agrees(runtime)])


def spend_agrees(runtime: Runtime) -> dg.AssetCheckResult:
    """Members' events since the cycle began against /teams/spend, an independent total. Today's spend is in the second only, so it
    may be larger by a day's worth (twice the largest day of the cycle); it may never be smaller."""
    row = runtime.warehouse.select(
        """
        WITH spend AS (
          SELECT r.email, r.cycle_spend_usd, DATE(r.cycle_start_at) AS started_on
          FROM raw_cursor_spend AS r
          INNER JOIN stg_snapshots AS s ON r.fetch_id = s.version_fetch_id
          WHERE s.source = 'cursor' AND s.endpoint = 'spend'
        ),
        days AS (
          SELECT c.cost_date, SUM(c.cost_usd) AS cost_usd FROM stg_cursor_cost AS c
          WHERE c.user_email IN (SELECT email FROM spend) AND c.cost_date >= (SELECT MAX(started_on) FROM spend)
          GROUP BY c.cost_date
        )
        SELECT
          (SELECT COALESCE(SUM(cycle_spend_usd), 0) FROM spend) AS spend_usd,
          (SELECT COALESCE(SUM(cost_usd), 0) FROM days) AS events_usd,
          (SELECT COALESCE(MAX(cost_usd), 0) FROM days) AS largest_day_usd,
          (SELECT MAX(started_on) FROM spend) AS started_on,
          (SELECT MIN(usage_date) FROM stg_current_fetches WHERE source = 'cursor' AND endpoint = 'filtered-usage-events') AS held_from
        """
    ).to_pylist()[0]
    difference = row["spend_usd"] - row["events_usd"]
    covered = row["held_from"] is not None and row["started_on"] is not None and row["held_from"] <= row["started_on"]
    agrees = not covered or Decimal("-0.000001") <= difference <= max(Decimal(1), 2 * row["largest_day_usd"])
    return check(
        "spend_agrees", agrees, expected=row["spend_usd"], actual=row["events_usd"], difference=difference,
        remedy="Run the days of this billing cycle again; if it stays, events are missing or doubled and Cursor must be asked.",
        description=None if covered else "Not compared: the events held begin after the billing cycle did.",
    )  # fmt: skip
