"""What must hold of the facts before they stand: proved inside each transaction that writes them, whoever writes, a run or a copy.

Belongs here: assertions over staging and facts, as SQL whose answer is the difference. Does not belong here: checks after the write (`defs/`), and
how an engine proves (`warehouse/`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ai_usage.warehouse import Fact

# True of every row. Where a source's day cannot be proved, `facts_of` puts a condition on sources in its place, and the others are proved alone.
ANY_SOURCE, THESE_SOURCES = "source IS NOT NULL", "source IN UNNEST(@sources)"

# Where both are known, what a day's tokens were billed and what they cost at list price.
BILLED_BY_LIST = f"""
  SELECT b.cost_date, b.billed_usd, l.list_usd
  FROM (
    SELECT c.cost_date, SUM(c.cost_usd) AS billed_usd FROM stg_cost AS c
    INNER JOIN stg_anthropic_list_value AS v ON c.cost_date = v.usage_date AND c.platform = v.platform AND c.model = v.model
    WHERE c.{ANY_SOURCE} AND c.source IN ('anthropic_cost_report', 'anthropic_analytics_cost') AND c.cost_date BETWEEN @start_date AND @end_date
    GROUP BY c.cost_date
  ) AS b
  INNER JOIN (
    SELECT usage_date, SUM(list_usd) AS list_usd FROM stg_anthropic_list_value
    WHERE usage_date BETWEEN @start_date AND @end_date GROUP BY usage_date
  ) AS l ON b.cost_date = l.usage_date
  WHERE l.list_usd >= CAST('0.01' AS NUMERIC)
"""

# What claude.ai billed by the vendor's own totals, with the law said once more and not read from stg_set_aside: a range of the spend report is told by its own
# total, or by those of Claude Enterprise's API where that holds all its days, or the range is 0, and one of them has money; a day in no range by the
# API's. A range of which the run holds a part only proves nothing: runs widen to whole ranges (`totals.whole_ranges`).
CLAUDE_AI_ONCE = """
  WITH ranges AS (
    SELECT r.last_day AS unit, r.first_day >= @start_date AND r.last_day <= @end_date AS is_whole, f.vendor_total_usd AS usd, day
    FROM stg_claude_ai_ranges AS r
    INNER JOIN stg_current_fetches AS f ON r.last_day = f.usage_date AND f.source = 'claude_ai' AND f.endpoint = 'spend'
    CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(r.first_day, r.last_day)) AS day
  ),
  api AS (
    SELECT usage_date AS day, state, vendor_total_usd AS usd, origin != 'api' OR DATE(told_at) > usage_date AS has_ended
    FROM stg_current_fetches WHERE source = 'claude_enterprise' AND endpoint = 'analytics/cost'
  ),
  counted AS (
    SELECT cost_date AS day, SUM(cost_usd) AS usd FROM fct_cost_daily
    WHERE cost_date BETWEEN @start_date AND @end_date AND source IN ('claude_ai_spend', 'claude_enterprise_cost') GROUP BY cost_date
  ),
  units AS (
    SELECT
      COALESCE(r.unit, asked) AS unit, MAX(r.usd) AS range_usd, SUM(a.usd) AS api_usd, SUM(c.usd) AS counted_usd,
      COUNT(r.unit) = 0 OR ((COUNTIF(a.has_ended) = COUNT(*) OR MAX(r.usd) = 0) AND COUNTIF(a.state = 'complete' AND COALESCE(a.usd != 0, TRUE)) > 0)
        AS api_tells
    FROM UNNEST(GENERATE_DATE_ARRAY(@start_date, @end_date)) AS asked
    LEFT JOIN ranges AS r ON asked = r.day
    LEFT JOIN api AS a ON asked = a.day
    LEFT JOIN counted AS c ON asked = c.day
    WHERE COALESCE(r.is_whole, TRUE)
    GROUP BY COALESCE(r.unit, asked)
  )
  SELECT COALESCE(SUM(ABS(CASE WHEN api_tells THEN COALESCE(api_usd, 0) ELSE range_usd END - COALESCE(counted_usd, 0))), 0) FROM units
"""

COST_FACTS = (
    Fact(
        "staged cost = fct_cost_daily, per day",
        f"""
        SELECT COALESCE(SUM(ABS(difference)), 0) FROM (
          SELECT cost_date, SUM(cost_usd) AS difference FROM (
            SELECT cost_date, cost_usd FROM stg_cost WHERE {ANY_SOURCE} AND cost_date BETWEEN @start_date AND @end_date
            UNION ALL
            SELECT cost_date, -cost_usd FROM fct_cost_daily WHERE {ANY_SOURCE} AND cost_date BETWEEN @start_date AND @end_date
          ) GROUP BY cost_date
        )
        """,
        "Look for a join in sql/curated/fct_cost_daily.sql that repeats or drops rows: two owners of a key or alias on a day.",
    ),
    Fact(
        "each vendor's own total counts once, no estimate and no second report beside it, per source and day",
        f"""
        SELECT COALESCE(SUM(ABS(difference)), 0) FROM (
          SELECT usage_date, cost_source, SUM(usd) AS difference FROM (
            SELECT f.usage_date, COALESCE(b.cost_source, f.endpoint) AS cost_source, f.vendor_total_usd AS usd FROM stg_current_fetches AS f
            LEFT JOIN stg_bill_sources AS b ON f.source = b.source AND f.endpoint = b.endpoint
            -- The rule once more, not its answer: Anthropic's older report counts where the newer one has no rows, or none with money.
            LEFT JOIN stg_current_fetches AS n
              ON f.usage_date = n.usage_date AND f.source = n.source
              AND CASE WHEN f.endpoint = 'cost_report' THEN 'analytics/cost complete' END = CONCAT(n.endpoint, ' ', n.state)
              AND COALESCE(n.vendor_total_usd != 0, TRUE)
            WHERE f.usage_date BETWEEN @start_date AND @end_date AND n.usage_date IS NULL AND f.vendor_total_usd IS NOT NULL
              AND f.source NOT IN ('claude_ai', 'claude_enterprise')
            UNION ALL
            SELECT cost_date, source, -cost_usd FROM fct_cost_daily
            WHERE cost_date BETWEEN @start_date AND @end_date
              AND source NOT IN ('sheet_subscriptions', 'sheet_adjustments', 'claude_ai_spend', 'claude_enterprise_cost')
          ) WHERE cost_{ANY_SOURCE} GROUP BY usage_date, cost_source
        )
        """,
        "A staging model adds money that no vendor's bill holds, or two reports of one bill count: see sql/staging/stg_set_aside.sql. After an upgrade of "
        "the platform, run `ai-usage upgrade` first: totals of before were made by another rule.",
    ),
    Fact(
        "claude.ai's bill counts once, by range or by day: each range whole, each day beside them",
        CLAUDE_AI_ONCE,
        "Two reports of one bill count, or none does: see sql/staging/stg_set_aside.sql and stg_claude_ai_spend_days.sql.",
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
          FROM ({BILLED_BY_LIST})
        )
        """,
        "Anthropic's amounts may have changed between cents and dollars: compare a day of the console with raw_anthropic_cost, then correct "
        "cents() in sources/anthropic/records.py.",
    ),
)

USAGE_FACTS = (
    Fact(
        "every token, request and accepted line of staging stands in fct_usage_daily once",
        f"""
        SELECT s.requests - f.requests, s.input_tokens - f.input_tokens, s.output_tokens - f.output_tokens, s.loc_accepted - f.loc_accepted,
          s.included_usd - f.included_usd
        FROM (
          SELECT COALESCE(SUM(requests), 0) AS requests, COALESCE(SUM(input_tokens), 0) AS input_tokens,
            COALESCE(SUM(output_tokens), 0) AS output_tokens, COALESCE(SUM(loc_accepted), 0) AS loc_accepted,
            COALESCE(SUM(included_usd), 0) AS included_usd
          FROM stg_usage WHERE {ANY_SOURCE} AND usage_date BETWEEN @start_date AND @end_date
        ) AS s
        CROSS JOIN (
          SELECT COALESCE(SUM(requests), 0) AS requests, COALESCE(SUM(input_tokens), 0) AS input_tokens,
            COALESCE(SUM(output_tokens), 0) AS output_tokens, COALESCE(SUM(loc_accepted), 0) AS loc_accepted,
            COALESCE(SUM(included_usd), 0) AS included_usd
          FROM fct_usage_daily WHERE {ANY_SOURCE} AND usage_date BETWEEN @start_date AND @end_date
        ) AS f
        """,
        "Look for a join in sql/curated/fct_usage_daily.sql that repeats or drops rows: two owners of a key or alias on a day.",
    ),
)

CORRECTION_FACTS = (
    Fact(
        "what is booked for a closed month's days, plus corrections, is what fct_cost_daily says",
        """
        SELECT COALESCE(SUM(ABS(difference)), 0) FROM (
          SELECT cost_date, SUM(cost_usd) AS difference FROM (
            SELECT f.cost_date, f.cost_usd FROM fct_cost_daily AS f
            INNER JOIN stg_closed_months AS k ON DATE_TRUNC(f.cost_date, MONTH) = k.month
            WHERE f.cost_date BETWEEN @start_date AND @end_date
            UNION ALL
            SELECT c.cost_date, -c.cost_usd FROM closed_cost AS c
            INNER JOIN stg_closed_months AS k ON c.closing_id = k.closing_id
            WHERE c.cost_date BETWEEN @start_date AND @end_date AND c.booked_on >= @start_date
            UNION ALL
            SELECT cost_date, -cost_usd FROM fct_cost_corrections WHERE cost_date BETWEEN @start_date AND @end_date
          ) GROUP BY cost_date
        )
        """,
        "Look for a dimension that sql/curated/fct_cost_corrections.sql leaves out or a closing that counts twice in stg_closed_months.",
    ),
)

# Stored totals hold nothing that facts do not, and all that they do.
PERSON_DAY_FACTS = (
    Fact(
        "agg_person_days = fct_usage_daily, per day and platform",
        """
        SELECT
          COALESCE(SUM(ABS(requests)), 0), COALESCE(SUM(ABS(tokens)), 0), COALESCE(SUM(ABS(lines)), 0), COALESCE(SUM(ABS(commits)), 0),
          COALESCE(SUM(ABS(included_usd)), 0)
        FROM (
          SELECT
            usage_date, platform, SUM(requests) AS requests, SUM(tokens) AS tokens, SUM(lines) AS lines, SUM(commits) AS commits,
            SUM(included_usd) AS included_usd
          FROM (
            SELECT
              usage_date, platform, COALESCE(requests, 0) AS requests,
              COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0) + COALESCE(cache_read_tokens, 0) + COALESCE(cache_write_tokens, 0) AS tokens,
              COALESCE(loc_accepted, 0) AS lines, COALESCE(commits, 0) AS commits, COALESCE(included_usd, 0) AS included_usd
            FROM fct_usage_daily WHERE usage_date BETWEEN @start_date AND @end_date
            UNION ALL
            SELECT
              usage_date, platform, -COALESCE(requests, 0),
              -(COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0) + COALESCE(cache_read_tokens, 0) + COALESCE(cache_write_tokens, 0)),
              -COALESCE(loc_accepted, 0), -COALESCE(commits, 0), -COALESCE(included_usd, 0)
            FROM agg_person_days WHERE usage_date BETWEEN @start_date AND @end_date
          ) GROUP BY usage_date, platform
        )
        """,
        "Look for a measure or a group that sql/curated/agg_person_days.sql drops.",
    ),
)
PERSON_MONTH_FACTS = (
    Fact(
        "active days of agg_person_months = agg_person_days, per month and platform",
        """
        SELECT COALESCE(SUM(ABS(difference)), 0) FROM (
          SELECT month, platform, SUM(days) AS difference FROM (
            SELECT DATE_TRUNC(usage_date, MONTH) AS month, platform, CASE WHEN is_active THEN 1 ELSE 0 END AS days
            FROM agg_person_days WHERE usage_date BETWEEN @start_date AND @end_date
            UNION ALL
            SELECT month, platform, -active_days FROM agg_person_months WHERE month BETWEEN @start_date AND @end_date
          ) GROUP BY month, platform
        )
        """,
        "Look for a group that sql/curated/agg_person_months.sql drops.",
    ),
)
PERSON_WEEK_FACTS = (
    Fact(
        "active days of agg_person_weeks = known people's of agg_person_days, per week and platform",
        """
        SELECT COALESCE(SUM(ABS(difference)), 0) FROM (
          SELECT week, platform, SUM(days) AS difference FROM (
            SELECT CAST(DATE_TRUNC(usage_date, ISOWEEK) AS DATE) AS week, platform, CASE WHEN is_active AND user_email IS NOT NULL THEN 1 ELSE 0 END AS days
            FROM agg_person_days WHERE usage_date BETWEEN @start_date AND @end_date
            UNION ALL
            SELECT week, platform, -active_days FROM agg_person_weeks WHERE week BETWEEN @start_date AND @end_date
          ) GROUP BY week, platform
        )
        """,
        "Look for a group that sql/curated/agg_person_weeks.sql drops.",
    ),
)
COST_DAY_FACTS = (
    Fact(
        "agg_cost_days = fct_cost_daily, per day and platform",
        """
        SELECT COALESCE(SUM(ABS(difference)), 0) FROM (
          SELECT cost_date, platform, SUM(cost_usd) AS difference FROM (
            SELECT cost_date, platform, cost_usd FROM fct_cost_daily WHERE cost_date BETWEEN @start_date AND @end_date
            UNION ALL
            SELECT cost_date, platform, -cost_usd FROM agg_cost_days WHERE cost_date BETWEEN @start_date AND @end_date
          ) GROUP BY cost_date, platform
        )
        """,
        "Look for a group that sql/curated/agg_cost_days.sql drops.",
    ),
)
COST_MONTH_FACTS = (
    Fact(
        "agg_cost_months = vw_cost_booked, per month, platform and settle state",
        """
        SELECT COALESCE(SUM(ABS(difference)), 0) FROM (
          SELECT month, platform, settle_state, SUM(cost_usd) AS difference FROM (
            SELECT booked_month AS month, platform, settle_state, cost_usd FROM vw_cost_booked WHERE booked_on BETWEEN @start_date AND @end_date
            UNION ALL
            SELECT month, platform, settle_state, -cost_usd FROM agg_cost_months WHERE month BETWEEN @start_date AND @end_date
          ) GROUP BY month, platform, settle_state
        )
        """,
        "Look for a group that sql/curated/agg_cost_months.sql drops or repeats, or two rows in stg_cost_basis.",
    ),
)

FACTS: Mapping[str, tuple[Fact, ...]] = {
    "fct_usage_daily": USAGE_FACTS, "fct_cost_daily": COST_FACTS, "fct_cost_corrections": CORRECTION_FACTS,
    "agg_person_days": PERSON_DAY_FACTS, "agg_person_weeks": PERSON_WEEK_FACTS, "agg_person_months": PERSON_MONTH_FACTS,
    "agg_cost_days": COST_DAY_FACTS, "agg_cost_months": COST_MONTH_FACTS,
}  # fmt: skip
"""By the table that they are of; no other model has any."""

CLAUDE_AI = ("claude_ai_spend", "claude_enterprise_cost")


def facts_of(name: str, sources: Collection[str]) -> tuple[Fact, ...]:
    """The facts of a table, of some sources' rows alone.

    Args:
        name: `fct_usage_daily` or `fct_cost_daily`.
        sources: names in the column `source` of staging and of the table, which become the parameter `@sources` too.

    Returns:
        Facts that say nothing of any other source.
    """
    mine = [f for f in FACTS[name] if f.difference_sql != CLAUDE_AI_ONCE or any(source in CLAUDE_AI for source in sources)]
    return tuple(replace(f, difference_sql=f.difference_sql.replace(ANY_SOURCE, THESE_SOURCES)) for f in mine)
