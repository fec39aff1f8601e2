"""What is told about billed money after it was written.

Belongs here: checks of `fct_cost_daily` that need more than one source: prices, estimates beside bills, two reports of one day. Does not belong
here: what must hold before it is written (`ai_usage/transform/invariants.py`).
"""

from decimal import Decimal

import dagster as dg

from ai_usage.defs.common import check
from ai_usage.runtime import Runtime
from ai_usage.sources.endpoint import Window
from ai_usage.transform.invariants import BILLED_BY_LIST

# Discounts, long context, regions and prices that changed move a bill by less than 2; read in the wrong unit it is off by 100 (30 to 300 below).
PRICE_FACTOR = Decimal(2)
ESTIMATE_WITHIN = Decimal("0.25")


def _prices(runtime: Runtime, window: Window) -> dg.AssetCheckResult:
    days = runtime.warehouse.select(BILLED_BY_LIST, {"start_date": window.first, "end_date": window.last}).to_pylist()
    wrong = [d for d in days if not d["list_usd"] / PRICE_FACTOR <= d["billed_usd"] <= d["list_usd"] * PRICE_FACTOR]
    billed, listed = (sum((d[name] for d in days), Decimal(0)) for name in ("billed_usd", "list_usd"))
    return check(
        "prices_explain", not wrong, expected=f"{listed:.2f} at list price", actual=f"{billed:.2f}", sample=wrong,
        remedy="A price changed or a contract applies: correct sql/staging/anthropic/stg_anthropic_prices.sql from the vendor's price list, with the day.",
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


def _range_and_days(runtime: Runtime, window: Window) -> dg.AssetCheckResult:
    """All days of a range held by the API have its total; some of them cannot have more. Which of the two counts is stg_set_aside's."""
    ranges = runtime.warehouse.select(
        """
        WITH days AS (
          SELECT r.first_day, r.last_day, f.vendor_total_usd AS range_usd, day
          FROM stg_claude_ai_ranges AS r
          INNER JOIN stg_current_fetches AS f ON r.last_day = f.usage_date AND f.source = 'claude_ai' AND f.endpoint = 'spend'
          CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(r.first_day, r.last_day)) AS day
          WHERE r.first_day <= @last_day AND r.last_day >= @first_day
        )
        SELECT
          d.first_day, d.last_day, d.range_usd, COUNT(*) AS days, COUNT(a.usage_date) AS api_days, COALESCE(SUM(a.vendor_total_usd), 0) AS api_usd,
          MAX(x.counted_endpoint) IS NOT NULL AS api_counts
        FROM days AS d
        LEFT JOIN stg_current_fetches AS a ON d.day = a.usage_date AND a.source = 'claude_enterprise' AND a.endpoint = 'analytics/cost'
        LEFT JOIN stg_set_aside AS x ON d.last_day = x.usage_date AND x.source = 'claude_ai' AND x.endpoint = 'spend'
        GROUP BY d.first_day, d.last_day, d.range_usd HAVING COUNT(a.usage_date) > 0 ORDER BY d.first_day
        """,
        {"first_day": window.first, "last_day": window.last},
    ).to_pylist()
    cent = Decimal("0.005")
    wrong = [
        r
        for r in ranges
        if r["range_usd"] is not None
        and (abs(r["api_usd"] - r["range_usd"]) >= cent if r["api_days"] == r["days"] else r["api_usd"] - r["range_usd"] >= cent)
    ]
    by_range, by_day = (sum((r[name] or Decimal(0) for r in ranges), Decimal(0)) for name in ("range_usd", "api_usd"))
    return check(
        "range_and_days_agree", not wrong, expected=by_range, actual=by_day, difference=by_day - by_range, sample=wrong,
        remedy="api_counts says which of the two is booked. Export the range again, and run its days again; if it stays, ask Anthropic which one is billed.",
    )  # fmt: skip


def _spec(name: str, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset="fct_cost_daily", description=description)


QUESTIONS = (
    (_spec("prices_explain", "Claude's billed tokens are within a factor of 2 of list price, each day."), _prices),
    (_spec("estimate_beside_bill", "Claude Code's own estimate is within 25 % of what was billed for it."), _estimate),
    (_spec("generations_agree", "Where Anthropic reports a day twice, both reports have one total."), _generations),
    (
        _spec("range_and_days_agree", "Where a spend report's range and Claude Enterprise's days tell one bill, they agree."),
        _range_and_days,
    ),
)
