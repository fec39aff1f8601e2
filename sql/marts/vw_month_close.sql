-- Each month on the books: open or closed, by whom, what was booked to it, and what came in for it later.
-- Grain: month. Inputs: agg_cost_months, stg_closed_months, month_closings.
WITH booked AS (
  SELECT
    month,
    SUM(cost_usd) AS booked_usd,
    SUM(CASE WHEN corrects_month IS NOT NULL THEN cost_usd ELSE CAST(0 AS NUMERIC) END) AS corrections_usd,
    CASE
      -- A month that runs is open, also where all that it holds so far is final.
      WHEN COUNTIF(settle_state = 'open') > 0 OR LAST_DAY(month) > (SELECT MAX(all_months.last_day) FROM agg_cost_months AS all_months) THEN 'open'
      WHEN COUNTIF(settle_state = 'provisional') > 0 THEN 'provisional'
      WHEN COUNTIF(settle_state = 'settled') > 0 THEN 'settled'
      ELSE 'closed'
    END AS settle_state
  FROM agg_cost_months
  GROUP BY month
),

later AS (
  SELECT
    corrects_month AS month,
    SUM(cost_usd) AS learned_later_usd
  FROM agg_cost_months
  WHERE corrects_month IS NOT NULL
  GROUP BY corrects_month
),

decisions AS (
  SELECT
    month,
    COUNTIF(action = 'reopen') AS reopened
  FROM month_closings
  GROUP BY month
)

SELECT
  b.month,
  CASE WHEN k.month IS NULL THEN b.settle_state ELSE 'closed' END AS settle_state,
  b.booked_usd,
  b.corrections_usd,
  COALESCE(l.learned_later_usd, CAST(0 AS NUMERIC)) AS learned_later_usd,
  k.closed_at,
  k.author AS closed_by,
  k.sha256,
  COALESCE(d.reopened, 0) AS reopened
FROM booked AS b
LEFT JOIN stg_closed_months AS k ON b.month = k.month
LEFT JOIN later AS l ON b.month = l.month
LEFT JOIN decisions AS d ON b.month = d.month
