-- Where the month will end. Method "weekday run rate": a day ahead is expected to cost the mean of the last four same weekdays; seats and
-- flat fees ahead are known from the sheet and added as they are. The range holds 8 of 10 of this company's own past outcomes: the same
-- forecast is made from each earlier day for as many days ahead, and the outcomes divided by their forecasts are ranked (the 10th and 90th
-- percentile, with the rank corrected for few forecasts). Fewer than 20 past forecasts give no range: NULL. Open days do not count;
-- provisional ones count as they stand; manual adjustments and corrections of closed months are spent and no sign of what is to come, like what a
-- range of days was billed, which is spread over them and has no weekday; days that a vendor failed to give are left out of every mean. A platform
-- that bills fees only is certain: its range is the projection. A range says nothing of what vendors may still change in what was spent, so there is
-- none of no width while that can happen.
-- Grain: level, platform, cost_date (the days of the latest month with data).
-- Inputs: agg_cost_days, vw_cost_booked, stg_billed_days, stg_subscription_prices, stg_sheet_budgets_rows.
WITH usage AS (
  SELECT
    cost_date,
    platform,
    SUM(CASE WHEN COALESCE(timing, 'day') = 'day' THEN cost_usd ELSE CAST(0 AS NUMERIC) END) AS usage_usd
  FROM agg_cost_days
  WHERE cost_type != 'subscription' AND source != 'sheet_adjustments' AND settle_state != 'open'
  GROUP BY cost_date, platform
),

frame AS (
  SELECT
    last_day AS as_of_date,
    DATE_TRUNC(last_day, MONTH) AS month_start,
    LAST_DAY(last_day) AS month_end,
    GREATEST(first_day, DATE_SUB(last_day, INTERVAL 209 DAY)) AS first_day
  FROM (SELECT MIN(cost_date) AS first_day, MAX(cost_date) AS last_day FROM usage) AS span
  WHERE last_day IS NOT NULL
),

billing AS (
  SELECT
    source,
    MIN(usage_date) AS first_day
  FROM stg_billed_days
  GROUP BY source
),

unknown AS (
  SELECT DISTINCT day
  FROM frame AS f
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(f.first_day, f.as_of_date)) AS day
  INNER JOIN billing AS b ON day >= b.first_day
  LEFT JOIN stg_billed_days AS c ON b.source = c.source AND day = c.usage_date
  WHERE c.usage_date IS NULL
),

platforms AS (
  SELECT 'platform' AS level, platform FROM usage GROUP BY platform
  UNION ALL
  SELECT 'company' AS level, '(all)' AS platform FROM frame
),

points AS (
  SELECT
    p.level,
    p.platform,
    each_day AS day,
    SUM(COALESCE(u.usage_usd, CAST(0 AS NUMERIC))) AS usage_usd
  FROM frame AS f
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(f.first_day, f.as_of_date)) AS each_day
  CROSS JOIN platforms AS p
  LEFT JOIN usage AS u ON each_day = u.cost_date AND (p.platform = u.platform OR p.level = 'company')
  LEFT JOIN unknown AS x ON each_day = x.day
  WHERE x.day IS NULL
  GROUP BY p.level, p.platform, each_day
),

ahead AS (
  SELECT
    day,
    DATE_DIFF(day, f.as_of_date, DAY) AS steps
  FROM frame AS f
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(DATE_ADD(f.as_of_date, INTERVAL 1 DAY), f.month_end)) AS day
),

origins AS (
  SELECT day AS origin
  FROM frame AS f
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(LEAST(DATE_ADD(f.first_day, INTERVAL 27 DAY), f.as_of_date), f.as_of_date)) AS day
),

expected AS (
  SELECT
    p.level,
    p.platform,
    o.origin,
    a.steps,
    CAST(SAFE_DIVIDE(SUM(p.usage_usd), COUNT(*)) AS NUMERIC) AS expected_usd
  FROM origins AS o
  CROSS JOIN ahead AS a
  INNER JOIN points AS p
    ON
      p.day BETWEEN DATE_SUB(o.origin, INTERVAL 27 DAY) AND o.origin
      AND MOD(DATE_DIFF(DATE_ADD(o.origin, INTERVAL a.steps DAY), p.day, DAY), 7) = 0
  GROUP BY p.level, p.platform, o.origin, a.steps
),

sums AS (
  SELECT
    e.level,
    e.platform,
    e.origin,
    e.steps,
    e.expected_usd,
    SUM(e.expected_usd) OVER (PARTITION BY e.level, e.platform, e.origin ORDER BY e.steps) AS expected_sum_usd,
    SUM(p.usage_usd) OVER (PARTITION BY e.level, e.platform, e.origin ORDER BY e.steps) AS actual_sum_usd,
    COUNT(p.usage_usd) OVER (PARTITION BY e.level, e.platform, e.origin ORDER BY e.steps) AS known_steps
  FROM expected AS e
  LEFT JOIN points AS p
    ON e.level = p.level AND e.platform = p.platform AND DATE_ADD(e.origin, INTERVAL e.steps DAY) = p.day
),

past AS (
  SELECT
    level,
    platform,
    steps,
    CAST(SAFE_DIVIDE(actual_sum_usd, expected_sum_usd) AS NUMERIC) AS ratio,
    ROW_NUMBER() OVER (PARTITION BY level, platform, steps ORDER BY SAFE_DIVIDE(actual_sum_usd, expected_sum_usd)) AS place,
    COUNT(*) OVER (PARTITION BY level, platform, steps) AS forecasts
  FROM sums
  WHERE known_steps = steps AND expected_sum_usd > 0
),

ranges AS (
  SELECT
    level,
    platform,
    steps,
    forecasts AS past_forecasts,
    MAX(CASE WHEN place <= GREATEST(DIV(forecasts + 1, 10), 1) THEN ratio END) AS low_ratio,
    MIN(CASE WHEN place >= LEAST(forecasts, forecasts + 1 - DIV(forecasts + 1, 10)) THEN ratio END) AS high_ratio
  FROM past
  WHERE forecasts >= 20
  GROUP BY level, platform, steps, forecasts
),

paid AS (
  SELECT
    a.day,
    r.platform,
    EXTRACT(DAY FROM LAST_DAY(a.day)) AS days_in_month,
    CAST(r.price_usd * r.seats * 1000000000 AS NUMERIC) AS month_nano_usd
  FROM stg_subscription_prices AS r
  INNER JOIN ahead AS a ON a.day BETWEEN r.valid_from AND r.valid_to
),

fees AS (
  SELECT
    day,
    platform,
    SUM(
      CASE
        WHEN day = LAST_DAY(day)
          THEN month_nano_usd - CAST(DIV(CAST(month_nano_usd AS NUMERIC), CAST(days_in_month AS NUMERIC)) AS NUMERIC) * (days_in_month - 1)
        ELSE CAST(DIV(CAST(month_nano_usd AS NUMERIC), CAST(days_in_month AS NUMERIC)) AS NUMERIC)
      END
    ) AS nano_usd
  FROM paid
  GROUP BY day, platform
),

budgets AS (
  SELECT
    CASE WHEN TRIM(b.platform) != '' THEN TRIM(b.platform) ELSE '(all)' END AS platform,
    SUM(b.budget_usd) AS budget_usd
  FROM stg_sheet_budgets_rows AS b
  INNER JOIN frame AS f ON DATE_TRUNC(b.month, MONTH) = f.month_start
  WHERE COALESCE(TRIM(b.department), '') = ''
  GROUP BY CASE WHEN TRIM(b.platform) != '' THEN TRIM(b.platform) ELSE '(all)' END
),

spent AS (
  SELECT
    c.booked_on AS day,
    c.platform,
    SUM(c.cost_usd) AS cost_usd,
    SUM(CASE WHEN c.settle_state IN ('open', 'provisional') THEN c.cost_usd ELSE CAST(0 AS NUMERIC) END) AS moving_usd
  FROM vw_cost_booked AS c
  INNER JOIN frame AS f ON c.booked_on BETWEEN f.month_start AND f.as_of_date
  GROUP BY c.booked_on, c.platform
),

everyone AS (
  SELECT level, platform FROM platforms
  UNION DISTINCT
  SELECT 'platform' AS level, platform FROM spent
  UNION DISTINCT
  SELECT 'platform' AS level, platform FROM fees
),

days AS (
  SELECT
    e.level,
    e.platform,
    each_day AS cost_date,
    f.as_of_date,
    f.month_start AS month,
    DATE_DIFF(each_day, f.as_of_date, DAY) AS steps,
    SUM(s.cost_usd) AS spent_usd,
    SUM(s.moving_usd) AS moving_usd
  FROM frame AS f
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(f.month_start, f.month_end)) AS each_day
  CROSS JOIN everyone AS e
  LEFT JOIN spent AS s ON each_day = s.day AND (e.platform = s.platform OR e.level = 'company')
  GROUP BY e.level, e.platform, each_day, f.as_of_date, f.month_start, DATE_DIFF(each_day, f.as_of_date, DAY)
),

fees_of AS (
  SELECT
    e.level,
    e.platform,
    n.day,
    CAST(SUM(n.nano_usd) * CAST('0.000000001' AS NUMERIC) AS NUMERIC) AS fee_usd
  FROM everyone AS e
  INNER JOIN fees AS n ON e.platform = n.platform OR e.level = 'company'
  GROUP BY e.level, e.platform, n.day
),

parts AS (
  SELECT
    d.level,
    d.platform,
    d.cost_date,
    d.as_of_date,
    d.month,
    d.steps,
    CASE WHEN d.steps <= 0 THEN COALESCE(d.spent_usd, CAST(0 AS NUMERIC)) END AS spent_usd,
    CASE WHEN d.steps <= 0 THEN COALESCE(d.moving_usd, CAST(0 AS NUMERIC)) END AS moving_usd,
    CASE WHEN d.steps > 0 THEN COALESCE(n.fee_usd, CAST(0 AS NUMERIC)) END AS fee_usd,
    CASE WHEN d.steps > 0 THEN COALESCE(e.expected_usd, CAST(0 AS NUMERIC)) END AS expected_usd,
    d.steps <= 0 OR p.platform IS NULL AS is_certain
  FROM days AS d
  LEFT JOIN platforms AS p ON d.level = p.level AND d.platform = p.platform
  LEFT JOIN fees_of AS n ON d.level = n.level AND d.platform = n.platform AND d.cost_date = n.day
  LEFT JOIN expected AS e
    ON d.level = e.level AND d.platform = e.platform AND d.as_of_date = e.origin AND d.steps = e.steps
),

running AS (
  SELECT
    level,
    platform,
    cost_date,
    as_of_date,
    month,
    steps,
    spent_usd,
    moving_usd,
    fee_usd,
    expected_usd,
    is_certain,
    SUM(COALESCE(spent_usd, CAST(0 AS NUMERIC)) + COALESCE(fee_usd, CAST(0 AS NUMERIC)))
      OVER (PARTITION BY level, platform ORDER BY cost_date) AS sure_usd,
    SUM(COALESCE(expected_usd, CAST(0 AS NUMERIC))) OVER (PARTITION BY level, platform ORDER BY cost_date) AS likely_usd,
    COUNTIF(moving_usd != 0) OVER (PARTITION BY level, platform ORDER BY cost_date) AS moving_days
  FROM parts
),

ends AS (
  SELECT
    r.*,
    CASE
      WHEN r.is_certain THEN r.sure_usd
      ELSE r.sure_usd + CAST(LEAST(g.low_ratio, CAST(1 AS NUMERIC)) * r.likely_usd AS NUMERIC)
    END AS low_usd,
    CASE
      WHEN r.is_certain THEN r.sure_usd
      ELSE r.sure_usd + CAST(GREATEST(g.high_ratio, CAST(1 AS NUMERIC)) * r.likely_usd AS NUMERIC)
    END AS high_usd,
    g.past_forecasts
  FROM running AS r
  LEFT JOIN ranges AS g ON r.level = g.level AND r.platform = g.platform AND r.steps = g.steps
)

SELECT
  r.level,
  r.platform,
  r.cost_date,
  r.month,
  r.as_of_date,
  r.spent_usd,
  r.moving_usd,
  r.fee_usd,
  r.expected_usd,
  r.sure_usd + r.likely_usd AS projected_usd,
  CASE WHEN r.low_usd < r.high_usd OR r.moving_days = 0 THEN r.low_usd END AS low_usd,
  CASE WHEN r.low_usd < r.high_usd OR r.moving_days = 0 THEN r.high_usd END AS high_usd,
  r.past_forecasts,
  b.budget_usd
FROM ends AS r
LEFT JOIN budgets AS b ON r.platform = b.platform
