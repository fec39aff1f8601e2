-- Seats against use: who held a paid seat in a month, and whether they used it. Seats that nobody holds are '(unattributed)'.
-- On a platform that reports no activity, use is unknown. A person who changed department stands in the last one of the month, whole.
-- Grain: month, platform, user_email. Inputs: vw_platform_roi.
WITH months AS (
  SELECT
    DATE_TRUNC(usage_date, MONTH) AS month,
    platform,
    ANY_VALUE(department HAVING MAX usage_date) AS department,
    user_email,
    ANY_VALUE(user_name HAVING MAX usage_date) AS user_name,
    SUM(seat_usd) AS seat_usd,
    SUM(cost_usd) AS cost_usd,
    SUM(active_days) AS active_days,
    MAX(CASE WHEN is_active THEN usage_date END) AS last_active_date
  FROM vw_platform_roi
  GROUP BY DATE_TRUNC(usage_date, MONTH), platform, user_email
)

SELECT
  month,
  platform,
  department,
  user_email,
  user_name,
  CASE
    WHEN COALESCE(seat_usd, 0) = 0 THEN 'no_seat'
    WHEN user_email = '(unattributed)' THEN 'unheld'
    WHEN active_days IS NULL THEN 'unknown'
    WHEN active_days > 0 THEN 'used'
    ELSE 'idle'
  END AS seat_state,
  seat_usd,
  CASE
    WHEN user_email = '(unattributed)' OR active_days = 0 THEN seat_usd
    WHEN active_days > 0 AND seat_usd IS NOT NULL THEN CAST(0 AS NUMERIC)
  END AS idle_usd,
  cost_usd,
  active_days,
  MAX(last_active_date) OVER (PARTITION BY platform, user_email ORDER BY month) AS last_active_date
FROM months
