-- Days on which Claude's billed tokens are off their list price by more than a factor of @factor, either way: a price changed, a contract applies,
-- or the unit did. The same days and the same factor as the check prices_explain. Inputs: fct_cost_daily, stg_anthropic_list_value.
WITH listed AS (
  SELECT
    usage_date,
    platform,
    model,
    list_usd
  FROM stg_anthropic_list_value
  WHERE usage_date BETWEEN @start_date AND @end_date
),

billed AS (
  SELECT
    cost_date,
    platform,
    model,
    SUM(cost_usd) AS billed_usd
  FROM fct_cost_daily
  WHERE
    cost_date BETWEEN @start_date AND @end_date
    AND source IN ('anthropic_cost_report', 'anthropic_analytics_cost')
    AND settle_state != 'open'
  GROUP BY cost_date, platform, model
),

models AS (
  SELECT
    l.usage_date,
    l.model,
    SUM(l.list_usd) AS list_usd,
    SUM(b.billed_usd) AS billed_usd
  FROM listed AS l
  LEFT JOIN billed AS b ON l.usage_date = b.cost_date AND l.platform = b.platform AND l.model = b.model
  GROUP BY l.usage_date, l.model
),

days AS (
  SELECT
    usage_date,
    SUM(list_usd) AS list_usd,
    SUM(billed_usd) AS billed_usd
  FROM models
  GROUP BY usage_date
),

wrong AS (
  SELECT *
  FROM days
  WHERE
    list_usd >= CAST('0.01' AS NUMERIC)
    AND (billed_usd > CAST(list_usd * @factor AS NUMERIC) OR list_usd > CAST(billed_usd * @factor AS NUMERIC))
),

total AS (
  SELECT
    SUM(billed_usd) AS billed_usd,
    SUM(list_usd) AS list_usd,
    MIN(usage_date) AS first_day,
    MAX(usage_date) AS last_day
  FROM wrong
),

movers AS (
  SELECT
    m.model,
    SUM(COALESCE(m.billed_usd, CAST(0 AS NUMERIC))) - SUM(m.list_usd) AS more_usd
  FROM models AS m
  INNER JOIN wrong AS w ON m.usage_date = w.usage_date
  GROUP BY m.model
)

SELECT
  'anthropic' AS cause_key,
  'Claude' AS subject,
  1 AS level,
  t.billed_usd AS figure,
  t.list_usd AS usual,
  'USD' AS unit,
  'A price changed or a contract applies; if it is a factor of 100, the vendor changed between cents and dollars.' AS likely_reason,
  t.first_day AS since,
  t.first_day,
  t.last_day,
  m.model AS mover,
  m.more_usd AS mover_figure,
  'USD' AS mover_unit,
  ROW_NUMBER() OVER (PARTITION BY t.last_day ORDER BY ABS(m.more_usd) DESC, m.model) AS mover_rank
FROM total AS t
CROSS JOIN movers AS m
QUALIFY ROW_NUMBER() OVER (PARTITION BY t.last_day ORDER BY ABS(m.more_usd) DESC, m.model) <= 3
