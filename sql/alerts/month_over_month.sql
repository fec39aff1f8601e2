-- The month so far against the same days of the month before: above by more than @growth, and by at least @floor_usd. A month that has ended is
-- compared with the whole month before. Silent until @min_days days are held, and where nothing is held of the days up to the first of the month
-- before: then there is no whole month to compare with. A day of the month that a source failed to give in either month is left out of both.
-- Inputs: vw_cost_allocation, stg_unknown_days.
WITH cost AS (
  SELECT
    cost_date,
    EXTRACT(DAY FROM cost_date) AS day_number,
    platform,
    department,
    cost_type,
    cost_usd
  FROM vw_cost_allocation
  WHERE cost_date BETWEEN DATE_SUB(@start_date, INTERVAL 2 MONTH) AND @end_date AND settle_state != 'open'
),

frame AS (
  SELECT
    MAX(CASE WHEN cost_date >= @start_date AND cost_type != 'subscription' THEN cost_date END) AS last_day,
    COUNTIF(cost_date <= DATE_SUB(@start_date, INTERVAL 1 MONTH)) AS rows_before
  FROM cost
),

skipped AS (
  SELECT DISTINCT EXTRACT(DAY FROM usage_date) AS day_number
  FROM stg_unknown_days
  WHERE usage_date BETWEEN DATE_SUB(@start_date, INTERVAL 1 MONTH) AND @end_date
),

parts AS (
  SELECT
    c.platform,
    c.department,
    SUM(CASE WHEN c.cost_date >= @start_date THEN c.cost_usd ELSE CAST(0 AS NUMERIC) END) AS now_usd,
    SUM(CASE WHEN c.cost_date < @start_date THEN c.cost_usd ELSE CAST(0 AS NUMERIC) END) AS before_usd
  FROM cost AS c
  CROSS JOIN frame AS f
  LEFT JOIN skipped AS s ON c.day_number = s.day_number
  WHERE
    s.day_number IS NULL
    AND c.cost_date BETWEEN DATE_SUB(@start_date, INTERVAL 1 MONTH) AND f.last_day
    AND (c.day_number <= EXTRACT(DAY FROM f.last_day) OR f.last_day = LAST_DAY(f.last_day))
  GROUP BY c.platform, c.department
),

total AS (
  SELECT
    SUM(now_usd) AS now_usd,
    SUM(before_usd) AS before_usd
  FROM parts
)

SELECT
  FORMAT_DATE('%Y-%m-%d', @start_date) AS cause_key,
  'The month so far' AS subject,
  1 AS level,
  t.now_usd AS figure,
  t.before_usd AS usual,
  'USD' AS unit,
  'More use, a dearer model, new people or a new price: the lines below rose most against the same days of the month before.' AS likely_reason,
  f.last_day AS since,
  @start_date AS first_day,
  f.last_day,
  CONCAT(p.department, ' on ', p.platform) AS mover,
  p.now_usd - p.before_usd AS mover_figure,
  'USD' AS mover_unit,
  ROW_NUMBER() OVER (PARTITION BY f.last_day ORDER BY p.now_usd - p.before_usd DESC, p.department, p.platform) AS mover_rank
FROM parts AS p
CROSS JOIN total AS t
CROSS JOIN frame AS f
WHERE
  f.rows_before > 0
  AND DATE_DIFF(f.last_day, @start_date, DAY) + 1 >= @min_days
  AND t.before_usd > 0
  AND t.now_usd > CAST(t.before_usd * (1 + @growth) AS NUMERIC)
  AND t.now_usd - t.before_usd >= @floor_usd
  AND p.now_usd > p.before_usd
QUALIFY ROW_NUMBER() OVER (PARTITION BY f.last_day ORDER BY p.now_usd - p.before_usd DESC, p.department, p.platform) <= 3
