-- Days whose usage cost is above @share of the mean of the seven days before them, and by at least @floor_usd. A Monday is above the mean of a
-- week that holds a weekend: so the day must also be above @share of the median of the same weekday in the four weeks before, of which two must
-- be held. Days that a source failed to give are neither judged nor part of a mean; five of the seven days must be known. Seats are not in it,
-- nor what is spread over a range of days.
-- Inputs: vw_cost_allocation, stg_unknown_days.
WITH cost AS (
  SELECT
    cost_date,
    -- People may share a name: the address tells them apart.
    CASE WHEN user_name = user_email THEN user_email ELSE CONCAT(user_name, ' (', user_email, ')') END AS who,
    SUM(cost_usd) AS usd
  FROM vw_cost_allocation
  WHERE cost_date BETWEEN DATE_SUB(@start_date, INTERVAL 28 DAY) AND @end_date AND settle_state != 'open' AND cost_type != 'subscription'
    AND timing = 'day'
  GROUP BY cost_date, user_name, user_email
),

daily AS (
  SELECT
    cost_date,
    SUM(usd) AS usd
  FROM cost
  GROUP BY cost_date
),

frame AS (
  SELECT
    MIN(cost_date) AS first_day,
    MAX(cost_date) AS last_day
  FROM daily
),

known AS (
  SELECT
    day,
    COALESCE(d.usd, CAST(0 AS NUMERIC)) AS usd
  FROM frame AS f
  CROSS JOIN UNNEST(GENERATE_DATE_ARRAY(f.first_day, f.last_day)) AS day
  LEFT JOIN daily AS d ON day = d.cost_date
  LEFT JOIN (SELECT DISTINCT usage_date FROM stg_unknown_days) AS x ON day = x.usage_date
  WHERE x.usage_date IS NULL
),

weeks AS (
  SELECT
    k.day,
    k.usd,
    COUNT(*) AS days_before,
    CAST(SAFE_DIVIDE(SUM(b.usd), COUNT(*)) AS NUMERIC) AS mean_usd
  FROM known AS k
  INNER JOIN known AS b ON b.day BETWEEN DATE_SUB(k.day, INTERVAL 7 DAY) AND DATE_SUB(k.day, INTERVAL 1 DAY)
  WHERE k.day >= @start_date
  GROUP BY k.day, k.usd
),

same_weekdays AS (
  SELECT
    k.day,
    b.usd,
    ROW_NUMBER() OVER (PARTITION BY k.day ORDER BY b.usd, b.day) AS place,
    COUNT(*) OVER (PARTITION BY k.day) AS places
  FROM known AS k
  INNER JOIN known AS b
    ON b.day BETWEEN DATE_SUB(k.day, INTERVAL 28 DAY) AND DATE_SUB(k.day, INTERVAL 7 DAY) AND MOD(DATE_DIFF(k.day, b.day, DAY), 7) = 0
  WHERE k.day >= @start_date
),

medians AS (
  SELECT
    day,
    CAST(SAFE_DIVIDE(SUM(usd), COUNT(*)) AS NUMERIC) AS median_usd
  FROM same_weekdays
  WHERE places >= 2 AND place BETWEEN DIV(places + 1, 2) AND DIV(places + 2, 2)
  GROUP BY day
),

judged AS (
  SELECT
    w.day,
    w.usd,
    w.mean_usd
  FROM weeks AS w
  INNER JOIN medians AS m ON w.day = m.day
  WHERE
    w.days_before >= 5
    AND w.usd > CAST(w.mean_usd * @share AS NUMERIC)
    AND w.usd > CAST(m.median_usd * @share AS NUMERIC)
    AND w.usd - w.mean_usd >= @floor_usd
),

people AS (
  SELECT
    j.day,
    c.who,
    SUM(CASE WHEN c.cost_date = j.day THEN c.usd ELSE CAST(0 AS NUMERIC) END)
    - CAST(
      SAFE_DIVIDE(SUM(CASE WHEN c.cost_date < j.day AND k.day IS NOT NULL THEN c.usd ELSE CAST(0 AS NUMERIC) END), 7) AS NUMERIC
    ) AS more_usd
  FROM judged AS j
  INNER JOIN cost AS c ON c.cost_date BETWEEN DATE_SUB(j.day, INTERVAL 7 DAY) AND j.day
  LEFT JOIN known AS k ON c.cost_date = k.day
  GROUP BY j.day, c.who
)

SELECT
  FORMAT_DATE('%Y-%m-%d', j.day) AS cause_key,
  'The day' AS subject,
  1 AS level,
  j.usd AS figure,
  j.mean_usd AS usual,
  'USD' AS unit,
  'One person, one job or many people used more than in the week before: the lines below rose most.' AS likely_reason,
  j.day AS since,
  j.day AS first_day,
  j.day AS last_day,
  p.who AS mover,
  p.more_usd AS mover_figure,
  'USD' AS mover_unit,
  ROW_NUMBER() OVER (PARTITION BY j.day ORDER BY p.more_usd DESC, p.who) AS mover_rank
FROM judged AS j
INNER JOIN people AS p ON j.day = p.day
QUALIFY ROW_NUMBER() OVER (PARTITION BY j.day ORDER BY p.more_usd DESC, p.who) <= 3
