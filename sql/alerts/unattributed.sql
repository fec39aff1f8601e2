-- More than @share of the month's usage cost has no owner. Seats are not in it: nobody holds an empty seat; nor
-- credits, taxes and adjustments, which are nobody's on purpose. Inputs: fct_cost_daily, dim_api_keys.
WITH lines AS (
  SELECT
    f.cost_date,
    f.user_email,
    CASE
      WHEN f.api_key_id IS NOT NULL THEN CONCAT('key ', COALESCE(CONCAT(k.api_key_name, ' (', f.api_key_id, ')'), f.api_key_id))
      ELSE CONCAT(COALESCE(CONCAT('workspace ', f.workspace_id), 'no key and no workspace'), ' on ', f.platform)
    END AS mover,
    f.cost_usd
  FROM fct_cost_daily AS f
  LEFT JOIN dim_api_keys AS k ON f.api_key_id = k.api_key_id AND f.cost_date BETWEEN k.valid_from AND k.valid_to
  WHERE f.cost_date BETWEEN @start_date AND @end_date AND f.cost_type IN ('usage', 'overage') AND f.settle_state != 'open'
),

total AS (
  SELECT
    SUM(cost_usd) AS cost_usd,
    SUM(CASE WHEN user_email IS NULL THEN cost_usd ELSE CAST(0 AS NUMERIC) END) AS ownerless_usd,
    MIN(CASE WHEN user_email IS NULL THEN cost_date END) AS since,
    MAX(cost_date) AS last_day
  FROM lines
),

movers AS (
  SELECT
    mover,
    SUM(cost_usd) AS usd
  FROM lines
  WHERE user_email IS NULL
  GROUP BY mover
)

SELECT
  FORMAT_DATE('%Y-%m-%d', @start_date) AS cause_key,
  'Cost without an owner' AS subject,
  1 AS level,
  CAST(SAFE_DIVIDE(t.ownerless_usd, t.cost_usd) AS NUMERIC) AS figure,
  CAST(@share AS NUMERIC) AS usual,
  'share' AS unit,
  'Keys that stand in no row of the tab api_keys or that nobody owns any more, or usage for which the vendor names no key.' AS likely_reason,
  t.since,
  @start_date AS first_day,
  t.last_day,
  m.mover,
  m.usd AS mover_figure,
  'USD' AS mover_unit,
  ROW_NUMBER() OVER (PARTITION BY t.last_day ORDER BY m.usd DESC, m.mover) AS mover_rank
FROM total AS t
CROSS JOIN movers AS m
WHERE t.cost_usd > 0 AND t.ownerless_usd > CAST(t.cost_usd * @share AS NUMERIC)
QUALIFY ROW_NUMBER() OVER (PARTITION BY t.last_day ORDER BY m.usd DESC, m.mover) <= 3
