"""What must hold of billed money before it is written, and what is told about it after.

Belongs here: the laws of `fct_cost_daily` that need more than one source: the vendor's total counted once, the unit, estimates beside bills.
"""

from decimal import Decimal

import dagster as dg

from ai_usage.defs.common import check
from ai_usage.runtime import Runtime
from ai_usage.sources.endpoint import Window
from ai_usage.warehouse import Fact

# Discounts, long context, regions and prices that changed move a bill by less than 2; read in the wrong unit it is off by 100 (30 to 300 below).
PRICE_FACTOR = Decimal(2)
ESTIMATE_WITHIN = Decimal("0.25")

_BY_DAY = """
  SELECT b.cost_date, b.billed_usd, l.list_usd
  FROM (
    SELECT c.cost_date, SUM(c.cost_usd) AS billed_usd FROM stg_cost AS c
    INNER JOIN stg_anthropic_list_value AS v ON c.cost_date = v.usage_date AND c.platform = v.platform AND c.model = v.model
    WHERE c.source IN ('anthropic_cost_report', 'anthropic_analytics_cost') AND c.cost_date BETWEEN @start_date AND @end_date
    GROUP BY c.cost_date
  ) AS b
  INNER JOIN (
    SELECT usage_date, SUM(list_usd) AS list_usd FROM stg_anthropic_list_value
    WHERE usage_date BETWEEN @start_date AND @end_date GROUP BY usage_date
  ) AS l ON b.cost_date = l.usage_date
  WHERE l.list_usd >= CAST('0.01' AS NUMERIC)
"""

COST_FACTS = (
    Fact(
        "staged cost = fct_cost_daily, per day",
        """
        SELECT COALESCE(SUM(ABS(difference)), 0) FROM (
          SELECT cost_date, SUM(cost_usd) AS difference FROM (
            SELECT cost_date, cost_usd FROM stg_cost WHERE cost_date BETWEEN @start_date AND @end_date
            UNION ALL
            SELECT cost_date, -cost_usd FROM fct_cost_daily WHERE cost_date BETWEEN @start_date AND @end_date
          ) GROUP BY cost_date
        )
        """,
        "Look for a join in sql/curated/fct_cost_daily.sql that repeats or drops rows: two owners of a key or alias on a day.",
    ),
    Fact(
        "each vendor's own total counts once, no estimate and no second report beside it, per day",
        """
        SELECT COALESCE(SUM(ABS(difference)), 0) FROM (
          SELECT usage_date, SUM(usd) AS difference FROM (
            SELECT f.usage_date, f.vendor_total_usd AS usd FROM stg_current_fetches AS f
            LEFT JOIN stg_set_aside AS x ON f.source = x.source AND f.endpoint = x.endpoint AND f.usage_date = x.usage_date
            WHERE f.usage_date BETWEEN @start_date AND @end_date AND x.usage_date IS NULL AND f.vendor_total_usd IS NOT NULL
            UNION ALL
            SELECT cost_date, -cost_usd FROM fct_cost_daily
            WHERE cost_date BETWEEN @start_date AND @end_date AND source NOT IN ('sheet_subscriptions', 'sheet_adjustments')
          ) GROUP BY usage_date
        )
        """,
        "A staging model adds money that no vendor's bill holds, or two reports of one bill count: see sql/staging/stg_set_aside.sql.",
    ),
    Fact(
        "billed cost is in dollars (billed by list value, where that is near 100 or 0.01)",
        f"""
        SELECT COALESCE(MAX(suspect), 0) FROM (
          SELECT
            CASE
              WHEN billed_usd BETWEEN 30 * list_usd AND 300 * list_usd THEN billed_usd / list_usd
              WHEN billed_usd > 0 AND list_usd BETWEEN 30 * billed_usd AND 300 * billed_usd THEN billed_usd / list_usd
              ELSE 0
            END AS suspect
          FROM ({_BY_DAY})
        )
        """,
        "Anthropic's amounts may have changed between cents and dollars: compare a day of the console with raw_anthropic_cost, then correct "
        "cents() in sources/anthropic/records.py.",
    ),
)

SPECS = [
    dg.AssetCheckSpec("prices_explain", asset="fct_cost_daily", description="Claude's billed tokens are within a factor of 2 of list price, each day."),
    dg.AssetCheckSpec(
        "estimate_beside_bill", asset="fct_cost_daily", description="Claude Code's own estimate is within 25 % of what was billed for it."
    ),
    dg.AssetCheckSpec("generations_agree", asset="fct_cost_daily", description="Where Anthropic reports a day twice, both reports have one total."),
]  # fmt: skip


def told(runtime: Runtime, window: Window) -> list[dg.AssetCheckResult]:
    """Results for `SPECS`, over the days of this run."""
    return [_prices(runtime, window), _estimate(runtime, window), _generations(runtime, window)]


def _prices(runtime: Runtime, window: Window) -> dg.AssetCheckResult:
    days = runtime.warehouse.select(_BY_DAY, {"start_date": window.first, "end_date": window.last}).to_pylist()
    wrong = [d for d in days if not d["list_usd"] / PRICE_FACTOR <= d["billed_usd"] <= d["list_usd"] * PRICE_FACTOR]
    billed, listed = (sum((d[name] for d in days), Decimal(0)) for name in ("billed_usd", "list_usd"))
    return check(
        "prices_explain", not wrong, expected=f"{listed:.2f} at list price", actual=f"{billed:.2f}", sample=wrong,
        remedy="A price changed or a contract applies: correct sql/staging/stg_anthropic_prices.sql from the vendor's price list, with the day.",
    )  # fmt: skip


def _estimate(runtime: Runtime, window: Window) -> dg.AssetCheckResult:
    row = runtime.warehouse.select(
        """
        WITH days AS (
          SELECT usage_date FROM stg_current_fetches
          WHERE source = 'anthropic' AND endpoint = 'usage_report/claude_code' AND usage_date BETWEEN @start_date AND @end_date
        )
        SELECT
          (
            SELECT COALESCE(SUM(r.estimated_usd), 0) FROM raw_claude_code_usage AS r
            INNER JOIN stg_current_fetches AS f ON r.fetch_id = f.version_fetch_id AND r.usage_date = f.usage_date
            WHERE r.usage_date BETWEEN @start_date AND @end_date AND r.customer_type = 'api'
          ) AS estimated_usd,
          (
            SELECT COALESCE(SUM(c.cost_usd), 0) FROM fct_cost_daily AS c
            WHERE c.platform = 'claude_code' AND c.source IN ('anthropic_cost_report', 'anthropic_analytics_cost')
              AND c.cost_date IN (SELECT usage_date FROM days) AND c.cost_date BETWEEN @start_date AND @end_date
          ) AS billed_usd
        """,
        {"start_date": window.first, "end_date": window.last},
    ).to_pylist()[0]
    difference = row["estimated_usd"] - row["billed_usd"]
    return check(
        "estimate_beside_bill", abs(difference) <= max(ESTIMATE_WITHIN * row["billed_usd"], Decimal("0.01")), expected=row["billed_usd"],
        actual=row["estimated_usd"], difference=difference,
        remedy="The bill stands. People may use Claude Code with keys of other workspaces, whose cost stands under claude_api.",
    )  # fmt: skip


def _generations(runtime: Runtime, window: Window) -> dg.AssetCheckResult:
    days = runtime.warehouse.select(
        """
        SELECT
          x.usage_date, c.endpoint AS counted, c.vendor_total_usd AS counted_usd, a.endpoint AS set_aside, a.vendor_total_usd AS set_aside_usd
        FROM stg_set_aside AS x
        INNER JOIN stg_current_fetches AS a ON x.source = a.source AND x.endpoint = a.endpoint AND x.usage_date = a.usage_date
        INNER JOIN stg_current_fetches AS c ON x.counted_source = c.source AND x.counted_endpoint = c.endpoint AND x.usage_date = c.usage_date
        WHERE x.source = 'anthropic' AND x.usage_date BETWEEN @start_date AND @end_date AND a.vendor_total_usd IS NOT NULL
        ORDER BY x.usage_date
        """,
        {"start_date": window.first, "end_date": window.last},
    ).to_pylist()
    wrong = [d for d in days if abs((d["counted_usd"] or Decimal(0)) - d["set_aside_usd"]) >= Decimal("0.005")]
    counted, aside = (sum((d[name] or Decimal(0) for d in days), Decimal(0)) for name in ("counted_usd", "set_aside_usd"))
    return check(
        "generations_agree", not wrong, expected=aside, actual=counted, difference=counted - aside, sample=wrong,
        remedy="Run these days again, since one report may have been read before a correction; if it stays, ask Anthropic which one the invoice follows.",
    )  # fmt: skip
