-- Seats against use: who held a paid seat in a month, and whether they used it. Seats that nobody holds are '(unattributed)'.
-- On a platform that reports no activity, use is unknown. A person who changed department stands in the last one of the month, whole.
-- Facts are added up once, by month; months before a chosen one are read for the last active day alone.
-- Grain: month, platform, user_email. Inputs: fct_usage_daily, vw_cost_allocation, dim_user_assignments, dim_users.
WITH reported AS (
  SELECT
    platform,
    COUNT(requests) + COUNT(sessions) + COUNT(loc_added) + COUNT(suggestions_shown) + COUNT(messages) + COUNT(conversations) > 0 AS has_days
  FROM fct_usage_daily
  GROUP BY platform
),

-- Counts are never negative, so a day has activity where one of its rows has.
activity AS (
  SELECT
    usage_date, platform, user_email,
    COALESCE(requests, 0) + COALESCE(loc_added, 0) + COALESCE(loc_removed, 0) + COALESCE(suggestions_shown, 0) + COALESCE(sessions, 0)
    + COALESCE(messages, 0) + COALESCE(conversations, 0) > 0 AS is_active
  FROM fct_usage_daily
),

both_sides AS (
  SELECT
    f.usage_date AS day, f.platform, COALESCE(a.department, '(no department)') AS department,
    COALESCE(f.user_email, '(unattributed)') AS user_email, CASE WHEN f.is_active THEN f.usage_date END AS active_date,
    CAST(NULL AS NUMERIC) AS cost_usd, CAST(NULL AS NUMERIC) AS seat_usd
  FROM activity AS f
  LEFT JOIN dim_user_assignments AS a ON f.user_email = a.email AND f.usage_date BETWEEN a.valid_from AND a.valid_to
  UNION ALL
  SELECT
    cost_date, platform, department, user_email, CAST(NULL AS DATE), cost_usd, CASE WHEN cost_type = 'subscription' THEN cost_usd END
  FROM vw_cost_allocation
),

months AS (
  SELECT
    DATE_TRUNC(day, MONTH) AS month,
    platform,
    ANY_VALUE(department HAVING MAX day) AS department,
    user_email,
    SUM(seat_usd) AS seat_usd,
    SUM(cost_usd) AS cost_usd,
    COUNT(DISTINCT active_date) AS active_dates
  FROM both_sides
  GROUP BY DATE_TRUNC(day, MONTH), platform, user_email
),

known AS (
  SELECT
    m.month,
    m.platform,
    m.department,
    m.user_email,
    m.seat_usd,
    m.cost_usd,
    CASE WHEN r.has_days THEN CASE WHEN m.user_email = '(unattributed)' THEN 0 ELSE m.active_dates END END AS active_days
  FROM months AS m
  LEFT JOIN reported AS r ON m.platform = r.platform
),

history AS (
  SELECT
    DATE_TRUNC(usage_date, MONTH) AS month,
    platform,
    COALESCE(user_email, '(unattributed)') AS user_email,
    MAX(usage_date) AS last_active_date
  FROM activity
  WHERE is_active
  GROUP BY DATE_TRUNC(usage_date, MONTH), platform, COALESCE(user_email, '(unattributed)')
),

dated AS (
  SELECT
    k.month,
    k.platform,
    k.department,
    k.user_email,
    k.seat_usd,
    k.cost_usd,
    k.active_days,
    MAX(h.last_active_date) AS last_active_date
  FROM known AS k
  LEFT JOIN history AS h ON k.platform = h.platform AND k.user_email = h.user_email AND k.month >= h.month
  GROUP BY k.month, k.platform, k.department, k.user_email, k.seat_usd, k.cost_usd, k.active_days
)

SELECT
  d.month,
  d.platform,
  d.department,
  d.user_email,
  COALESCE(u.user_name, d.user_email) AS user_name,
  CASE
    WHEN COALESCE(d.seat_usd, 0) = 0 THEN 'no_seat'
    WHEN d.user_email = '(unattributed)' THEN 'unheld'
    WHEN d.active_days IS NULL THEN 'unknown'
    WHEN d.active_days > 0 THEN 'used'
    ELSE 'idle'
  END AS seat_state,
  d.seat_usd,
  CASE
    WHEN d.user_email = '(unattributed)' OR d.active_days = 0 THEN d.seat_usd
    WHEN d.active_days > 0 AND d.seat_usd IS NOT NULL THEN CAST(0 AS NUMERIC)
  END AS idle_usd,
  d.cost_usd,
  d.active_days,
  d.last_active_date
FROM dated AS d
LEFT JOIN (
  -- Names are put together here, once for each person and not for each line.
  SELECT
    email,
    CASE
      WHEN first_name IS NOT NULL OR last_name IS NOT NULL
        THEN TRIM(CONCAT(COALESCE(first_name, ''), ' ', COALESCE(last_name, '')))
    END AS user_name
  FROM dim_users
) AS u ON d.user_email = u.email
